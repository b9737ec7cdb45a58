package platform

import (
	"errors"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// leased gives a bid of the lot a number of the pool, and tells it.
func (h house) leased(lot, bidder string) (Bid, string) {
	h.Helper()
	bid := h.bidder(lot, bidder)
	subAccount := h.ask(bid)
	if subAccount == "" {
		h.Fatal("the pool is empty")
	}
	return bid, subAccount
}

// What happens to a lot and its bids makes their numbers drain, and only theirs.
func TestDraining(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load(series("9", 40)...)
		for _, c := range []struct {
			name string
			kind EventKind
			lot  LotState
			want NumberState
		}{
			{"opened", EventOpened, LotAnnounced, NumberLeased},
			{"awarded: the deposits stay until the contract", EventAwardNotice, LotOpened, NumberLeased},
			{"signed", EventContractSigned, LotAwarded, NumberDraining},
			{"failed", EventFailed, LotAnnounced, NumberDraining},
			{"failed after the award", EventFailed, LotAwarded, NumberDraining},
			{"terminated", EventTerminated, LotAnnounced, NumberDraining},
			{"postponed", EventOpeningMoved, LotAnnounced, NumberLeased},
			{"withdrawn", EventBidWithdrawn, LotAnnounced, NumberDraining},
			{"revoked", EventBidRevoked, LotAnnounced, NumberDraining},
		} {
			lot, bid := h.stand(c.name, LotAnnounced, BidLive)
			number, other := h.ask(bid), h.ask(h.bidder(lot.Number, "另一家"))
			sqldbExec(h, "UPDATE lots SET state = '"+string(c.lot)+"' WHERE number = '"+lot.Number+"'")
			h.record(event("E-"+c.name, c.kind, lot.Number))
			h.wantState(number, c.want)
			if eventKinds[c.kind].bidder == '!' {
				h.wantState(other, NumberLeased)
			} else {
				h.wantState(other, c.want)
			}
			leases, err := LeasesOn(ctx, h.db, poolBank, number)
			if err != nil || len(leases) != 1 || !leases[0].To.Equal(sqldb.Forever) {
				h.Errorf("%s: the lease became %+v, %v", c.name, leases, err)
			}
		}
		n, err := h.desk.DrainDue(ctx, "test")
		if err != nil || n != 0 {
			h.Errorf("%d more were to drain, %v", n, err)
		}
	})
}

// A lot that is announced again before its numbers were released has them back; those of withdrawn bids it has not, and a
// bid whose number was released gets another one.
func TestAnnouncedAgain(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load(series("9", 4)...)
		h.putLot(lotA)
		_, kept := h.leased(lotA.Number, "海岳")
		loser, lost := h.leased(lotA.Number, "明湖")
		_, gone := h.leased(lotA.Number, "东昌")
		withdrawn := event("W", EventBidWithdrawn, lotA.Number)
		withdrawn.Bidder = "东昌"
		h.record(withdrawn)
		h.record(event("F", EventFailed, lotA.Number))
		h.release(lost)
		h.record(event("R", EventRetendered, lotA.Number))
		h.wantState(kept, NumberLeased)
		h.wantState(gone, NumberDraining)
		h.wantState(lost, NumberQuarantined)
		if got := h.ask(loser); got == "" || got == lost {
			h.Errorf("got %q after %q was released", got, lost)
		}
	})
}

// A number that was given out while its lot was finished elsewhere is found.
func TestDrainDueFindsWhatEventsMissed(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load(series("9", 2)...)
		h.putLot(lotA)
		_, a := h.leased(lotA.Number, "海岳")
		sqldbExec(h, "UPDATE lots SET state = 'FAILED'")
		if n, err := h.desk.DrainDue(ctx, "test"); err != nil || n != 1 {
			h.Errorf("%d drained, %v", n, err)
		}
		h.wantState(a, NumberDraining)
	})
}

