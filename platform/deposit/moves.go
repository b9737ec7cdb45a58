package deposit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Machine is a state machine as data: state → act → next state. It is a map literal in its owner's file.
// The machine says whether a step exists; the guarded UPDATE says whether it is still true.
type Machine map[string]map[string]string

// Next is the state an act leads to; a step that is not on the map is a Conflict.
func (m Machine) Next(state, act string) (string, error) {
	next, ok := m[state][act]
	if !ok {
		return "", Refuse(Conflict, "state_forbids", "当前状态（", state, "）不允许该操作：", act)
	}
	return next, nil
}

// Draw prints the machine, one step a line in a fixed order, for the golden files.
func (m Machine) Draw() string {
	var b strings.Builder
	for _, state := range slices.Sorted(maps.Keys(m)) {
		for _, act := range slices.Sorted(maps.Keys(m[state])) {
			fmt.Fprintf(&b, "%s -%s-> %s\n", state, act, m[state][act])
		}
	}
	return b.String()
}
