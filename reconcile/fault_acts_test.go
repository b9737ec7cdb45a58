package reconcile_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// An actCase is one thing that a person, the platform or the service asks for after a day was closed once.
type actCase struct {
	name  string
	stage func(h *house) // on the closed day; nil: there is nothing to prepare
	run   func(ctx context.Context, h *house) error
	shape func(t testing.TB, url string) string
	steps bool // it commits more than once
}

// conflict is the contradiction that the day has.
func conflict(ctx context.Context, h *house) (reconcile.FindingRow, error) {
	page, _, err := h.reconcile.Findings(ctx, deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.AdviceConflict})
	if err != nil {
		return reconcile.FindingRow{}, err
	}
	return page[0], nil
}

func onConflict(do func(ctx context.Context, h *house, f *reconcile.FindingRow) error) func(context.Context, *house) error {
	return func(ctx context.Context, h *house) error {
		f, err := conflict(ctx, h)
		if err != nil {
			return err
		}
		return do(ctx, h, &f)
	}
}

// unlessSaid takes a refusal that tells of one's own word for done.
func unlessSaid(err error) error {
	if deposit.IsKind(err, deposit.Conflict) || deposit.AsRefusal(err).Code == "same_person" {
		return nil
	}
	return err
}

// question is what a bidder asks, with everything as his voucher has it.
var question = reconcile.EnquiryOrder{Bank: "lcyh", SubAccount: "n2", Amount: fen("600.00"), Day: theDay, Serial: "6", Payer: weihe, Reason: "投标人来电"}

func enquired(h *house) sqldb.ID {
	h.t.Helper()
	e, err := h.reconcile.Enquire(context.Background(), "甲", question)
	h.must(err)
	return e.ID
}

// theEnquiry is the key of the only one.
func theEnquiry(ctx context.Context, h *house) (sqldb.ID, error) {
	return sqldb.Value[sqldb.ID](ctx, h.db, "SELECT MIN(id) FROM enquiries")
}

// revealed is that somebody has read a number: each reading is noted, and an answer that was lost may have been read.
func revealed(t testing.TB, url string) string {
	t.Helper()
	return sqldbtest.Strings(t, url, "SELECT COUNT(*) > 0 FROM events WHERE became = 'REVEALED'")[0]
}

// findingCases are what is asked of reconcile's desk.
var findingCases = []actCase{
	{"CommentOn", nil, onConflict(func(ctx context.Context, h *house, f *reconcile.FindingRow) error {
		return h.reconcile.CommentOn(ctx, "张会计", deposit.SightOfAll(), reconcile.FindingMove{ID: f.ID, Note: "已致电银行"})
	}), nil, false},
	{"Take", nil, onConflict(func(ctx context.Context, h *house, f *reconcile.FindingRow) error {
		return h.reconcile.Take(ctx, "张会计", deposit.SightOfAll(), f.ID)
	}), nil, false},
	{"HandOver", nil, onConflict(func(ctx context.Context, h *house, f *reconcile.FindingRow) error {
		if f.Department == "信息技术科" {
			return nil
		}
		return h.reconcile.HandOver(ctx, "张会计", deposit.SightOfAll(), reconcile.FindingMove{ID: f.ID, Version: f.Version, Note: "银行报文问题"}, "信息技术科")
	}), nil, false},
	{"MoveFindings", nil, func(ctx context.Context, h *house) error {
		query := reconcile.FindingQuery{Code: reconcile.AdviceMissing, State: reconcile.Open}
		page, _, err := h.reconcile.Findings(ctx, deposit.SightOfAll(), query)
		if err != nil || len(page) == 0 {
			return err
		}
		return h.reconcile.MoveFindings(ctx, "张会计", deposit.SightOfAll(), reconcile.Sweep{Query: query, Act: "explain", Note: "银行漏发", Count: int64(len(page)), Total: page[0].Amount})
	}, nil, false},
	{"Enquire", nil, func(ctx context.Context, h *house) error {
		_, err := h.reconcile.Enquire(ctx, "甲", question)
		return err
	}, nil, false},
	{"ReleaseEnquiry", func(h *house) { enquired(h) }, func(ctx context.Context, h *house) error {
		id, err := theEnquiry(ctx, h)
		if err != nil {
			return err
		}
		e, err := h.reconcile.ReleaseEnquiry(ctx, "乙", id)
		if err == nil && e.Answer != reconcile.MoneyHere {
			err = errors.New("the answer is " + string(e.Answer))
		}
		return err
	}, nil, false},
	{"MessageReused", nil, func(ctx context.Context, h *house) error {
		first, err := sqldb.Value[string](ctx, h.db, "SELECT MIN(external_id) FROM messages")
		if err != nil {
			return err
		}
		return h.reconcile.MessageReused(ctx, "lcyh", first)
	}, nil, false},
	{"Reveal", nil, onConflict(func(ctx context.Context, h *house, f *reconcile.FindingRow) error {
		_, err := h.reconcile.Reveal(ctx, reconcile.Revealing{By: "张会计", Eyes: deposit.SightOfAll(), ID: f.Credit, Reason: "与回单核对", Most: 50})
		return err
	}), revealed, false},
	{"RevealFinding", nil, onConflict(func(ctx context.Context, h *house, f *reconcile.FindingRow) error {
		_, err := h.reconcile.RevealFinding(ctx, reconcile.Revealing{By: "张会计", Eyes: deposit.SightOfAll(), ID: f.ID, Reason: "与回单核对", Most: 50})
		return err
	}), revealed, false},
}

