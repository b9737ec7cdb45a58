package refund_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

const ours, theirs = sqldb.ID(1), sqldb.ID(2) // bids

// happened is a lot's history: its kinds, each with the bid it names.
func happened(steps ...any) (all []platform.Happening) {
	at := wall("2026-06-12 09:00:00")
	for i := 0; i < len(steps); i += 2 {
		bid, _ := steps[i+1].(sqldb.ID)
		all = append(all, platform.Happening{Kind: steps[i].(platform.EventKind), At: at.Add(time.Duration(i) * time.Hour), BidID: bid})
	}
	return all
}

// Why money goes back, and how much of it: each verdict, each end of a lot, the winner known or not.
func TestGrounds(t *testing.T) {
	award, signed := platform.EventAwardNotice, platform.EventContractSigned
	for _, c := range []struct {
		verdict reconcile.Code
		amount  string
		counted string
		lot     platform.LotState
		bid     platform.BidState
		events  []platform.Happening
		want    string
	}{
		{reconcile.Matched, "800", "800", platform.LotAnnounced, platform.BidLive, nil, ""},
		{reconcile.Matched, "800", "800", platform.LotOpened, platform.BidLive, happened(platform.EventOpened, 0), ""},
		{reconcile.Matched, "800", "800", platform.LotOpened, platform.BidRevoked, happened(platform.EventOpened, 0), ""},
		{reconcile.Matched, "800", "800", platform.LotAnnounced, platform.BidWithdrawn, happened(platform.EventBidWithdrawn, ours), "BID_WITHDRAWN 800.00"},
		{reconcile.Matched, "800", "800", platform.LotFailed, platform.BidLive, happened(platform.EventFailed, 0), "LOT_FAILED 800.00"},
		{reconcile.Matched, "800", "800", platform.LotTerminated, platform.BidLive, happened(platform.EventTerminated, 0), "LOT_TERMINATED 800.00"},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, theirs), "LOST 800.00"},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidRevoked, happened(award, theirs), "LOST 800.00"},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, ours), ""},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, 0), ""},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, theirs, award, ours), ""},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, theirs, award, 0), ""},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, ours, platform.EventRetendered, 0, award, theirs), "LOST 800.00"},
		{reconcile.Matched, "800", "800", platform.LotAwarded, platform.BidLive, happened(award, theirs, platform.EventRetendered, 0, award, 0), ""},
		{reconcile.Matched, "800", "800", platform.LotAnnounced, platform.BidLive, happened(award, theirs, platform.EventRetendered, 0), ""},
		{reconcile.Matched, "800", "800", platform.LotSigned, platform.BidLive, happened(award, ours, signed, 0), "WON 800.00"},
		{reconcile.Matched, "800", "800", platform.LotSigned, platform.BidLive, happened(award, ours, signed, theirs), "LOST 800.00"},
		{reconcile.Matched, "800", "800", platform.LotSigned, platform.BidLive, happened(signed, 0), "LOST 800.00"},
		{reconcile.Overpaid, "900", "800", platform.LotOpened, platform.BidLive, nil, "OVERPAID 100.00"},
		{reconcile.Overpaid, "900", "800", platform.LotAwarded, platform.BidLive, happened(award, theirs), "OVERPAID 100.00; LOST 800.00"},
		{reconcile.Overpaid, "900", "800", platform.LotAwarded, platform.BidLive, happened(award, ours), "OVERPAID 100.00"},
		{reconcile.PaidToParent, "800", "0", "", "", nil, "PAID_TO_PARENT 800.00"},
		{reconcile.UnknownSubAccount, "800", "0", "", "", nil, "UNKNOWN_SUB_ACCOUNT 800.00"},
		{reconcile.WrongSubAccount, "800", "0", platform.LotOpened, platform.BidLive, nil, "WRONG_SUB_ACCOUNT 800.00"},
		{reconcile.ThirdPartyPayer, "800", "0", platform.LotOpened, platform.BidLive, nil, "THIRD_PARTY_PAYER 800.00"},
		{reconcile.LateCredit, "800", "0", platform.LotOpened, platform.BidLive, nil, "LATE_CREDIT 800.00"},
		{reconcile.NotBasicAccount, "800", "0", platform.LotOpened, platform.BidLive, nil, "NOT_BASIC_ACCOUNT 800.00"},
		{reconcile.Underpaid, "700", "0", platform.LotOpened, platform.BidLive, nil, "UNDERPAID 700.00"},
		{reconcile.DuplicatePayment, "800", "0", platform.LotAwarded, platform.BidLive, happened(award, ours), "DUPLICATE_PAYMENT 800.00"},
		{reconcile.Reversed, "800", "0", platform.LotAwarded, platform.BidLive, happened(award, theirs), ""},
		{reconcile.ReturnedRefund, "800", "0", "", "", nil, ""},
		{reconcile.AdviceConflict, "800", "0", platform.LotAwarded, platform.BidLive, happened(award, theirs), ""},
		{reconcile.AdviceOrphan, "800", "0", platform.LotAwarded, platform.BidLive, happened(award, theirs), ""},
		{"", "800", "0", platform.LotAwarded, platform.BidLive, happened(award, theirs), ""},
	} {
		counted, err := deposit.ParseBalance(c.counted)
		if err != nil {
			t.Fatal(err)
		}
		r := &reconcile.Receipt{Entry: bank.Entry{Amount: yuan(c.amount), BookedAt: wall("2026-06-10 09:00:00")}, Verdict: c.verdict, Counted: counted,
			Lot: platform.Lot{State: c.lot}, Bid: platform.Bid{ID: ours, State: c.bid}}
		got := ""
		for i, g := range refund.Grounds(r, c.events) {
			if i > 0 {
				got += "; "
			}
			got += fmt.Sprint(g.Cause, " ", g.Most)
			if g.At.IsZero() {
				t.Errorf("%s on %s: it is not told since when", g.Cause, c.lot)
			}
		}
		if got != c.want {
			t.Errorf("%s, lot %s, bid %s, %v: %q, want %q", c.verdict, c.lot, c.bid, c.events, got, c.want)
		}
	}
}

// Every verdict there is has its row in TestGrounds; a new one has to be thought of.
func TestVerdictsAreThoughtOf(t *testing.T) {
	known := []reconcile.Code{reconcile.Matched, reconcile.Overpaid, reconcile.PaidToParent, reconcile.UnknownSubAccount, reconcile.WrongSubAccount, reconcile.ThirdPartyPayer,
		reconcile.LateCredit, reconcile.NotBasicAccount, reconcile.Underpaid, reconcile.DuplicatePayment, reconcile.Reversed, reconcile.ReturnedRefund}
	for _, code := range reconcile.Codes() {
		if code.Refundable() && !slices.Contains(known, code) {
			t.Errorf("nothing says what becomes of %s", code)
		}
	}
}
