package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"depositd/platform"
	"depositd/platform/incident"
	"depositd/reconcile"
	"depositd/refund"
)

func TestDocumentIsValid(t *testing.T) {
	if err := document().Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Every way in stands in the document, and nothing else does. Pages are for people and stand in none.
func TestRoutesAndDocumentAgree(t *testing.T) {
	var served, documented []string
	pages := openTo((&server{}).pageRoutes(readers))
	for _, r := range (&server{}).routes() {
		if pages[r.Path] != nil {
			continue
		}
		served = append(served, r.Method+" "+openapiPath(r.Path))
	}
	for path, item := range document().Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served:\n%s\ndocumented:\n%s", strings.Join(served, "\n"), strings.Join(documented, "\n"))
	}
}

// The closed sets of the document are those of the program.
func TestDocumentedSets(t *testing.T) {
	enum := func(name string) (words []string) {
		for _, word := range document().Components.Schemas[name].Value.Enum {
			words = append(words, word.(string))
		}
		return words
	}
	for _, word := range enum("Code") {
		if reconcile.Code(word).Name() == "" {
			t.Errorf("the document's code %s is none", word)
		}
	}
	for _, word := range enum("FindingState") {
		if reconcile.StateName[word] == "" {
			t.Errorf("the document's state %s is none", word)
		}
	}
	kinds := enum("EventKind")
	for word, kind := range eventKinds {
		if !slices.Contains(kinds, word) || kind.Chinese() == "" {
			t.Errorf("event %s is not documented or has no name", word)
		}
	}
	if len(kinds) != len(eventKinds) {
		t.Errorf("%d kinds of events are documented, %d taken", len(kinds), len(eventKinds))
	}
	for _, word := range document().Components.Schemas["Lot"].Value.Properties["state"].Value.Enum {
		if platform.LotState(word.(string)).Chinese() == "" {
			t.Errorf("the document's lot state %s is none", word)
		}
	}
}

// So are those of the refunds, each with its name.
func TestDocumentedRefundSets(t *testing.T) {
	causes := map[string]bool{}
	for _, cause := range refund.Causes() {
		causes[string(cause)] = true
	}
	for _, set := range []struct {
		schema string
		name   func(word string) string
		size   int
	}{
		{"RefundState", func(w string) string { return refund.State(w).Chinese() }, len(refund.LineMoves)},
		{"BatchState", refund.BatchStateName, len(refund.BatchMoves)},
		{"DispositionState", func(w string) string { return dispositionStates[w] }, len(refund.DispositionMoves)},
		{"PayeeChangeState", func(w string) string { return refund.ChangeStates[w] }, len(refund.ChangeMoves)},
		{"Cause", func(w string) string {
			if !causes[w] {
				return ""
			}
			return refund.Cause(w).Chinese()
		}, len(causes)},
	} {
		words := document().Components.Schemas[set.schema].Value.Enum
		for _, word := range words {
			if set.name(word.(string)) == "" {
				t.Errorf("the document's %s %s is none or has no name", set.schema, word)
			}
		}
		if len(words) != set.size {
			t.Errorf("%d of %s are documented, there are %d", len(words), set.schema, set.size)
		}
	}
}

// And those of the emergency plan, each with its name.
func TestDocumentedIncidentSets(t *testing.T) {
	for _, set := range []struct {
		schema string
		name   func(word string) string
		size   int
	}{
		{"IncidentState", func(w string) string { return incident.State(w).Chinese() }, len(incident.Moves)},
		{"IncidentAct", func(w string) string { return incident.Act(w).Chinese() }, len(incident.Acts())},
		{"IncidentStepWord", incident.StepStateName, len(incident.StepMoves)},
		{"IncidentActionState", incident.ActionStateName, len(incident.ActionMoves)},
		{"FaultSide", func(w string) string { return incident.Side(w).Chinese() }, 5},
		{"EntryKind", func(w string) string { return incident.EntryKind(w).Chinese() }, len(incident.EntryKinds())},
	} {
		words := document().Components.Schemas[set.schema].Value.Enum
		for _, word := range words {
			if set.name(word.(string)) == "" {
				t.Errorf("the document's %s %s is none or has no name", set.schema, word)
			}
		}
		if len(words) != set.size {
			t.Errorf("%d of %s are documented, there are %d", len(words), set.schema, set.size)
		}
	}
}

// A route without a known role does not start: the default is no.
func TestRoutesNeedRoles(t *testing.T) {
	good := Route{Method: "GET", Path: "/x", Roles: []Role{Public}, Handle: func(*gin.Context) error { return nil }, Within: shortly}
	if err := checkRoutes([]Route{good}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Route){
		"no role":      func(r *Route) { r.Roles = nil },
		"unknown role": func(r *Route) { r.Roles = []Role{"king"} },
		"no handler":   func(r *Route) { r.Handle = nil },
		"no time":      func(r *Route) { r.Within = 0 },
	} {
		bad := good
		spoil(&bad)
		if checkRoutes([]Route{good, bad}) == nil {
			t.Errorf("%s: started", name)
		}
		if _, err := (&server{}).mount([]Route{bad}); err == nil {
			t.Errorf("%s: mounted", name)
		}
	}
}

// The harness proves itself: an answer against the document is noticed.
func TestHoldNotices(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		request, _ := http.NewRequest(http.MethodGet, "/version", nil)
		got := h.play(request)
		got.Body.Reset()
		got.Body.WriteString(`{"version":7}`)
		if hold(request, nil, got) == nil {
			t.Error("a version that is a number went unnoticed")
		}
	})
}