const poolNumber = "p1"

func (h *house) loads(numbers ...string) {
	h.t.Helper()
	_, err := h.platform.LoadNumbers(context.Background(), "test", "lcyh", h.lcyh.Parent(), numbers)
	h.must(err)
}

// bids has a bid on a lot that is announced, which has no number yet.
func bids(h *house) sqldb.ID {
	h.t.Helper()
	h.lot("L7", "100.00", "2026-07-01 09:00:00")
	bid, _, err := h.platform.PutBid(context.Background(), "platform", platform.BidOrder{Lot: "L7", Bidder: weihe, BidderAccount: "A"})
	h.must(err)
	return bid.ID
}

// allocates asks for a number for the bid of the lot L7; that none is free is no error, since the bid has its place in the queue then.
func allocates(ctx context.Context, h *house) error {
	id, err := sqldb.Value[sqldb.ID](ctx, h.db, "SELECT b.id FROM bids AS b JOIN lots AS t ON t.id = b.lot_id WHERE t.number = 'L7'")
	if err != nil {
		return err
	}
	_, _, err = h.platform.Allocate(ctx, "platform", platform.NumberOrder{Bid: id, Bank: "lcyh", Parent: h.lcyh.Parent()})
	return unlessSaid(err)
}

func waits(h *house) {
	bids(h)
	h.must(allocates(context.Background(), h))
}

func leased(h *house) {
	h.loads(poolNumber)
	waits(h)
}

// rests has a number in quarantine, for which somebody waits.
func rests(h *house) {
	leased(h)
	ctx := context.Background()
	_, err := h.platform.Record(ctx, "platform", platform.EventOrder{Number: "E7", Kind: platform.EventTerminated, Lot: "L7", HappenedAt: *h.now})
	h.must(err)
	h.must(h.db.Write(ctx, "test", func(tx *sqldb.Tx) error {
		_, err := platform.Release(ctx, tx, platform.ReleaseOrder{Bank: "lcyh", SubAccount: poolNumber, BankConfirmed: true, Quarantine: platform.LeastQuarantine})
		return err
	}))
	h.lot("L8", "100.00", "2026-07-01 09:00:00")
	bid, _, err := h.platform.PutBid(ctx, "platform", platform.BidOrder{Lot: "L8", Bidder: weihe, BidderAccount: "A"})
	h.must(err)
	_, _, err = h.platform.Allocate(ctx, "platform", platform.NumberOrder{Bid: bid.ID, Bank: "lcyh", Parent: h.lcyh.Parent()})
	h.must(unlessSaid(err))
}

