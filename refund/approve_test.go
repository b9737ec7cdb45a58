package refund_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/refund"
)

// What three persons sign is what goes out: who signs, what, when, and what an edit leaves of it.
func TestApprovals(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		keys := h.submitted("R1", orders(h.ready(2)...)...)
		made, err := h.refund.Compose(ctx, "乙", keys)
		h.must(err)
		b := made[0]
		_, err = h.refund.Release(ctx, "丁", signed(b))
		refused(t, err, "state_forbids")
		_, err = h.refund.Check(ctx, "乙", signed(b))
		refused(t, err, "same_person")
		for code, change := range map[string]func(s *refund.Signature){
			"totals_differ":  func(s *refund.Signature) { s.Count++ },
			"totals_differ ": func(s *refund.Signature) { s.Total++ },
			"batch_changed":  func(s *refund.Signature) { s.Digest = "x" },
			"batch_changed ": func(s *refund.Signature) { s.Version++ },
		} {
			s := signed(b)
			change(&s)
			_, err := h.refund.Check(ctx, "丙", s)
			refused(t, err, code[:13])
		}
		b, err = h.refund.Check(ctx, "丙", signed(b))
		h.must(err)
		for _, by := range []string{"乙", "丙"} {
			_, err = h.refund.Release(ctx, by, signed(b))
			refused(t, err, "same_person")
		}
		*h.now = h.now.Add(24*time.Hour + time.Millisecond)
		_, err = h.refund.Release(ctx, "丁", signed(b))
		refused(t, err, "check_lapsed")

		b, err = h.refund.TakeOut(ctx, "乙", b.ID, b.Version, keys[:1], "金额待核", false)
		h.must(err)
		if b.State != refund.Submitted || b.Count != 1 || b.Total != yuan("800000.00") || h.only(b).State != refund.Draft {
			t.Errorf("after an edit: %+v, its line %s", b, h.only(b).State)
		}
		b, err = h.refund.Check(ctx, "丙", signed(b))
		h.must(err)
		before := b
		b, err = h.refund.Release(ctx, "丁", signed(b))
		h.must(err)
		_, err = h.refund.Release(ctx, "丁", signed(before))
		refused(t, err, "state_forbids")
		if n := h.sent(); n != 1 || h.pays.PaidSum() != yuan("800000.00") {
			t.Errorf("%d messages, %s", n, h.pays.PaidSum())
		}
		_, err = h.refund.TakeOut(ctx, "乙", b.ID, b.Version, []sqldb.ID{h.only(b).ID}, "撤回", true)
		refused(t, err, "line_sent")
	})
}

// A stranger's hand on a line is seen by whoever signs next.
func TestDigestIsOfTheLines(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		made, err := h.refund.Compose(ctx, "乙", h.submitted("R1", orders(h.ready(1)...)...))
		h.must(err)
		h.write(func(tx *sqldb.Tx) error {
			l := h.only(made[0])
			l.PayeeAccount = "62"
			return l.Write(ctx, tx)
		})
		if _, err := h.refund.Check(ctx, "丙", signed(made[0])); err == nil {
			t.Error("it is signed")
		}
	})
}

// A batch is one account's, of five hundred lines and a limit at most, and no line is in two.
func TestBatches(t *testing.T) {
	sqldbtest.Unwatched(t)
	h := fresh(t)
	ctx := context.Background()
	limits := refund.DefaultLimits
	limits.Batch = yuan("480000000.00") // six hundred lines
	h.limit(limits)
	credits := h.ready(1003)
	keys := h.submitted("R1", orders(credits...)...)
	counts := func(made []refund.Batch) (all []int) {
		for _, b := range made {
			all = append(all, b.Count)
		}
		return all
	}
	made, err := h.refund.Compose(ctx, "乙", keys[:1001])
	if h.must(err); !slices.Equal(counts(made), []int{500, 500, 1}) {
		t.Errorf("batches of %v", counts(made))
	}
	_, err = h.refund.Compose(ctx, "乙", keys[1000:])
	refused(t, err, "lines_taken")
	limits.Batch = yuan("1500000.00")
	h.limit(limits)
	made, err = h.refund.Compose(ctx, "乙", keys[1001:])
	if h.must(err); !slices.Equal(counts(made), []int{1, 1}) {
		t.Errorf("under the limit, batches of %v", counts(made))
	}
	_, err = h.refund.Compose(ctx, "乙", nil)
	refused(t, err, "batch_empty")
}

// Sixteen who want the same money at once: no more of a credit is promised than came in.
func TestReservation(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		credits := h.ready(3)
		var promised [3]atomic.Int64
		var running sync.WaitGroup
		for writer := range 16 {
			running.Go(func() {
				for i, e := range credits {
					o := orders(e)[0]
					o.Amount = yuan("150000.00") // five times, with something left
					s, err := h.refund.Submit(ctx, "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: fmt.Sprint(writer, "-", i), Lines: []refund.Order{o}})
					switch {
					case err == nil && len(s.Faults) == 0:
						promised[i].Add(int64(o.Amount))
					case err != nil && !deposit.IsKind(err, deposit.Conflict) && !errors.Is(err, sqldb.ErrStale) && !errors.Is(err, sqldb.ErrTaken):
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		for i := range promised {
			if fen := deposit.Fen(promised[i].Load()); fen > yuan("800000.00") || fen == 0 {
				t.Errorf("%s of credit %d are promised", fen, i)
			}
		}
		h.sound()
	})
}
