package sqldbtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
)

// A Trial is a use case on a database that is prepared for it, which nobody has open. It may be asked again at any time, as by
// somebody who got no answer: that one may look first whether it is done.
type Trial struct {
	URL   string
	Now   func() time.Time
	Run   func(ctx context.Context, db *sqldb.DB) error   // on a desk of its own
	Shape func(t testing.TB, url string) string           // what has to come out the same; nil: State
	Sound func(t testing.TB, db *sqldb.DB) (wrong string) // what may never be, and is; nil: nobody looks
	Fresh func()                                          // what is outside of the database begins anew; nil: nothing is
	Steps bool                                            // it commits more than once, so that a part of it may be there alone
	Modes func(call int) []FaultMode                      // nil: all of them

	want string // the end of a single asking
}

// InTurn is one mode for one call in so many, in each run of the tests other calls and modes; with TORTURE=1 all of them.
func InTurn(oneIn int) func(call int) []FaultMode {
	return func(call int) []FaultMode {
		switch turn := call + began; {
		case os.Getenv("TORTURE") != "":
			return FaultModes
		case turn%oneIn != 0:
			return nil
		default:
			return FaultModes[turn/oneIn%len(FaultModes):][:1]
		}
	}
}

var began = int(time.Now().Unix())

// Holds is a test that nothing is wrong.
func (tr Trial) Holds(t testing.TB) {
	t.Helper()
	calls, wrong := tr.Disturbed(t)
	for _, one := range wrong {
		t.Error(one)
	}
	if calls < fewestCalls {
		t.Errorf("only %d calls", calls)
	}
}

// fewestCalls is what a use case makes of them at least: it begins, reads, writes and commits.
const fewestCalls = 4

// Notices says whether anything is found wrong when every call fails in every mode, as it must be with a use case made so.
func (tr Trial) Notices(t testing.TB) bool {
	t.Helper()
	tr.Modes = nil
	_, wrong := tr.Disturbed(t)
	return len(wrong) > 0
}

// Disturbed lets each call to the database fail that the use case makes, and asks again. It says what is wrong: of a fault that
// leaves something by half, of a success that was told and is none, of an end that is not the one of a single asking.
func (tr Trial) Disturbed(t testing.TB) (calls int, wrong []string) {
	t.Helper()
	if tr.Shape == nil {
		tr.Shape = State
	}
	if tr.Sound == nil {
		tr.Sound = func(testing.TB, *sqldb.DB) string { return "" }
	}
	if tr.Fresh == nil {
		tr.Fresh = func() {}
	}
	if tr.Modes == nil {
		tr.Modes = func(int) []FaultMode { return FaultModes }
	}
	restore := Snapshot(t, tr.URL)
	before := tr.Shape(t, tr.URL)
	calls, want, err := tr.once(t)
	if tr.want = want; err != nil || want == before {
		return calls, []string{fmt.Sprintf("undisturbed it changes nothing (%v): %s", err, before)}
	}
	for call := 1; call <= calls; call++ {
		for _, mode := range tr.Modes(call) {
			restore(t)
			for _, one := range tr.disturb(t, fault{mode, call}, before) {
				wrong = append(wrong, fmt.Sprintf("call %d of %d, %s: %s", call, calls, mode, one))
			}
		}
	}
	return calls, wrong
}

// once asks undisturbed.
func (tr *Trial) once(t testing.TB) (calls int, ends string, err error) {
	t.Helper()
	faults := &Faults{}
	db := tr.open(t, faults)
	defer func() { _ = db.Close() }()
	faults.Arm("", 0, nil)
	err = tr.Run(context.Background(), db)
	calls, _ = faults.Heal()
	return calls, tr.Shape(t, tr.URL), err
}

func (tr *Trial) open(t testing.TB, faults *Faults) *sqldb.DB {
	t.Helper()
	tr.Fresh()
	db, err := sqldb.OpenWith(context.Background(), tr.URL, tr.Now, faults.Between)
	if err != nil {
		t.Fatal(err)
	}
	Unlock(t, db)
	return db
}