func opensAt(h *house, at string) error {
	_, _, err := h.platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: "L7", Department: "综合科", Deposit: fen("100.00"), OpensAt: wall(at)})
	return err
}

func agrees(by string) func(context.Context, *house) error {
	return func(ctx context.Context, h *house) error {
		_, err := h.platform.AgreeEarlier(ctx, platform.Word{By: by, Eyes: deposit.SightOfAll(), Lot: "L7", Reason: "场地调整"}, wall("2026-06-20 09:00:00"))
		if deposit.AsRefusal(err).Code == "earlier_unasked" { // it is so early already
			err = nil
		}
		return unlessSaid(err)
	}
}

func says(by string) func(context.Context, *house) error {
	return func(ctx context.Context, h *house) error {
		_, err := h.platform.SayOpened(ctx, platform.Word{By: by, Eyes: deposit.SightOfAll(), Lot: "L7", Reason: "平台中断，已现场开标"})
		return unlessSaid(err)
	}
}

// wished is a lot whose opening the platform wishes to be earlier.
func wished(h *house) {
	h.must(opensAt(h, "2026-07-01 09:00:00"))
	h.must(opensAt(h, "2026-06-20 09:00:00"))
}

// openable is a lot whose hour has come, and nobody has said that it was opened.
func openable(h *house) { h.must(opensAt(h, "2026-06-13 00:10:00")) }

// after has one stage follow another.
func after(stage func(h *house), run func(context.Context, *house) error) func(*house) {
	return func(h *house) {
		stage(h)
		h.must(run(context.Background(), h))
	}
}

// platformCases are what is asked of the platform's desk.
var platformCases = []actCase{
	{"LoadNumbers", waits, func(ctx context.Context, h *house) error {
		_, err := h.platform.LoadNumbers(ctx, "某人", "lcyh", h.lcyh.Parent(), []string{poolNumber, "n3"})
		return err
	}, nil, true},
	{"Allocate", func(h *house) { h.loads(poolNumber); bids(h) }, allocates, nil, false},
	{"Allocate from none", func(h *house) { bids(h) }, allocates, nil, false},
	{"Serve", func(h *house) {
		waits(h)
		h.must(h.execute(context.Background(), "INSERT INTO numbers (id, bank, sub_account, parent_account, state, version) VALUES (4711, 'lcyh', 'p1', ?, 'FREE', 1)", h.lcyh.Parent()))
	}, func(ctx context.Context, h *house) error {
		_, err := h.platform.Serve(ctx, "tend", "lcyh", h.lcyh.Parent())
		return err
	}, nil, false},
	{"DrainDue", func(h *house) {
		leased(h)
		h.must(h.execute(context.Background(), "UPDATE lots SET state = 'TERMINATED' WHERE number = 'L7'"))
	}, func(ctx context.Context, h *house) error {
		_, err := h.platform.DrainDue(ctx, "tend")
		return err
	}, nil, false},
	{"FreeDue", rests, func(ctx context.Context, h *house) error {
		_, err := h.platform.FreeDue(ctx, "tend", h.now.AddDate(0, 0, 2))
		if err == nil { // whoever was served by nobody since asks again
			_, err = h.platform.Serve(ctx, "tend", "lcyh", h.lcyh.Parent())
		}
		return err
	}, nil, true},
	{"Stop", nil, func(ctx context.Context, h *house) error {
		_, err := h.platform.Stop(ctx, "丁", "lcyh", "", "核查")
		return err
	}, nil, false},
	{"LiftFreeze", func(h *house) {
		_, err := h.platform.Stop(context.Background(), "丁", "lcyh", "", "核查")
		h.must(err)
	}, func(ctx context.Context, h *house) error {
		id, err := sqldb.Value[sqldb.ID](ctx, h.db, "SELECT MIN(id) FROM freezes")
		if err != nil {
			return err
		}
		_, err = h.platform.LiftFreeze(ctx, "戊", id, 1, "核查完毕")
		return unlessSaid(err)
	}, nil, false},
	{"AgreeEarlier", wished, agrees("甲"), nil, false},
	{"AgreeEarlier as the second", after(wished, agrees("甲")), agrees("乙"), nil, false},
	{"SayOpened", openable, says("甲"), nil, false},
	{"SayOpened as the second", after(openable, says("甲")), says("乙"), nil, false},
	{"LoadCalendar", nil, func(ctx context.Context, h *house) error {
		_, err := h.platform.LoadCalendar(ctx, "某人", []byte(`{"source": "测试", "years": {"2028": {"holidays": {"2028-01-03": "元旦"}, "makeup_workdays": {}}}}`))
		return err
	}, nil, false},
}

