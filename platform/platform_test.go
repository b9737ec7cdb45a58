package platform

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

var update = flag.Bool("update", false, "write the golden files anew")

var ctx = context.Background()

// house is a desk on a fresh database whose clock stands at noon of 2026-06-10.
type house struct {
	*testing.T
	db   *sqldb.DB
	desk *Desk
}

func each(t *testing.T, test func(h house)) {
	t.Helper()
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		db := sqldbtest.Open(t, url, func() time.Time { return noon })
		test(house{t, db, NewDesk(db)})
	})
}

var noon = at("2026-06-10 12:00:00")

func at(wall string) time.Time {
	t, err := deposit.ParseWall(wall)
	if err != nil {
		panic(err)
	}
	return t
}

func yuan(s string) deposit.Fen {
	fen, err := deposit.ParseYuan(s)
	if err != nil {
		panic(err)
	}
	return fen
}

// lotA is a lot that opens on 2026-06-12 at nine.
var lotA = LotOrder{Number: "LC-2026-A", Name: "湖滨路改造施工一标段", Department: "建设工程科", Deposit: yuan("800000.00"), OpensAt: at("2026-06-12 09:00:00")}

func bidOrder(lot, bidder, subAccount string) BidOrder {
	return BidOrder{Lot: lot, Bidder: bidder, BidderAccount: "370000000001", Bank: "ICBC", SubAccount: subAccount, LeaseFrom: at("2026-06-01 08:00:00")}
}

func (h house) putLot(o LotOrder) Lot {
	h.Helper()
	lot, _, err := h.desk.PutLot(ctx, "test", o)
	if err != nil {
		h.Fatal(err)
	}
	return lot
}

func (h house) putBid(o BidOrder) Bid {
	h.Helper()
	bid, _, err := h.desk.PutBid(ctx, "test", o)
	if err != nil {
		h.Fatal(err)
	}
	return bid
}

func (h house) record(o EventOrder) {
	h.Helper()
	if _, err := h.desk.Record(ctx, "test", o); err != nil {
		h.Fatal(err)
	}
}

// written is what tells whether anything was written: the audit trail, the touches and every row's version.
func (h house) written() string {
	h.Helper()
	var b strings.Builder
	for _, text := range []string{"SELECT COUNT(*) FROM events", "SELECT COUNT(*) FROM touched", "SELECT COUNT(*) FROM platform_events",
		"SELECT COALESCE(SUM(version), 0) FROM lots", "SELECT COALESCE(SUM(version), 0) FROM bids",
		"SELECT COALESCE(SUM(version), 0) FROM leases", "SELECT COALESCE(SUM(version), 0) FROM numbers",
		"SELECT COALESCE(SUM(version), 0) FROM number_asks", "SELECT COUNT(*) FROM number_holds"} {
		n, err := sqldb.Value[int](ctx, h.db, text)
		if err != nil {
			h.Fatal(err)
		}
		fmt.Fprint(&b, n, " ")
	}
	return b.String()
}

// untouch empties touched and gives what was in it, sorted: "number/key".
func (h house) untouch() []string {
	h.Helper()
	rows, err := Touched(ctx, h.db, 1000)
	if err != nil {
		h.Fatal(err)
	}
	ids, texts := []sqldb.ID{}, []string{}
	for _, row := range rows {
		ids, texts = append(ids, row.ID), append(texts, row.SubAccount+"/"+row.BidderKey)
	}
	if err := h.db.Write(ctx, "test", func(tx *sqldb.Tx) error { return Untouch(ctx, tx, ids) }); err != nil {
		h.Fatal(err)
	}
	slices.Sort(texts)
	return texts
}

// same compares rows: two equal instants may differ in where their zone is kept.
func same(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (h house) wantTouched(want ...string) {
	h.Helper()
	if got := h.untouch(); !slices.Equal(got, want) {
		h.Errorf("touched %q, want %q", got, want)
	}
}

// wantRefused checks a refusal's kind, code and the field its text begins with; "" for none at all.
func wantRefused(t *testing.T, err error, kind deposit.Kind, code, field string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var r *deposit.Refusal
	if !errors.As(err, &r) || r.Kind != kind || r.Code != code || !strings.HasPrefix(r.Text, field+" ") {
		t.Errorf("got %v, want kind %d, %s: %s …", err, kind, code, field)
	}
}

// Every state and kind has a name for people, and the machines know no others.
func TestEveryWordHasAChineseName(t *testing.T) {
	named := map[string]string{}
	for s, name := range lotStateNames {
		named[string(s)] = name
		if _, ok := lotMoves[string(s)]; !ok {
			t.Errorf("lotMoves lacks %s", s)
		}
	}
	for s, name := range bidStateNames {
		named[string(s)] = name
		if _, ok := bidMoves[string(s)]; !ok {
			t.Errorf("bidMoves lacks %s", s)
		}
	}
	moved := map[string]bool{}
	for _, machine := range []deposit.Machine{lotMoves, bidMoves} {
		for state, acts := range machine {
			if named[state] == "" {
				t.Errorf("%s is nobody's state", state)
			}
			for act, next := range acts {
				moved[act] = true
				if EventKind(act).Chinese() == "" || named[next] == "" {
					t.Errorf("%s -%s-> %s: not all of them have names", state, act, next)
				}
			}
		}
	}
	for kind, k := range eventKinds {
		if k.name == "" || !moved[string(kind)] {
			t.Errorf("%s has no name, or does nothing", kind)
		}
	}
}

// The drawings show each step there is and each there is not.
func TestMachinesAreAsDrawn(t *testing.T) {
	var kinds, acts []string
	for kind := range eventKinds {
		kinds = append(kinds, string(kind))
	}
	for act := range numberActNames {
		acts = append(acts, string(act))
	}
	for name, drawn := range map[string]struct {
		machine deposit.Machine
		acts    []string
	}{"platform_lot": {lotMoves, kinds}, "platform_bid": {bidMoves, kinds}, "platform_number": {numberMoves, acts}} {
		var b strings.Builder
		b.WriteString(drawn.machine.Draw() + "\nrefused:\n")
		for _, state := range slices.Sorted(maps.Keys(drawn.machine)) {
			for _, act := range slices.Sorted(slices.Values(drawn.acts)) {
				if _, ok := drawn.machine[state][act]; !ok {
					fmt.Fprintf(&b, "%s -%s\n", state, act)
				}
			}
		}
		path := filepath.Join("..", "testdata", "golden", name+".txt")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || string(want) != b.String() {
			t.Errorf("%s is not what the code says (%v); look at it, then run with -update:\n%s", path, err, b.String())
		}
	}
}