// A number is released only when its money is gone, the bank has confirmed and nobody holds it; never without a quarantine.
func TestRelease(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load("9001")
		h.putLot(lotA)
		_, number := h.leased(lotA.Number, "海岳")
		h.pass(36*time.Hour + 300*time.Millisecond)
		h.record(event("E", EventTerminated, lotA.Number))
		h.untouch()
		stuck, err := Stuck(ctx, h.db)
		if err != nil || len(stuck) != 1 || stuck[0].SubAccount != number || !stuck[0].Since.Equal(h.db.Now()) || stuck[0].Holds != 0 || stuck[0].Parent != poolParent {
			h.Errorf("stuck %+v %v", stuck, err)
		}
		const refund HoldReason = "REFUND"
		hold := func(ref sqldb.ID) {
			if err := h.write(func(tx *sqldb.Tx) error { return HoldNumber(ctx, tx, poolBank, number, refund, ref) }); err != nil {
				h.Error(err)
			}
		}
		unhold := func(ref sqldb.ID) {
			if err := h.write(func(tx *sqldb.Tx) error { return UnholdNumber(ctx, tx, poolBank, number, refund, ref) }); err != nil {
				h.Error(err)
			}
		}
		good := ReleaseOrder{poolBank, number, 0, true, Quarantine}
		refused := func(alter func(*ReleaseOrder), kind deposit.Kind, code, field string) {
			h.Helper()
			o, before := good, h.written()
			alter(&o)
			wantRefused(h.T, h.tryRelease(o), kind, code, field)
			if h.written() != before {
				h.Errorf("%s: something was written", code)
			}
		}
		refused(func(o *ReleaseOrder) { o.Balance = 1 }, deposit.Conflict, "balance_not_zero", "sub_account")
		refused(func(o *ReleaseOrder) { o.Balance = -1 }, deposit.Conflict, "balance_not_zero", "sub_account")
		refused(func(o *ReleaseOrder) { o.BankConfirmed = false }, deposit.Conflict, "bank_unconfirmed", "sub_account")
		refused(func(o *ReleaseOrder) { o.Quarantine = 0 }, deposit.Invalid, "quarantine_too_short", "quarantine")
		refused(func(o *ReleaseOrder) { o.Quarantine = LeastQuarantine - 1 }, deposit.Invalid, "quarantine_too_short", "quarantine")
		refused(func(o *ReleaseOrder) { o.SubAccount = "9999" }, deposit.NotFound, "number_unknown", "sub_account")
		hold(1)
		hold(2)
		hold(2)
		refused(func(*ReleaseOrder) {}, deposit.Conflict, "number_held", "sub_account")
		if stuck, _ := Stuck(ctx, h.db); len(stuck) != 1 || stuck[0].Holds != 2 {
			h.Errorf("stuck %+v", stuck)
		}
		unhold(1)
		refused(func(*ReleaseOrder) {}, deposit.Conflict, "number_held", "sub_account")
		unhold(2)
		unhold(2)
		h.release(number)
		refused(func(*ReleaseOrder) {}, deposit.Conflict, "state_forbids", "sub_account")

		end := at("2026-06-12 00:00:01") // of the second in which it was released
		n := h.numberOf(number)
		leases, err := LeasesOn(ctx, h.db, poolBank, number)
		if err != nil || len(leases) != 1 || !leases[0].To.Equal(end) || !n.QuarantinedUntil.Equal(end.Add(Quarantine)) || n.LeaseID != leases[0].ID {
			h.Errorf("released as %+v, %+v %v", n, leases, err)
		}
		h.wantTouched("9001/海岳")
		if stuck, _ := Stuck(ctx, h.db); len(stuck) != 0 {
			h.Errorf("stuck %+v", stuck)
		}
		hold(3) // late money that is being paid back
		*h.now = n.QuarantinedUntil
		if h.free() != 0 {
			h.Error("became free while it was held")
		}
		unhold(3)
		h.pass(-time.Millisecond)
		if h.free() != 0 {
			h.Error("became free before its quarantine was over")
		}
		h.pass(time.Millisecond)
		if h.free() != 1 || h.free() != 0 {
			h.Error("did not become free, or twice")
		}
		h.wantState(number, NumberFree)
	})
}

