package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// askCredits asks the banks what came in on the numbers that look wrong (G00005), and keeps the findings on numbers of which
// a bank says something else than we. One that the bank was not heard on stays as it was.
func (k *Keeper) askCredits(ctx context.Context, by string, day deposit.Day) error {
	wanted, err := k.clashes(ctx, day)
	if err != nil {
		return err
	}
	var spared []sqldb.ID
	var failed []error
	for _, b := range k.banks.All() {
		line := k.lines[b.Code]
		if line == nil || b.Adapter.Calls.Credit == nil {
			continue
		}
		suspects, err := k.suspects(ctx, b.Code)
		if err != nil {
			return err
		}
		for _, s := range suspects {
			f, err := k.askNumber(ctx, line, s, day)
			switch {
			case err != nil:
				failed = append(failed, err)
				spared = append(spared, s.number.ID)
			case f.Code != "" && !slices.ContainsFunc(wanted, func(w Finding) bool { return w.Subject == f.Subject }):
				wanted = append(wanted, f)
			}
			if outcome := bank.CallOutcomeOf(err); outcome == bank.CallUnsent || outcome == bank.CallUnknown {
				for _, rest := range suspects {
					spared = append(spared, rest.number.ID)
				}
				break
			}
		}
	}
	return errors.Join(append(failed, k.keepAll(ctx, by, KindWord, spared, wanted))...)
}

// askNumber compares what the bank and we know of one number's credits; the zero Finding where it is the same.
func (k *Keeper) askNumber(ctx context.Context, line *bank.Line, s suspect, day deposit.Day) (Finding, error) {
	f := Finding{Subject: s.number.ID, Day: day, Bank: s.number.Bank, ParentAccount: s.parent, Department: string(IT)}
	theirs, call, err := line.Credits(ctx, bank.OfNumber{Parent: s.parent, Number: s.number.SubAccount})
	if noted := k.bank.NoteCall(ctx, call); noted != nil {
		return f, noted
	}
	switch {
	case call.Outcome == bank.CallRefused && call.Result == accountUnknown:
		f.Code, f.Detail = NumberUnknown, "子账号 "+s.number.SubAccount+"：银行答复账号不存在（"+accountUnknown+"）"
	case err != nil:
		return f, fmt.Errorf("ask %s for a number's credits: %w", s.number.Bank, err)
	default:
		ours, err := bank.EntriesOn(ctx, k.db, []bank.Number{{Bank: s.number.Bank, SubAccount: s.number.SubAccount}})
		if err != nil {
			return f, err
		}
		if differ := creditsDiffer(theirs.Entries, ours); differ != "" {
			f.Code, f.Detail = NumberCreditsDiffer, "子账号 "+s.number.SubAccount+"："+differ
		}
	}
	f.Reasons = string(f.Code)
	return f, nil
}

// creditsDiffer tells how many credits only one side knows, or both with another amount, by the bank's serials; "" where they
// know the same. A credit that was taken back is a credit: banks list it or not, and it is not missed.
func creditsDiffer(theirs, ours []bank.Entry) string {
	type booking struct {
		serial string
		day    deposit.Day
	}
	amounts := map[booking]deposit.Fen{}
	reversed := map[string]bool{}
	for i := range ours {
		switch e := &ours[i]; {
		case e.Reversal == bank.Reverses:
			reversed[e.ReversalOf] = true
		case e.Direction == bank.Credit:
			amounts[booking{e.Serial, e.BookingDate}] += e.Amount
		}
	}
	unknown, other := 0, 0
	for i := range theirs {
		key := booking{theirs[i].Serial, theirs[i].BookingDate}
		amount, known := amounts[key]
		switch {
		case !known:
			unknown++
		case amount != theirs[i].Amount:
			other++
		}
		delete(amounts, key)
	}
	untold := 0
	for key := range amounts {
		if !reversed[key.serial] {
			untold++
		}
	}
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{{unknown, "银行有、本系统没有 %d 笔"}, {untold, "本系统有、银行没有 %d 笔"}, {other, "金额不同 %d 笔"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf(p.text, p.n))
		}
	}
	return strings.Join(parts, "，")
}

// clashes finds the numbers that a bank has handed out although by our books somebody holds them, as long as he does. They
// tell no lot.
func (k *Keeper) clashes(ctx context.Context, day deposit.Day) ([]Finding, error) {
	clashed, err := openings.All(ctx, k.db, "WHERE state = 'CLASHED' AND sub_account <> '' ORDER BY wanted_at DESC, id LIMIT 200")
	var found []Finding
	for _, o := range clashed {
		n, err := platform.NumberOf(ctx, k.db, o.Bank, o.SubAccount)
		if err != nil {
			return nil, err
		}
		leases, err := platform.LeasesOn(ctx, k.db, o.Bank, o.SubAccount)
		if err != nil {
			return nil, err
		}
		stands := n.State == platform.NumberLeased || n.State == platform.NumberDraining
		if !stands || len(leases) > 0 && leases[len(leases)-1].From.After(o.WantedAt) || slices.ContainsFunc(found, func(f Finding) bool { return f.Subject == n.ID }) {
			continue
		}
		found = append(found, Finding{Subject: n.ID, Code: NumberClash, Reasons: string(NumberClash), Day: day, Bank: o.Bank, ParentAccount: o.Parent, Department: string(IT),
			Detail: "子账号 " + o.SubAccount + "：银行于 " + deposit.Wall(o.WantedAt) + " 再次给出，而本系统仍在租用；已弃用银行的这次答复，请与银行核对"})
	}
	return found, err
}
