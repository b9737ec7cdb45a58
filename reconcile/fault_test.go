package reconcile_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// A useCase is one thing that somebody asks of the house. It may be asked again at any time, as a bank, the platform or a
// clerk does who got no answer.
type useCase struct {
	name   string
	closed bool // it is asked when the day has been closed once, otherwise before
	run    func(ctx context.Context, h *house) error
}

// useCases is all of them that write.
var useCases = []useCase{
	{"Receive", false, func(ctx context.Context, h *house) error {
		return h.receive(ctx, paid("9", "n1", dongchang, "5.00", "11:11:11"), "9")
	}},
	{"Import", false, func(ctx context.Context, h *house) error {
		_, err := h.bank.Import(ctx, "clerk", h.lcyh, "another.txt", strings.NewReader(yesterdaysFile))
		return err
	}},
	{"JudgeAll", false, func(ctx context.Context, h *house) error { _, err := h.reconcile.JudgeAll(ctx); return err }},
	{"CloseDay", false, func(ctx context.Context, h *house) error {
		return h.reconcile.CloseDay(ctx, "nightly", theDay)
	}},
	{"CloseDay again", true, func(ctx context.Context, h *house) error {
		return h.reconcile.CloseDay(ctx, "nightly", theDay)
	}},
	{"PutLot", false, func(ctx context.Context, h *house) error {
		_, _, err := h.platform.PutLot(ctx, "platform", platform.LotOrder{Number: "L1", Department: "综合科", Deposit: fen("1000.00"), OpensAt: wall("2026-06-12 15:00:00")})
		return err
	}},
	{"PutBid", false, func(ctx context.Context, h *house) error {
		_, _, err := h.platform.PutBid(ctx, "platform", bidOrder("L1", "东阿县鲁西建材有限公司", "n8"))
		return err
	}},
	{"Sync", false, func(ctx context.Context, h *house) error {
		_, err := h.platform.Sync(ctx, "platform", platform.SyncOrder{
			Lots:   []platform.LotOrder{{Number: "L9", Department: "综合科", Deposit: fen("10.00"), OpensAt: wall("2026-06-12 15:00:00")}},
			Bids:   []platform.BidOrder{bidOrder("L9", dongchang, "n9"), bidOrder("L1", dongchang, "n7")},
			Events: []platform.EventOrder{{Number: "E9", Kind: platform.EventOpened, Lot: "L9", HappenedAt: wall("2026-06-12 15:00:00")}}})
		return err
	}},
	{"Record", false, func(ctx context.Context, h *house) error {
		_, err := h.platform.Record(ctx, "platform", platform.EventOrder{Number: "E1", Kind: platform.EventBidWithdrawn, Lot: "L1", Bidder: dongchang, HappenedAt: wall("2026-06-12 12:00:00")})
		return err
	}},
	{"MoveFinding", true, settleConflict},
	{"Claim", false, func(ctx context.Context, h *house) error {
		_, err := h.db.Claim(ctx, "nightly", string(theDay), "me", time.Minute)
		return err
	}},
}

// badCases are made wrong on purpose, each in a way of its own, so that the harness can show that it notices.
var badCases = []useCase{
	{"a fresh key at each try", false, func(ctx context.Context, h *house) error {
		return h.bank.Refuse(ctx, bank.Message{Bank: "lcyh", Source: "HTTP", Kind: "NOTICE", Raw: []byte("9")}, errors.New("whatever"))
	}},
	{"acknowledged whatever happens", false, func(ctx context.Context, h *house) error {
		_ = h.receive(ctx, paid("9", "n1", dongchang, "5.00", "11:11:11"), "9")
		return nil
	}},
	{"in two transactions", false, func(ctx context.Context, h *house) error {
		return errors.Join(h.execute(ctx, "INSERT INTO entries (id, bank, parent_account, booking_date, serial, serial_seq, direction, reversal, reversal_of, returned, sub_account, amount, booked_at, payer_tag, first_seen, sealed) "+
			"SELECT 77, bank, parent_account, booking_date, 'half', serial_seq, direction, reversal, reversal_of, returned, sub_account, amount, booked_at, payer_tag, first_seen, ? "+
			"FROM entries WHERE serial = '1' AND NOT EXISTS (SELECT 1 FROM entries WHERE id = 77)", bank.SealedPayer(&bank.Entry{ID: 77})),
			h.execute(ctx, "INSERT INTO unjudged (entry_id, cause) SELECT 77, 0 FROM entries WHERE serial = '1' AND NOT EXISTS (SELECT 1 FROM unjudged WHERE entry_id = 77)"),
			h.execute(ctx, "INSERT INTO sightings (entry_id, source, file_id, ordinal, seen_at) SELECT 77, source, file_id, 99, seen_at FROM sightings AS s JOIN entries AS e ON e.id = s.entry_id "+
				"WHERE e.serial = '1' AND source = 'N' AND NOT EXISTS (SELECT 1 FROM sightings WHERE entry_id = 77)"))
	}},
	{"that cannot be asked again", false, func(ctx context.Context, h *house) error {
		return h.execute(ctx, "INSERT INTO claims (job, day, holder, held_until) VALUES ('once', '', '', '2026-06-12 00:00:00.000')")
	}},
}

