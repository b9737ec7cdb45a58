package refund

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"depositd/platform"
	"depositd/platform/deposit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// table is the rules that the program carries.
func table(t testing.TB) *Rules {
	t.Helper()
	rules, err := ParseRules(DefaultRules)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// changed is the table with something in its text replaced.
func changed(t testing.TB, from, to string) *Rules {
	t.Helper()
	text := string(DefaultRules)
	if !strings.Contains(text, from) {
		t.Fatalf("the table does not say %q", from)
	}
	rules, err := ParseRules([]byte(strings.Replace(text, from, to, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func workingDays(t testing.TB) deposit.Calendar {
	t.Helper()
	text, err := os.ReadFile("../platform/cn-workdays.json")
	if err != nil {
		t.Fatal(err)
	}
	calendar, err := deposit.ParseCalendar(text)
	if err != nil {
		t.Fatal(err)
	}
	return calendar
}

const (
	works   = "建设工程科"
	buying  = "政府采购科"
	land    = "土地及矿产交易科"
	trading = "产权交易科"
)

// happened reads "AWARD_NOTICE 2026-06-01, CONTRACT_SIGNED 2026-06-20".
func happened(said string) map[Event]deposit.Day {
	days := map[Event]deposit.Day{}
	for one := range strings.SplitSeq(said, ", ") {
		if event, day, ok := strings.Cut(one, " "); ok {
			days[Event(event)] = deposit.Day(day)
		}
	}
	return days
}

// One row a rule and border. The day is 2026-06-20 throughout.
func TestDue(t *testing.T) {
	rules, calendar := table(t), workingDays(t)
	for _, test := range []struct {
		why        string
		department string
		party      Party
		happened   string
		rule       string // "" for nothing due
		day        deposit.Day
		left       int
	}{
		{"R1: five days after the contract", works, Winner, "AWARD_NOTICE 2026-06-01, CONTRACT_SIGNED 2026-06-15", "R1", "2026-06-22", 2}, // the 20th is a holiday
		{"R1 for the loser too, not from the award", works, Loser, "AWARD_NOTICE 2026-06-01, CONTRACT_SIGNED 2026-06-03", "R1", "2026-06-08", -12},
		{"R1 for the candidate", works, Candidate, "CONTRACT_SIGNED 2026-06-03", "R1", "2026-06-08", -12},
		{"R1: no contract, no clock", works, Loser, "AWARD_NOTICE 2026-06-01", "", "", 0},
		{"R1: not before the regulation", works, Loser, "CONTRACT_SIGNED 2012-01-31", "", "", 0},
		{"R1: from its first day", works, Loser, "CONTRACT_SIGNED 2012-02-01", "R1", "2012-02-06", -5248},
		{"R2: withdrawn in time", works, Withdrawn, "BID_WITHDRAWN 2026-06-10", "R2", "2026-06-15", -5},
		{"R2: the contract of the others is of no concern", works, Withdrawn, "CONTRACT_SIGNED 2026-06-10", "", "", 0},
		{"R2 or R3, whichever ends first", works, Withdrawn, "BID_WITHDRAWN 2026-06-10, TERMINATED 2026-06-01", "R3", "2026-06-08", -12},
		{"R3: terminated", works, Loser, "TERMINATED 2026-06-17", "R3", "2026-06-22", 2},
		{"R4: losers from the award, in working days", buying, Loser, "AWARD_NOTICE 2026-06-15", "R4", "2026-06-23", 3}, // the 19th is a holiday
		{"R4: on the last day none is left", buying, Candidate, "AWARD_NOTICE 2026-06-12", "R4", "2026-06-22", 2},
		{"R4: not from the contract", buying, Loser, "CONTRACT_SIGNED 2026-06-15", "", "", 0},
		{"R5: the winner from the contract", buying, Winner, "AWARD_NOTICE 2026-06-01, CONTRACT_SIGNED 2026-06-12", "R5", "2026-06-22", 2},
		{"R5: not from the award", buying, Winner, "AWARD_NOTICE 2026-06-01", "", "", 0},
		{"R6: withdrawn in time", buying, Withdrawn, "BID_WITHDRAWN 2026-06-12", "R6", "2026-06-22", 2},
		{"R7: failed", buying, Loser, "FAILED 2026-06-12", "R7", "2026-06-22", 2},
		{"R7: terminated, the winner too", buying, Winner, "TERMINATED 2026-06-12", "R7", "2026-06-22", 2},
		{"R8: from the end of the sale", land, Loser, "SALE_ENDED 2026-06-12, AWARD_NOTICE 2026-06-15", "R8", "2026-06-22", 2},
		{"R8: from the deal confirmation, where no end is told", land, Loser, "AWARD_NOTICE 2026-06-15", "R8", "2026-06-23", 3},
		{"R8: unsold", land, Loser, "FAILED 2026-06-15", "R8", "2026-06-23", 3},
		{"R8: withdrawn waits for the end of the sale", land, Withdrawn, "BID_WITHDRAWN 2026-06-01", "", "", 0},
		{"R9: the winner's is kept", land, Winner, "AWARD_NOTICE 2026-06-15", "R9", "", 0},
		{"R10: three working days", trading, Loser, "AWARD_NOTICE 2026-06-15", "R10", "2026-06-18", -2},
		{"R11: the winner's by notice", trading, Winner, "AWARD_NOTICE 2026-06-15", "R11", "", 0},
		{"Z1: a late credit", works, Payer, "FOUND 2026-06-12", "Z1", "2026-06-22", 2},
		{"Z1: money of no lot", "", Payer, "FOUND 2026-06-12", "Z1", "2026-06-22", 2},
		{"Z1: what is no deposit has nothing to do with the contract", works, Payer, "CONTRACT_SIGNED 2026-06-12", "", "", 0},
		{"Z1 is not for deposits", works, Loser, "FOUND 2026-06-12", "", "", 0},
		{"Z2: construction failed", works, Loser, "FAILED 2026-06-12", "Z2", "2026-06-17", -3},
		{"another department", "综合科", Loser, "CONTRACT_SIGNED 2026-06-12", "", "", 0},
		{"nothing happened", works, Loser, "", "", "", 0},
	} {
		due, ok := Due(rules, calendar, Situation{test.department, test.party, happened(test.happened), "2026-06-20"})
		unknown := due.Day != "" && due.Day < "2018" // the first year with a calendar
		if ok != (test.rule != "") || due.Rule.ID != test.rule || due.Day != test.day || due.DaysLeft != test.left || due.Provisional != unknown {
			t.Errorf("%s: %v %s %q, %d left; want %s %q, %d left", test.why, ok, due.Rule.ID, due.Day, due.DaysLeft, test.rule, test.day, test.left)
		}
		if due.Overdue() != (test.left < 0) {
			t.Errorf("%s: overdue %v", test.why, due.Overdue())
		}
	}
}

// The examples of other places hold where a centre makes them active: what ends first counts.
func TestDueOfLocalRules(t *testing.T) {
	calendar := workingDays(t)
	both := happened("AWARD_NOTICE 2026-06-01, CONTRACT_SIGNED 2026-06-10")
	for _, test := range []struct {
		note  string
		party Party
		rule  string
		day   deposit.Day
	}{
		{"外地示例：非中标候选人\n    active: ", Loser, "R12a", "2026-06-08"},
		{"外地示例：非中标候选人\n    active: ", Candidate, "R1", "2026-06-15"},
		{"（平台不推送有效期）\n    active: ", Candidate, "R13", "2026-06-08"},
		{"（平台不推送有效期）\n    active: ", Winner, "R1", "2026-06-15"},
	} {
		rules := changed(t, test.note+"false", test.note+"true")
		if due, ok := Due(rules, calendar, Situation{works, test.party, both, "2026-06-20"}); !ok || due.Rule.ID != test.rule || due.Day != test.day {
			t.Errorf("%s: %s %s, want %s %s", test.party, due.Rule.ID, due.Day, test.rule, test.day)
		}
	}
}

// The last day ends at 24:00: on it nothing is overdue, on the next day it is.
func TestDueAtItsBorders(t *testing.T) {
	rules, calendar := table(t), workingDays(t)
	for today, want := range map[deposit.Day]struct {
		left    int
		overdue bool
	}{"2026-06-22": {1, false}, "2026-06-23": {0, false}, "2026-06-24": {-1, true}} {
		due, _ := Due(rules, calendar, Situation{buying, Loser, happened("AWARD_NOTICE 2026-06-15"), today})
		if due.DaysLeft != want.left || due.Overdue() != want.overdue {
			t.Errorf("on %s: %d left, overdue %v", today, due.DaysLeft, due.Overdue())
		}
	}
}

// Nobody knows the rest days of 2027 yet, and the limit says so.
func TestDueIsProvisional(t *testing.T) {
	rules, calendar := table(t), workingDays(t)
	for _, test := range []struct {
		department, happened string
		day                  deposit.Day
		provisional          bool
	}{
		{buying, "AWARD_NOTICE 2026-12-29", "2027-01-05", true},
		{works, "CONTRACT_SIGNED 2026-12-29", "2027-01-04", true}, // 3 January is a Sunday
		{buying, "AWARD_NOTICE 2026-12-18", "2026-12-25", false},
	} {
		due, ok := Due(rules, calendar, Situation{test.department, Loser, happened(test.happened), "2026-12-30"})
		if !ok || due.Day != test.day || due.Provisional != test.provisional {
			t.Errorf("%s: %s, provisional %v", test.happened, due.Day, due.Provisional)
		}
	}
	published := calendar.With(deposit.CalendarYear{Year: 2027, Days: []deposit.SpecialDay{{Day: "2027-01-01", Name: "元旦"}}})
	if due, _ := Due(rules, published, Situation{buying, Loser, happened("AWARD_NOTICE 2026-12-29"), "2026-12-30"}); due.Day != "2027-01-06" || due.Provisional {
		t.Errorf("with 2027 published: %s, provisional %v", due.Day, due.Provisional)
	}
}

func TestAwaited(t *testing.T) {
	rules := table(t)
	for _, test := range []struct {
		department string
		party      Party
		happened   string
		want       string
	}{
		{works, Loser, "AWARD_NOTICE 2026-06-01", "CONTRACT_SIGNED TERMINATED FAILED"},
		{buying, Loser, "", "AWARD_NOTICE FAILED TERMINATED"},
		{land, Winner, "", ""},
		{"", Payer, "", "FOUND"},
		{"综合科", Loser, "", ""},
	} {
		var got []string
		for _, event := range Awaited(rules, Situation{Department: test.department, Party: test.party, Happened: happened(test.happened)}) {
			got = append(got, string(event))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s %s: %v, want %s", test.department, test.party, got, test.want)
		}
	}
}

// A rule's dates bind the event and not today; what the table says of the number and the unit is what is counted.
func TestDueFollowsTheTable(t *testing.T) {
	calendar := workingDays(t)
	s := Situation{works, Loser, happened("CONTRACT_SIGNED 2026-06-08"), "2026-06-20"}
	for _, test := range []struct {
		from, to string
		day      deposit.Day
	}{
		{"n: 5", "n: 5", "2026-06-15"}, // the 13th is a Saturday
		{"n: 5", "n: 3", "2026-06-11"},
		{"unit: calendar", "unit: workday", "2026-06-15"},
		{"n: 5\n    unit: calendar", "n: 7\n    unit: workday", "2026-06-17"},
		{"from: 2012-02-01", "to: 2026-06-08", "2026-06-15"},
		{"from: 2012-02-01", "to: 2026-06-07", ""},
		{"from: 2012-02-01", "from: 2026-06-08", "2026-06-15"},
		{"from: 2012-02-01", "from: 2026-06-09", ""},
		{"from: 2012-02-01", "active: false", ""},
		{"建设工程科: construction", "建设工程科: procurement", ""},
	} {
		if due, _ := Due(changed(t, test.from, test.to), calendar, s); due.Day != test.day {
			t.Errorf("%s → %s: %s, want %s", test.from, test.to, due.Day, test.day)
		}
	}
}

// An event a day later never makes the limit earlier, one more event never later; overdue is by the day alone.
func TestDueIsMonotone(t *testing.T) {
	rules, calendar := table(t), workingDays(t)
	events := []Event{AtContract, AtAward, AtWithdrawal, AtTermination, AtFailure, AtSaleEnd, AtFinding}
	rapid.Check(t, func(t *rapid.T) {
		s := Situation{rapid.SampledFrom([]string{works, buying, land, trading}).Draw(t, "department"),
			rapid.SampledFrom([]Party{Winner, Candidate, Loser, Withdrawn, Payer}).Draw(t, "party"), map[Event]deposit.Day{}, "2026-06-20"}
		event := rapid.SampledFrom(events).Draw(t, "event")
		s.Happened[event] = deposit.Day("2018-01-01").Add(rapid.IntRange(0, 3285).Draw(t, "day"))
		due, ok := Due(rules, calendar, s)
		if works, _ := calendar.Works(due.Day); ok && due.Day != "" && (!works || due.Day <= due.StartDay || due.Start != event) {
			t.Fatalf("%+v is due on %s, counted from %s", s, due.Day, due.Start)
		}
		later := s
		later.Happened = map[Event]deposit.Day{event: s.Happened[event].Add(1)}
		if next, _ := Due(rules, calendar, later); next.Day < due.Day {
			t.Fatalf("a day later it is due on %s, not %s", next.Day, due.Day)
		}
		other := rapid.SampledFrom(events).Draw(t, "other")
		s.Happened[other] = deposit.Day("2018-01-01").Add(rapid.IntRange(0, 3285).Draw(t, "other day"))
		if more, still := Due(rules, calendar, s); ok && other != event && (!still || due.Day != "" && more.Day > due.Day) {
			t.Fatalf("with one more event it is due on %s, not %s", more.Day, due.Day)
		}
	})
}

// What the platform tells that starts a clock, and what does not.
func TestEventOf(t *testing.T) {
	for kind, want := range map[platform.EventKind]Event{platform.EventContractSigned: AtContract, platform.EventAwardNotice: AtAward,
		platform.EventBidWithdrawn: AtWithdrawal, platform.EventTerminated: AtTermination, platform.EventFailed: AtFailure,
		platform.EventOpened: "", platform.EventBidRevoked: "", platform.EventRetendered: "", platform.EventOpeningMoved: ""} {
		if got, ok := EventOf(kind); got != want || ok != (want != "") {
			t.Errorf("%s is %q", kind, got)
		}
	}
}

// A change of the table is seen by a person.
func TestTableIsAsPrinted(t *testing.T) {
	const golden = "../testdata/golden/refund_rules.txt"
	got := table(t).Describe()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != got {
		t.Errorf("%s is not what the table says (%v); look at it, then run with -update:\n%s", golden, err, got)
	}
	if other := changed(t, "n: 3", "n: 5").Describe(); other == got {
		t.Error("another table prints the same")
	}
}

// Each rule of the handbook is there, and where the law gives no number the row says so.
func TestTableIsWhole(t *testing.T) {
	var ids, own, examples []string
	for _, rule := range table(t).All() {
		ids = append(ids, rule.ID)
		if rule.Own {
			own = append(own, rule.ID)
		}
		if !rule.Active {
			examples = append(examples, rule.ID)
		}
	}
	for want, got := range map[string][]string{"R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12a R12b R13 Z1 Z2": ids, "R3 R7 R10 R13 Z1 Z2": own, "R12a R12b R13": examples} {
		if strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	for name, count := range map[string]int{"departments": len(table(t).departments), "parties": len(partyNames) - 1, "lines": len(businessNames) - 1} {
		if want := map[string]int{"departments": 4, "parties": 5, "lines": 4}[name]; count != want {
			t.Errorf("%d %s", count, name)
		}
	}
	if !slices.IsSortedFunc(table(t).rates["demand"], func(a, b YearlyRate) int { return strings.Compare(string(a.From), string(b.From)) }) {
		t.Error("rates out of order")
	}
}
