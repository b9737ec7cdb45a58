package reconcile_test

import (
	"sync"
	"testing"
	"time"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/reconcile"
)

// TestBeat: a gap between two signs of life is an outage, noted once however many replicas find it, with its cause; the clock
// going back is none.
func TestBeat(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		now := wall("2026-06-12 09:00:00")
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		beat := func(after time.Duration, failed, stopping bool) *reconcile.Outage {
			t.Helper()
			now = now.Add(after)
			found, err := reconcile.Beat(t.Context(), db, "test", failed, stopping)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		for _, c := range []struct {
			after            time.Duration
			failed, stopping bool
			want             reconcile.OutageCause
		}{
			{0, false, false, ""},
			{reconcile.DeafAfter, false, false, ""},
			{reconcile.DeafAfter + time.Millisecond, false, false, reconcile.HasDied},
			{2 * time.Minute, true, false, reconcile.LostDatabase},
			{reconcile.BeatEvery, false, true, ""},
			{time.Hour, false, false, reconcile.WasStopped},
			{-time.Hour, false, false, ""},
		} {
			found := beat(c.after, c.failed, c.stopping)
			if (found == nil) != (c.want == "") || found != nil && (found.Cause != c.want || found.Lasted() != c.after) {
				t.Errorf("after %s: %+v, want %q", c.after, found, c.want)
			}
		}
		now = now.Add(3 * time.Hour)
		var found [4]*reconcile.Outage
		var all sync.WaitGroup
		for i := range found {
			all.Go(func() { found[i], _ = reconcile.Beat(t.Context(), db, "test", false, false) })
		}
		all.Wait()
		noted := 0
		for _, o := range found {
			if o != nil {
				noted++
			}
		}
		since, err := reconcile.OutagesSince(t.Context(), db, wall("2026-06-12 09:00:00"))
		if err != nil || noted != 1 || len(since) != 4 {
			t.Errorf("%d replicas noted it, %d outages; %v", noted, len(since), err)
		}
	})
}