func (h *house) execute(ctx context.Context, text string, args ...any) error {
	return h.db.Write(ctx, "test", func(tx *sqldb.Tx) error { _, err := tx.Exec(ctx, text, args...); return err })
}

func (h *house) receive(ctx context.Context, e bank.Entry, id string) error {
	_, err := h.bank.Receive(ctx, bank.Message{Bank: "lcyh", ExternalID: id, Source: "HTTP", Kind: "NOTICE", Raw: []byte(e.Serial), Entries: []bank.Entry{e}})
	return err
}

func bidOrder(lot, bidder, number string) platform.BidOrder {
	return platform.BidOrder{Lot: lot, Bidder: bidder, BidderAccount: "A-" + bidder, Bank: "lcyh", SubAccount: number, LeaseFrom: wall("2026-06-01 00:00:00")}
}

// settleConflict does what a clerk does: look at the finding, and settle it unless it is settled.
func settleConflict(ctx context.Context, h *house) error {
	page, _, err := h.reconcile.Findings(ctx, deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.AdviceConflict})
	if err != nil {
		return err
	}
	if page[0].State == reconcile.Settled {
		return nil
	}
	return h.reconcile.MoveFinding(ctx, "张会计", deposit.SightOfAll(), reconcile.FindingMove{ID: page[0].ID, Version: page[0].Version, Act: "settle", Note: "银行确认为 1000.00 元"})
}

// yesterdaysFile is a statement of the day before, with a line that cannot be read.
var yesterdaysFile = func() string {
	var file strings.Builder
	o, c := fen("0.00"), fen("30.00")
	lines := []bank.Entry{paid("y1", "n1", dongchang, "10.00", "10:00:00"), paid("y2", "n2", weihe, "20.00", "11:00:00")}
	for i := range lines {
		lines[i].BookingDate, lines[i].BookedAt = theDay.Add(-1), lines[i].BookedAt.AddDate(0, 0, -1)
	}
	if err := bank.WriteDelimited(&file, bank.Statement{ParentAccount: lines[0].ParentAccount, Day: theDay.Add(-1), Currency: "CNY", Opening: &o, Closing: &c,
		Declared: bank.DeclaredBy(lines), LastPage: true}, lines); err != nil {
		panic(err)
	}
	return strings.Replace(file.String(), "20.00", "2O.00", 1)
}()

// furnish fills a fresh house with a day on which everything is to be done: verdicts of every kind wait, a line was never
// pushed, one contradicts its notice, one is missing, and the balances do not hold.
func furnish(h *house) {
	h.lot("L1", "1000.00", "2026-06-12 15:00:00")
	h.bid("L1", dongchang, "n1")
	h.bid("L1", weihe, "n2")
	h.bid("L1", "阳谷县景阳冈工程有限公司", "n3")
	back := paid("3", "n1", dongchang, "1000.00", "12:00:00")
	back.Direction, back.Reversal, back.ReversalOf = bank.Debit, bank.Reverses, "1"
	for _, e := range []bank.Entry{paid("1", "n1", dongchang, "1000.00", "10:00:00"), paid("2", "n2", weihe, "400.00", "11:00:00"), back,
		paid("4", "n2", dongchang, "1000.00", "11:30:00"), paid("5", "n0", dongchang, "7.00", "11:40:00"), paid("6", "n2", weihe, "600.00", "11:50:00")} {
		h.push(e)
	}
	other := paid("2", "n2", weihe, "401.00", "11:00:00")
	h.state("0.00", "9.00", paid("1", "n1", dongchang, "1000.00", "10:00:00"), other, back, paid("7", "n1", dongchang, "1000.00", "14:00:00"), paid("6", "n2", weihe, "600.00", "11:50:00"))
	*h.now = wall("2026-06-13 00:30:00")
}

// reopen is open on a database that is furnished already, with faults in between.
func reopen(t testing.TB, url string, faults *sqldbtest.Faults) *house {
	t.Helper()
	now := wall("2026-06-13 00:30:00")
	db, err := sqldb.OpenWith(context.Background(), url, func() time.Time { return now }, faults.Between)
	if err != nil {
		t.Fatal(err)
	}
	sqldbtest.Unlock(t, db)
	return houseOf(t, db, &now)
}

// trial is one use case on one engine, with the state it starts from and the one it ends in when nothing disturbs it.
type trial struct {
	useCase
	url     string
	restore func(testing.TB)
	calls   int
	ends    string
}

func newTrial(t testing.TB, c useCase, url string, restore func(testing.TB)) *trial {
	t.Helper()
	tr := &trial{useCase: c, url: url, restore: restore}
	restore(t)
	faults := &sqldbtest.Faults{}
	h := reopen(t, url, faults)
	faults.Arm("", 0, nil)
	h.must(c.run(context.Background(), h))
	tr.calls, _ = faults.Heal()
	h.must(h.db.Close())
	tr.ends = sqldbtest.State(t, url)
	return tr
}