// A hold that comes while somebody releases the number is not overlooked.
func TestHoldAndReleaseMeet(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load("9001")
		h.putLot(lotA)
		_, number := h.leased(lotA.Number, "海岳")
		n := h.numberOf(number)
		if err := h.write(func(tx *sqldb.Tx) error { return HoldNumber(ctx, tx, poolBank, number, "REFUND", 1) }); err != nil {
			h.Fatal(err)
		}
		err := h.write(func(tx *sqldb.Tx) error {
			_, err := n.step(ctx, tx, actDrain, "")
			return err
		})
		if !errors.Is(err, sqldb.ErrStale) {
			h.Errorf("a step from before the hold: %v", err)
		}
		if err := h.write(func(tx *sqldb.Tx) error { return HoldNumber(ctx, tx, poolBank, "no number of ours", "REFUND", 1) }); err != nil {
			h.Error(err)
		}
	})
}

// Late money begins the quarantine again, from whichever state it finds, and never makes it shorter.
func TestLateMoney(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load("9001")
		h.putLot(lotA)
		_, number := h.leased(lotA.Number, "海岳")
		h.record(event("E", EventTerminated, lotA.Number))
		h.release(number)
		late := func(quarantine time.Duration, want bool) {
			h.Helper()
			err := h.write(func(tx *sqldb.Tx) error {
				restarted, err := RestartQuarantine(ctx, tx, poolBank, number, quarantine)
				if err == nil && restarted != want {
					h.Errorf("restarted=%v, want %v", restarted, want)
				}
				return err
			})
			if err != nil {
				h.Error(err)
			}
		}
		until := h.numberOf(number).QuarantinedUntil
		late(LeastQuarantine, false)
		if n := h.numberOf(number); !n.QuarantinedUntil.Equal(until) {
			h.Errorf("the quarantine became %v", n.QuarantinedUntil)
		}
		h.pass(30 * 24 * time.Hour)
		late(Quarantine, true)
		if n := h.numberOf(number); !n.QuarantinedUntil.Equal(h.now.Add(Quarantine)) {
			h.Errorf("the quarantine became %v", n.QuarantinedUntil)
		}
		h.pass(Quarantine)
		h.free()
		h.wantState(number, NumberFree)
		late(LeastQuarantine, true)
		h.wantState(number, NumberQuarantined)
		if barred, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM leases l JOIN numbers n ON n.lease_id = l.id WHERE l.barred_until = n.quarantined_until"); err != nil || barred != 1 {
			h.Errorf("the lease does not know how long its number is barred: %v", err)
		}
		h.putLot(LotOrder{Number: "B", Department: "建设工程科", Deposit: 1, OpensAt: at("2027-06-12 09:00:00")})
		next := h.bidder("B", "明湖")
		if got := h.ask(next); got != "" {
			h.Errorf("a quarantined number was given out: %q", got)
		}
		h.pass(LeastQuarantine)
		if h.free() != 1 || h.ask(next) != number {
			h.Error("it did not come back")
		}
		late(Quarantine, false)
		h.wantState(number, NumberLeased)
		err := h.write(func(tx *sqldb.Tx) error {
			_, err := RestartQuarantine(ctx, tx, poolBank, number, 0)
			return err
		})
		wantRefused(h.T, err, deposit.Invalid, "quarantine_too_short", "quarantine")
	})
}

// Where the clock of the replica that gives the number out is behind, the lease still does not begin in the quarantine.
func TestLeaseBeginsAfterTheQuarantineByAnyClock(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load("9001")
		h.putLot(lotA)
		_, number := h.leased(lotA.Number, "海岳")
		h.record(event("E", EventTerminated, lotA.Number))
		h.release(number)
		until := h.numberOf(number).QuarantinedUntil
		if _, err := h.desk.FreeDue(ctx, "test", until); err != nil { // the clock stands where it stood
			h.Fatal(err)
		}
		h.putLot(LotOrder{Number: "B", Department: "建设工程科", Deposit: 1, OpensAt: at("2027-06-12 09:00:00")})
		h.leased("B", "明湖")
		leases, err := LeasesOn(ctx, h.db, poolBank, number)
		if err != nil || len(leases) != 2 || !leases[1].From.Equal(until) || h.overlapping() != 0 {
			h.Errorf("leases %+v %v", leases, err)
		}
	})
}