// bankCases are what is asked of the bank's desk beside notices and statements.
var bankCases = []actCase{
	{"NoteCall", nil, func(ctx context.Context, h *house) error {
		return h.bank.NoteCall(ctx, bank.Call{Bank: "lcyh", Code: "G00004", Subject: "n1", BeganAt: *h.now, Outcome: bank.CallUnknown})
	}, nil, false},
	{"ForgetCalls", func(h *house) {
		for days := range 3 {
			h.must(h.bank.NoteCall(context.Background(), bank.Call{Bank: "lcyh", Code: "G00004", Subject: "n1", BeganAt: h.now.AddDate(0, 0, -days), Outcome: bank.CallDone}))
		}
	}, func(ctx context.Context, h *house) error {
		_, err := h.bank.ForgetCalls(ctx, "nightly", h.now.AddDate(0, 0, -1))
		return err
	}, nil, false},
	{"TakePulled", nil, func(ctx context.Context, h *house) error {
		late := paid("p9", "n1", dongchang, "9.00", "13:00:00")
		_, err := h.bank.TakePulled(ctx, h.lcyh, bank.Credited{Entries: []bank.Entry{late}, Raw: []byte("answer")}, wall("2026-06-12 12:00:00"), wall("2026-06-12 14:00:00"))
		return err
	}, nil, false},
}

// TestTortureEveryActFails is TestTortureEveryCallFails for what is asked for on an embedded database after the close: an act is done with all that
// hangs on it, or not at all.
func TestTortureEveryActFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	url := sqldbtest.Place(t)
	h := open(t, url)
	furnish(h)
	h.close()
	h.must(h.db.Close())
	restore := sqldbtest.Snapshot(t, url)
	for _, c := range slices.Concat(findingCases, platformCases, bankCases) {
		t.Run(c.name, func(t *testing.T) {
			restore(t)
			acted(t, url, c).Holds(t)
		})
	}
	t.Run("what is done in two transactions is noticed", func(t *testing.T) {
		restore(t)
		take, comment := findingCases[1].run, findingCases[0].run
		c := actCase{run: func(ctx context.Context, h *house) error { return cmp.Or(take(ctx, h), comment(ctx, h)) }}
		if !acted(t, url, c).Notices(t) {
			t.Error("it is not found")
		}
	})
}

func acted(t *testing.T, url string, c actCase) sqldbtest.Trial {
	t.Helper()
	h := reopen(t, url, &sqldbtest.Faults{})
	if c.stage != nil {
		c.stage(h)
	}
	h.must(h.db.Close())
	return sqldbtest.Trial{URL: url, Now: func() time.Time { return *h.now }, Shape: c.shape, Steps: c.steps, Modes: sqldbtest.InTurn(2),
		Sound: func(t testing.TB, db *sqldb.DB) string { return broken(houseOf(t, db, h.now), "broken") },
		Run:   func(ctx context.Context, db *sqldb.DB) error { return c.run(ctx, houseOf(t, db, h.now)) }}
}