// A fault is a call to the database that fails.
type fault struct {
	mode FaultMode
	call int
}

// disturb asks once with a fault, and again when it is healed; with TORTURE=1 a call of another asking between fails as well.
func (tr *Trial) disturb(t testing.TB, f fault, before string) (wrong []string) {
	t.Helper()
	faults := &Faults{}
	db := tr.open(t, faults)
	defer func() { _ = db.Close() }()
	wrong = tr.ask(t, db, faults, f, before)
	if os.Getenv("TORTURE") != "" {
		f = fault{FaultModes[rand.IntN(len(FaultModes))], 1 + rand.IntN(2*f.call)}
		for _, one := range tr.ask(t, db, faults, f, tr.Shape(t, tr.URL)) {
			wrong = append(wrong, fmt.Sprintf("then call %d, %s: %s", f.call, f.mode, one))
		}
	}
	var err error
	for range 3 { // a connection that broke may be met once more
		if err = tr.Run(context.Background(), db); err == nil {
			break
		}
	}
	if err != nil {
		wrong = append(wrong, "asked again: "+err.Error())
	}
	if ends := tr.Shape(t, tr.URL); ends != tr.want {
		wrong = append(wrong, "asked again it ends otherwise:\n"+differing(tr.want, ends))
	}
	if broken := tr.Sound(t, db); broken != "" {
		wrong = append(wrong, "asked again "+broken)
	}
	return wrong
}

// ask asks with a fault, and says what is wrong when it is healed; before is the state until then.
func (tr *Trial) ask(t testing.TB, db *sqldb.DB, faults *Faults, f fault, before string) (wrong []string) {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	faults.Arm(f.mode, f.call, leave)
	err := tr.Run(ctx, db)
	faults.Heal()
	broke := f.mode == AnswerLost || f.mode == GoneForever || f.mode == BadConn
	switch after := tr.Shape(t, tr.URL); {
	case err == nil && after != tr.want:
		wrong = append(wrong, "acknowledged, and it is\n"+differing(tr.want, after))
	case err != nil && broke && !errors.Is(err, sqldb.ErrUnavailable):
		wrong = append(wrong, "not called unavailable: "+err.Error())
	case after != tr.want && after != before && !tr.Steps:
		wrong = append(wrong, "done by half:\n"+differing(tr.want, after))
	}
	if broken := tr.Sound(t, db); broken != "" {
		wrong = append(wrong, "after it "+broken)
	}
	return wrong
}

// differing is the lines that are in one of two states alone.
func differing(want, got string) string {
	lines := map[string]int{}
	for line := range strings.Lines(got) {
		lines[strings.TrimSpace(line)]++
	}
	for line := range strings.Lines(want) {
		lines[strings.TrimSpace(line)]--
	}
	var all []string
	for line, n := range lines {
		if n != 0 {
			all = append(all, fmt.Sprintf("%+d %s", n, line))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// Forgotten lists the exported methods of a desk that no case disturbs – a case is named by the method, and by more words where
// there are several of one – and that are not among the others, which write nothing or are disturbed elsewhere; and the others
// that there are not.
func Forgotten(desk any, cases []string, others ...string) (wrong []string) {
	all := reflect.TypeOf(desk)
	known := slices.Clone(others)
	for _, name := range cases {
		first, _, _ := strings.Cut(name, " ")
		if slices.Contains(others, first) {
			wrong = append(wrong, first+" is disturbed, and said not to write")
		}
		known = append(known, first)
	}
	for i := range all.NumMethod() {
		if name := all.Method(i).Name; !slices.Contains(known, name) {
			wrong = append(wrong, name+" stands in no case")
		}
	}
	for _, name := range others {
		if _, there := all.MethodByName(name); !there {
			wrong = append(wrong, "there is no "+name)
		}
	}
	return wrong
}
