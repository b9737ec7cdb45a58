package incident_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform/incident"
)

func TestEvidence(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		i := h.report("4.6.3")
		attach := func(e incident.Evidence) (incident.Exhibit, error) {
			return h.Attach(ctx, "王会计", "general_dept", i.ID, e)
		}
		scan := bytes.Repeat([]byte{0xFF, 0}, 100)
		kept, err := attach(incident.Evidence{Step: "4.6.3/2/2.1", Kind: incident.AsFile, Name: "银行回单.pdf", MediaType: "application/pdf", Content: scan})
		h.ok(err)
		if again, err := attach(incident.Evidence{Step: "4.6.3/2/2.1", Kind: incident.AsFile, Name: "银行回单.pdf", MediaType: "application/pdf", Content: scan}); err != nil || again.ID != kept.ID {
			t.Errorf("sent again it is %s, %v", again.ID, err)
		}
		x, body, err := incident.Content(ctx, h.db, i.ID, kept.ID)
		if h.ok(err); !bytes.Equal(body, scan) || x.Name != "银行回单.pdf" || x.Size != 200 {
			t.Errorf("the file is %+v", x)
		}
		_, err = attach(incident.Evidence{Kind: incident.AsText, Text: "银行称 14:00 前处理"})
		h.ok(err)
		for code, bad := range map[string]incident.Evidence{
			"file_size": {Kind: incident.AsFile, Name: "x", Content: make([]byte, incident.MostFile+1)}, "name_missing": {Kind: incident.AsFile, Content: scan}, "text_missing": {Kind: incident.AsText},
			"numbers_missing": {Kind: incident.AsNumbers}, "kind_unknown": {Kind: "SONG"}, "step_unknown": {Step: "4.6.1/1/1.1", Kind: incident.AsText, Text: "x"},
		} {
			_, err := attach(bad)
			h.refused(code, err)
		}
		_, _, err = incident.Content(ctx, h.db, i.ID, 7)
		h.refused("evidence_unknown", err)
		h.sign(i, incident.Dismiss, "it_dept_head")
		_, err = attach(incident.Evidence{Kind: incident.AsText, Text: "太晚"})
		h.refused("incident_closed", err)
	})
}

// Of two who sign at once the second finds the first: the act is done, and nobody is lost.
func TestTwoSignAtOnce(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		for range 10 {
			i := h.sign(h.in(incident.Reported), incident.Grade, "it_dept_head")
			var both sync.WaitGroup
			failed := make([]error, 2)
			for n, office := range []string{"it_dept_head", "working_group"} {
				both.Go(func() {
					_, failed[n] = h.Declare(ctx, office, incident.Declaration{Incident: i.ID, Version: i.Version, Act: incident.Confirm, Office: office, Text: "同意"})
				})
			}
			both.Wait()
			if got := h.read(i.ID); got.State != incident.Confirmed || errors.Join(failed...) != nil {
				t.Fatalf("both have signed, and it is %s (%v)", got.State, failed)
			}
		}
	})
}

// Of detectors on several replicas that see the same at once one opens the incident.
func TestSeenAtOnce(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		other := incident.NewDesk(h.again(), h.Plan(), incident.ByBoth)
		var all sync.WaitGroup
		opened := make([]int, 8)
		for n := range opened {
			desk := h.Desk
			if n%2 == 1 {
				desk = other
			}
			all.Go(func() {
				fresh, err := desk.Observe(ctx, "watch", []incident.Sign{exhausted(night), failedBatch("PC-1")})
				if err != nil {
					t.Error(err)
				}
				opened[n] = len(fresh)
			})
		}
		all.Wait()
		page, _, err := h.List(ctx, incident.Query{})
		h.ok(err)
		sum := 0
		for _, n := range opened {
			sum += n
		}
		if len(page) != 2 || sum != 2 {
			t.Errorf("%d incidents were opened, %d stand", sum, len(page))
		}
	})
}

// What has joined undoes the change by its error, and the number is free again.
func TestJoinedFailureUndoes(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		broken := errors.New("the queue is full")
		desk := incident.NewDesk(h.db, h.Plan(), incident.ByBoth)
		desk.Join(func(_ context.Context, _ *sqldb.Tx, _ incident.Change) error { return broken })
		if _, err := desk.Report(ctx, "值班员", incident.Order{Scenario: "5.1.1", Title: "中断", Source: incident.FromPerson}); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		if i := h.report("5.1.1"); i.Number != "YJ-2026-0001" {
			t.Errorf("the next is %s", i.Number)
		}
	})
}
