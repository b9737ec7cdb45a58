package refund

import (
	"maps"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// What a limit depends on: who the payer is, and the days of the present round's events and of his own bid's.
func TestSituation(t *testing.T) {
	const ours, theirs = sqldb.ID(1), sqldb.ID(2)
	type days = map[Event]deposit.Day
	on := func(day deposit.Day, kind platform.EventKind, bid sqldb.ID) platform.Happening {
		return platform.Happening{Kind: kind, BidID: bid, At: day.Start()}
	}
	for name, c := range map[string]struct {
		cause    Cause
		happened []platform.Happening
		party    Party
		want     days
	}{
		"nothing has happened":        {Lost, nil, Loser, days{}},
		"the opening starts no clock": {Lost, []platform.Happening{on("2026-06-12", platform.EventOpened, 0)}, Loser, days{}},
		"a loser, from the award":     {Lost, []platform.Happening{on("2026-06-13", platform.EventAwardNotice, theirs)}, Loser, days{AtAward: "2026-06-13"}},
		"an award twice: the later":   {Lost, []platform.Happening{on("2026-06-13", platform.EventAwardNotice, theirs), on("2026-06-15", platform.EventAwardNotice, theirs)}, Loser, days{AtAward: "2026-06-15"}},
		"the winner, from the contract": {Won, []platform.Happening{on("2026-06-13", platform.EventAwardNotice, ours), on("2026-06-20", platform.EventContractSigned, ours)}, Winner,
			days{AtAward: "2026-06-13", AtContract: "2026-06-20"}},
		"an award of an earlier round": {Lost, []platform.Happening{on("2026-06-13", platform.EventAwardNotice, theirs), on("2026-06-14", platform.EventRetendered, 0)}, Loser, days{}},
		"failed":                       {LotFailed, []platform.Happening{on("2026-06-13", platform.EventFailed, 0)}, Loser, days{AtFailure: "2026-06-13"}},
		"terminated":                   {LotEnded, []platform.Happening{on("2026-06-13", platform.EventTerminated, 0)}, Loser, days{AtTermination: "2026-06-13"}},
		"his own bid withdrawn":        {BidWithdrawn, []platform.Happening{on("2026-06-11", platform.EventBidWithdrawn, ours)}, Withdrawn, days{AtWithdrawal: "2026-06-11"}},
		"another's bid withdrawn":      {BidWithdrawn, []platform.Happening{on("2026-06-11", platform.EventBidWithdrawn, theirs)}, Withdrawn, days{}},
		"no deposit, from the verdict": {Cause(reconcile.LateCredit), []platform.Happening{on("2026-06-13", platform.EventAwardNotice, theirs)}, Payer, days{AtAward: "2026-06-13", AtFinding: "2026-06-12"}},
		"what was paid too much":       {Cause(reconcile.Overpaid), nil, Payer, days{AtFinding: "2026-06-12"}},
	} {
		r := &reconcile.Receipt{Lot: platform.Lot{Department: "建设工程科"}, Bid: platform.Bid{ID: ours}, JudgedAt: deposit.Day("2026-06-12").Start()}
		got := situationOf(r, Ground{Cause: c.cause}, c.happened, "2026-06-30")
		if got.Department != "建设工程科" || got.Today != "2026-06-30" || got.Party != c.party || !maps.Equal(got.Happened, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
