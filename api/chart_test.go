package api

import "testing"

// Steps of the axis are 1, 2 and 5 of a power of ten, and columns stand within the picture.
func TestChart(t *testing.T) {
	for raw, want := range map[float64]float64{0: 1, 0.4: 1, 1: 1, 1.2: 2, 2.1: 5, 6: 10, 21: 50, 180: 200} {
		if got := niceStep(raw); got != want {
			t.Errorf("a step for %v is %v", raw, got)
		}
	}
	c := newChart("x", "2026-06-30")
	c.stack("2026-06-30", "甲", 7)
	c.stack("2026-06-30", "乙", 5)
	c.stack("2026-05-31", "甲", 900) // before the first day
	c.stack("2026-06-01", "甲", 0)
	drawn := c.drawn()
	if len(drawn.Bars) != 2 || drawn.Empty || len(drawn.Legend) != 2 {
		t.Fatalf("%+v", drawn)
	}
	for _, b := range drawn.Bars {
		if b.X < chartLeft || b.X+b.W > chartWidth || b.Y < chartTop-0.1 || b.Y+b.H > chartTop+chartTall+0.1 || b.H <= 0 {
			t.Errorf("a column outside: %+v", b)
		}
	}
	if empty := newChart("x", "2026-06-30").drawn(); !empty.Empty {
		t.Error("nothing is something")
	}
}