// spare is how many calls fewer a run may make than the one that was counted: of questions that are put at once one may
// find a connection free for which the other had to open one.
const spare = 2

// disturb runs the use case with its call number k failing, then, healed, once more; it says what is wrong, or "".
func (tr *trial) disturb(t testing.TB, mode sqldbtest.FaultMode, k int) (wrong string) {
	t.Helper()
	tr.restore(t)
	faults := &sqldbtest.Faults{}
	h := reopen(t, tr.url, faults)
	defer func() { h.must(h.db.Close()) }()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	faults.Arm(mode, k, leave)
	err := tr.run(ctx, h)
	_, fired := faults.Heal()
	switch {
	case !fired && (err != nil || k <= tr.calls-spare):
		return "the call was never made"
	case err == nil:
		return differs("acknowledged", tr.ends, sqldbtest.State(t, tr.url))
	case (mode == sqldbtest.AnswerLost || mode == sqldbtest.GoneForever || mode == sqldbtest.BadConn) && !errors.Is(err, sqldb.ErrUnavailable):
		return "not called unavailable: " + err.Error()
	}
	return cmp.Or(broken(h, "after the fault"), tr.again(t, h))
}

func (tr *trial) again(t testing.TB, h *house) string {
	t.Helper()
	if err := tr.run(context.Background(), h); err != nil {
		return "asked again: " + err.Error()
	}
	return differs("asked again", tr.ends, sqldbtest.State(t, tr.url))
}

// broken names the invariants that do not hold.
func broken(h *house, when string) (wrong string) {
	checks, err := h.reconcile.Invariants(context.Background())
	if err != nil {
		return when + ": " + err.Error()
	}
	for _, c := range checks {
		if c.Count > 0 {
			wrong += fmt.Sprintf("%s: %s %s %d; ", when, c.Code, c.Title, c.Count)
		}
	}
	return wrong
}

// differs shows the lines of two states that are not in both.
func differs(when, want, got string) string {
	if want == got {
		return ""
	}
	lines := map[string]int{}
	for line := range strings.Lines(want) {
		lines[strings.TrimSpace(line)]++
	}
	for line := range strings.Lines(got) {
		lines[strings.TrimSpace(line)]--
	}
	text := when + ", another state:"
	for line, n := range lines {
		if n != 0 {
			text += fmt.Sprintf("\n  %+d %s", -n, line)
		}
	}
	return text
}

// every gives the calls to disturb: all on a file, a sample of so many on a server, where bringing the database back takes
// its time, and one under the race detector. With TORTURE=1 all everywhere.
func (tr *trial) every(sample int) (ks []int) {
	step := max(1, tr.calls/sample)
	switch {
	case os.Getenv("TORTURE") != "" || sqldb.File(tr.url) != "" && !sampled:
		step = 1
	case sampled:
		step = tr.calls
	}
	for k := 1 + int(time.Now().UnixNano())%step; k <= tr.calls; k += step {
		ks = append(ks, k)
	}
	return ks
}

// eachBase runs a test on a furnished database of each engine, which it can bring back.
func eachBase(t *testing.T, closed bool, test func(t *testing.T, url string, restore func(testing.TB))) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		t.Parallel()
		h := open(t, url)
		furnish(h)
		if closed {
			h.close()
		}
		h.must(h.db.Close())
		test(t, url, sqldbtest.Snapshot(t, url))
	})
}

// TestTortureEveryCallFails: whichever call to the database fails, in whichever way, every invariant holds afterwards, what
// was acknowledged is there, and the use case asked again ends as if nothing had happened.
func TestTortureEveryCallFails(t *testing.T) {
	for _, c := range useCases {
		t.Run(c.name, func(t *testing.T) {
			eachBase(t, c.closed, func(t *testing.T, url string, restore func(testing.TB)) {
				tr := newTrial(t, c, url, restore)
				for _, mode := range sqldbtest.FaultModes {
					for _, k := range tr.every(5) {
						if wrong := tr.disturb(t, mode, k); wrong != "" {
							t.Errorf("call %d of %d, %s: %s", k, tr.calls, mode, wrong)
						}
					}
				}
				t.Logf("%d calls", tr.calls)
			})
		})
	}
}

// TestEveryCallFailsIsNoticed: use cases that are made wrong are found out.
func TestEveryCallFailsIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range badCases {
		t.Run(c.name, func(t *testing.T) {
			eachBase(t, c.closed, func(t *testing.T, url string, restore func(testing.TB)) {
				tr := newTrial(t, c, url, restore)
				var found []string
				for _, mode := range sqldbtest.FaultModes {
					for _, k := range tr.every(12) {
						if wrong := tr.disturb(t, mode, k); wrong != "" {
							found = append(found, fmt.Sprint(mode, " ", k))
						}
					}
				}
				if len(found) == 0 {
					t.Error("the harness does not notice")
				}
				t.Log(found)
			})
		})
	}
}
