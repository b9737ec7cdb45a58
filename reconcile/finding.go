package reconcile

import (
	"context"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// FindingKind says what a finding is about; there is one finding of a kind on a subject.
type FindingKind string

// The kinds, and their subjects.
const (
	KindCredit   FindingKind = "CREDIT"   // an entry whose verdict is not plainly Matched
	KindBid      FindingKind = "BID"      // a bid without a deposit at opening
	KindPayer    FindingKind = "PAYER"    // a lot and an account from which several of its bidders were paid for
	KindMissing  FindingKind = "MISSING"  // an entry that was never pushed
	KindOrphan   FindingKind = "ORPHAN"   // an entry that was pushed and is not on the final statement
	KindConflict FindingKind = "CONFLICT" // an entry whose sightings contradict each other
	KindDelayed  FindingKind = "DELAYED"  // an entry that was pushed after the opening it was in time for
	KindBalance  FindingKind = "BALANCE"  // a statement whose figures do not hold together
	KindChain    FindingKind = "CHAIN"    // a statement that does not begin where the last one ended
	KindDebit    FindingKind = "DEBIT"    // a debit that no refund explains, or that contradicts one
	KindReturn   FindingKind = "RETURN"   // a credit that may be a refund come back
	KindRefund   FindingKind = "REFUND"   // a refund of which the bank says two things
	KindCheck    FindingKind = "CHECK"    // an invariant of the service that does not hold
	KindPool     FindingKind = "POOL"     // a pool and a code: the key is made of both
	KindNumber   FindingKind = "NUMBER"   // a number of a pool that is not released
	KindMessage  FindingKind = "MESSAGE"  // a message whose id came again with other bytes
	KindWord     FindingKind = "WORD"     // a number of which the bank says something else than we
)

// The states of a finding.
const (
	Open      = "OPEN"
	Explained = "EXPLAINED" // a person knows why; what follows is still to be done
	Settled   = "SETTLED"
	Cleared   = "CLEARED" // its cause is gone, as when a late notice has come; only the service says so
)

// FindingMoves is how a finding's state changes. Persons confirm what was found, explain, settle and reopen, with a note; the rest is the
// service's: it clears a finding whose cause is gone, and opens it again when the cause recurs or becomes another.
var FindingMoves = deposit.Machine{
	Open:      {"confirm": Explained, "explain": Explained, "settle": Settled, "clear": Cleared},
	Explained: {"settle": Settled, "reopen": Open, "clear": Cleared, "change": Open},
	Settled:   {"reopen": Open, "clear": Cleared, "change": Open},
	Cleared:   {"recur": Open},
}

// StateName is the Chinese name of a finding's state.
var StateName = map[string]string{Open: "待处理", Explained: "已说明", Settled: "已办结", Cleared: "已消除"}

// Finding is something a person has to look at.
type Finding struct {
	ID            sqldb.ID
	Kind          FindingKind
	Subject       sqldb.ID
	Code          Code
	Reasons       string // joined by ;
	Day           deposit.Day
	Bank          string
	ParentAccount string
	Amount        deposit.Fen
	LotID         sqldb.ID
	BidID         sqldb.ID
	SuggestedBid  sqldb.ID
	Department    string // who has to act
	Detail        string
	State         string
	Version       int64
	FoundAt       time.Time
	Owner         string // who sees to it; "" where nobody has taken it
}

var findings = sqldb.NewTable("findings", "id, kind, subject, code, reasons, day, bank, parent_account, amount, lot_id, bid_id, suggested_bid, department, sealed, state, version, found_at, owner",
	func(f *Finding) []any {
		return []any{&f.ID, &f.Kind, &f.Subject, &f.Code, &f.Reasons, &f.Day, &f.Bank, &f.ParentAccount, &f.Amount, &f.LotID, &f.BidID, &f.SuggestedBid,
			&f.Department, sealedDetail(&f.ID, &f.Detail), &f.State, &f.Version, sqldb.Wall(&f.FoundAt), &f.Owner}
	})

// sealedDetail is the column findings.sealed, as a field of a query; the finding's ID has to stand before it.
func sealedDetail(id *sqldb.ID, detail *string) any { return sqldb.Sealed("findings", id, detail) }

// findingsOn reads the findings of some kinds on the given subjects.
func findingsOn(ctx context.Context, r sqldb.Reader, subjects []sqldb.ID, kinds ...FindingKind) (all []Finding, err error) {
	wanted := make([]any, len(kinds))
	for i, k := range kinds {
		wanted[i] = k
	}
	err = sqldb.Chunks(subjects, func(in string, args []any) error {
		rows, err := findings.All(ctx, r, "WHERE kind IN "+sqldb.In(len(wanted))+" AND subject IN "+in, append(wanted[:len(wanted):len(wanted)], args...)...)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// KeepFindings makes the findings of a kind on the given subjects be exactly those wanted, for what is found outside this
// package: new ones are opened, those whose cause is gone cleared.
func KeepFindings(ctx context.Context, tx *sqldb.Tx, kind FindingKind, subjects []sqldb.ID, wanted []Finding) error {
	return keep(ctx, tx, kind, subjects, wanted)
}

// keep makes the findings on the given subjects be exactly those wanted: new ones are opened, changed ones changed and
// opened again, and those whose cause is gone cleared. subjects holds those of wanted and may hold more.
func keep(ctx context.Context, tx *sqldb.Tx, kind FindingKind, subjects []sqldb.ID, wanted []Finding) error {
	standing, err := findingsOn(ctx, tx, subjects, kind)
	if err != nil {
		return err
	}
	known := make(map[sqldb.ID]Finding, len(standing))
	for _, f := range standing {
		known[f.Subject] = f
	}
	var fresh []Finding
	for _, f := range wanted {
		old, there := known[f.Subject]
		delete(known, f.Subject)
		if there {
			if err := revise(ctx, tx, old, f); err != nil {
				return err
			}
			continue
		}
		f.ID, f.Kind, f.State, f.Version, f.FoundAt = tx.NewID(), kind, Open, 1, tx.Now
		fresh = append(fresh, f)
	}
	for _, f := range known {
		if f.State == Cleared {
			continue
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "findings", ID: f.ID, Version: f.Version, From: f.State, To: Cleared, Note: "原因已消除"}); err != nil {
			return err
		}
	}
	return findings.Insert(ctx, tx, fresh...)
}

// revise makes a finding say what is now the case, and opens it again if that is something new.
func revise(ctx context.Context, tx *sqldb.Tx, old, f Finding) error {
	if slices.Contains([]FindingKind{KindCheck, KindPool, KindNumber, KindWord, KindMessage}, old.Kind) {
		f.Day = old.Day // it belongs to the night in which it was found, the others to the day of their subject
	}
	same := old.Code == f.Code && old.Reasons == f.Reasons && old.Day == f.Day && old.SuggestedBid == f.SuggestedBid && old.BidID == f.BidID &&
		old.Amount == f.Amount && old.Detail == f.Detail
	if same && old.State != Cleared {
		return nil
	}
	f.ID = old.ID
	n, err := tx.Exec(ctx, "UPDATE findings SET code = ?, reasons = ?, day = ?, suggested_bid = ?, bid_id = ?, lot_id = ?, amount = ?, department = ?, sealed = ?, version = version + 1 "+
		"WHERE id = ? AND version = ?", f.Code, f.Reasons, f.Day, f.SuggestedBid, f.BidID, f.LotID, f.Amount, f.Department, sealedDetail(&f.ID, &f.Detail), old.ID, old.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return sqldb.ErrStale
	}
	note := "由 " + string(old.Code) + "（" + old.Reasons + "）变为 " + string(f.Code) + "（" + f.Reasons + "）"
	if old.State == Open {
		return tx.Note(ctx, "findings", old.ID, string(f.Code), note)
	}
	return tx.Move(ctx, sqldb.Move{Table: "findings", ID: old.ID, Version: old.Version + 1, From: old.State, To: Open, Note: note})
}

// personsActs are the steps that are people's.
var personsActs = []string{"confirm", "explain", "settle", "reopen"}

func actUnknown() error {
	return deposit.Refuse(deposit.Invalid, "act_unknown", "操作应为 confirm（确认）、explain（说明）、settle（办结）或 reopen（重新打开）")
}

// FindingMove is what a person does with a finding: confirm, explain, settle or reopen it, in the version that he has seen.
type FindingMove struct {
	ID      sqldb.ID
	Version int64
	Act     string
	Note    string
}

// MoveFinding lets a person confirm, explain, settle or reopen a finding that he may see, with a note. A contradiction that is
// settled sets its credit free: it is judged again, by the statement's amount if that is one of the two. An orphan is not:
// it counts when a statement has it.
func (d *Desk) MoveFinding(ctx context.Context, by string, eyes deposit.Sight, m FindingMove) error {
	if m.Note == "" {
		return noteRequired()
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		f, err := seenFinding(ctx, tx, eyes, m.ID)
		if err != nil {
			return err
		}
		if !slices.Contains(personsActs, m.Act) {
			return actUnknown()
		}
		next, err := FindingMoves.Next(f.State, m.Act)
		if err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "findings", ID: m.ID, Version: m.Version, From: f.State, To: next, Note: m.Note}); err != nil {
			return err
		}
		switch f.Kind {
		case KindConflict:
			return bank.Requeue(ctx, tx, f.Subject)
		case KindBalance, KindChain:
			return closeIfProved(ctx, tx, f.Bank, f.ParentAccount, f.Day)
		}
		return nil
	})
}

func unknownFinding() error {
	return deposit.Refuse(deposit.NotFound, "finding_unknown", "没有这条差异")
}

// seenFinding reads a finding that may be seen; NotFound "finding_unknown" where it is none or may not.
func seenFinding(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, id sqldb.ID) (Finding, error) {
	seen, args := findingSeen(eyes)
	n, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM findings AS f LEFT JOIN entries AS e ON e.id = f.subject WHERE f.id = ? AND "+seen, append([]any{id}, args...)...)
	if err == nil && n == 0 {
		err = unknownFinding()
	}
	if err != nil {
		return Finding{}, err
	}
	return findings.One(ctx, r, "WHERE id = ?", id)
}
