package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-cmp/cmp"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// reportStep prints a day's report as the command does, and under it what the service knows over HTTP of each credit that
// the banks have booked so far, on whatever day, and of each bid. At the first report, what the command says as JSON and what HTTP says must be one.
func reportStep(s *stage, w *words) {
	day := w.day()
	code, text := s.run("report", "--day", string(day))
	if code != exitOK && code != exitMismatches {
		s.fail("exit code %d: %s", code, text)
	}
	var report reconcile.Report
	s.ask("/v1/reports/"+string(day), &report)
	if want := map[bool]int{false: exitOK, true: exitMismatches}[report.Mismatches()]; code != want {
		s.fail("exit code %d, want %d", code, want)
	}
	if short, err := s.desk.Mismatches(s.t.Context(), day); err != nil || short != report.Mismatches() {
		s.fail("without the findings the report's answer is %v (%v), with them %v", short, err, report.Mismatches())
	}
	if s.said.Len() == 0 {
		s.sameByBothWays(day)
	}
	fmt.Fprintf(&s.said, "> %s\n\n%s\n", s.now.text, text)
	counted := s.credits()
	s.tellBids(counted)
	s.said.WriteString("\n")
}

func (s *stage) sameByBothWays(day deposit.Day) {
	var http, command any
	s.ask("/v1/reports/"+string(day), &http)
	_, text := s.run("report", "--json", "--day", string(day))
	s.must(json.Unmarshal([]byte(text), &command))
	if differs := cmp.Diff(http, command); differs != "" {
		s.fail("the command and HTTP say different things: %s", differs)
	}
}

// mostPlain is how many credits that need no words are told one by one.
const mostPlain = 12

// credits prints each credit's verdict, and sums what counts by bid.
func (s *stage) credits() map[tender]deposit.Fen {
	s.said.WriteString("credits\n")
	counted := map[tender]deposit.Fen{}
	plain := 0
	for _, b := range s.banks {
		for _, e := range b.booked {
			if e.Direction != bank.Credit || e.Reversal == bank.Reverses {
				continue
			}
			v, known := s.credit(&e.Entry)
			counted[tender{v.Lot, v.Bidder.Full()}] += v.Counted // nothing of what is sealed
			if v.Verdict == reconcile.Matched && len(v.Reasons) == 0 && len(v.History) == 0 {
				if plain++; plain > mostPlain {
					continue
				}
			}
			fmt.Fprintln(&s.said, creditLine(e.Serial, &v, known))
			for _, event := range v.History {
				fmt.Fprintf(&s.said, "      %s\n", event.Note)
			}
		}
	}
	if plain > mostPlain {
		fmt.Fprintf(&s.said, "  and %d more that are MATCHED\n", plain-mostPlain)
	}
	return counted
}

// credit asks for what is known of a booking; known is false while the service has never heard of it.
func (s *stage) credit(e *bank.Entry) (v reconcile.CreditView, known bool) {
	there, err := bank.BySerial(s.t.Context(), s.db, e.Bank, e.ParentAccount, []string{e.Serial})
	s.must(err)
	for i := range there {
		if there[i].BookingDate == e.BookingDate {
			s.send(http.MethodGet, "/v1/credits/"+there[i].ID.String(), "", nil, nil)
			if s.answer.code == "credit_unknown" { // what is sealed is not there
				s.answer = nil
				return v, true
			}
			s.wasTakenFor(&v)
			return v, true
		}
	}
	return v, false
}

// creditLine tells one credit: what the bank booked, how it was heard of, whose number it is on, what of it counts.
func creditLine(serial string, v *reconcile.CreditView, known bool) string {
	if !known {
		return "  " + serial + "  never heard of"
	}
	if v.ID == 0 {
		return "  " + serial + "  sealed"
	}
	parts := []string{serial, v.Amount.String(), sources(v), string(v.Verdict)}
	for _, r := range v.Reasons {
		if r != v.Verdict {
			parts[3] += ";" + string(r)
		}
	}
	if v.Lot != "" {
		parts = append(parts, v.Lot+" "+v.Bidder.Full(), "counts "+v.Counted.String())
	}
	if v.Suggested != "" {
		parts = append(parts, "meant for "+v.SuggestedLot+" "+v.Suggested.Full())
	}
	for _, c := range v.Conflicts {
		parts = append(parts, "contradicted in "+c.Fields)
	}
	return "  " + strings.Join(parts, "  ")
}

// sources tells by which ways a credit was heard of, each once.
func sources(v *reconcile.CreditView) string {
	heard := map[string]bool{}
	for _, s := range v.Sightings {
		heard[s.Source] = true
	}
	switch {
	case heard["NOTICE"] && heard["STATEMENT"]:
		return "notice+statement"
	case heard["NOTICE"]:
		return "notice"
	case heard["STATEMENT"]:
		return "statement"
	}
	return "nowhere"
}

// tellBids prints what each bid has, and of the bids that have nothing whether the service says so.
func (s *stage) tellBids(counted map[tender]deposit.Fen) {
	var page struct{ Findings []reconcile.FindingRow }
	s.ask("/v1/findings?limit=200&code="+string(reconcile.Unpaid), &page)
	unpaid := map[tender]string{}
	for _, f := range page.Findings {
		unpaid[tender{f.Lot, f.Bidder.Full()}] = f.State
	}
	s.said.WriteString("bids\n")
	paid := 0
	for _, b := range s.bids {
		line := fmt.Sprintf("  %s %s  %s of %s", b.lot, b.bidder, counted[b], s.tenders[b.lot])
		if counted[b] >= s.tenders[b.lot] {
			if paid++; paid > mostPlain {
				continue
			}
			line += "  PAID"
		}
		if state := unpaid[b]; state != "" {
			line += "  " + string(reconcile.Unpaid) + " " + state
		}
		fmt.Fprintln(&s.said, line)
	}
	if paid > mostPlain {
		fmt.Fprintf(&s.said, "  and %d more that are PAID\n", paid-mostPlain)
	}
}

// keptStep prints how many of the banks' messages and files are kept, by how they fared.
func keptStep(s *stage, _ *words) {
	type kept struct {
		source, kind, outcome, code string
		n                           int
	}
	rows, err := sqldb.Select(s.t.Context(), s.db, func(k *kept) []any {
		return []any{&k.source, &k.kind, &k.outcome, &k.code, &k.n}
	}, "SELECT source, kind, outcome, code, COUNT(*) FROM messages GROUP BY source, kind, outcome, code ORDER BY source, kind, outcome, code")
	s.must(err)
	fmt.Fprintf(&s.said, "> %s\n\n", s.now.text)
	for _, k := range rows {
		fmt.Fprintln(&s.said, strings.TrimRight(fmt.Sprintf("  %d  %s %s %s %s", k.n, k.source, k.kind, k.outcome, k.code), " "))
	}
	s.said.WriteString("\n")
}
