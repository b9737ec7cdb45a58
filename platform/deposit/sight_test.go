package deposit_test

import (
	"testing"

	"depositd/platform/deposit"
)

func TestSight(t *testing.T) {
	for _, c := range []struct {
		name  string
		sight deposit.Sight
		own   bool // 建设工程科 is seen
		other bool // 政府采购科 is seen
		blind bool
	}{
		{"zero", deposit.Sight{}, false, false, true},
		{"of no department", deposit.SightOf(), false, false, true},
		{"of one", deposit.SightOf("建设工程科"), true, false, false},
		{"of two", deposit.SightOf("建设工程科", "政府采购科"), true, true, false},
		{"of all", deposit.SightOfAll(), true, true, false},
	} {
		if c.sight.Reaches("建设工程科") != c.own || c.sight.Reaches("政府采购科") != c.other || c.sight.Blind() != c.blind {
			t.Errorf("%s: %+v", c.name, c.sight)
		}
	}
}
