package reconcile

import (
	"testing"
	"time"

	"depositd/platform/deposit"
)

// What speaks for a bid adds up to 100, and the levels have their borders.
func TestSuggestion(t *testing.T) {
	from := time.Date(2026, 6, 1, 0, 0, 0, 0, deposit.Shanghai)
	whole := Ledger{Bidder: "聊城市东昌建设工程有限公司", BidderAccount: "62120001", Deposit: 800_000_00, LeasedFrom: &from}
	credit := CreditView{PayerName: "聊城市东昌建设工程有限公司", PayerAccount: "62120001", Amount: 800_000_00, BookedAt: from.Add(time.Hour)}
	for _, c := range []struct {
		name  string
		spoil func(*Ledger, *CreditView)
		score int
		level Level
	}{
		{"everything fits", func(*Ledger, *CreditView) {}, 100, LevelHigh},
		{"paid already", func(l *Ledger, _ *CreditView) { l.Paid = true }, 90, LevelHigh},
		{"another amount", func(_ *Ledger, c *CreditView) { c.Amount++ }, 80, LevelHigh},
		{"another amount, paid already", func(l *Ledger, c *CreditView) { l.Paid, c.Amount = true, 1 }, 70, LevelMiddle},
		{"another name", func(_ *Ledger, c *CreditView) { c.PayerName = "王小明" }, 60, LevelMiddle},
		{"another name and account", func(_ *Ledger, c *CreditView) { c.PayerName, c.PayerAccount = "王小明", "1" }, 45, LevelLow},
		{"no name told", func(l *Ledger, c *CreditView) { l.Bidder, c.PayerName = "", "" }, 60, LevelMiddle},
		{"before its lease", func(_ *Ledger, c *CreditView) { c.BookedAt = from.Add(-time.Second) }, 85, LevelHigh},
		{"no lease", func(l *Ledger, _ *CreditView) { l.LeasedFrom = nil }, 85, LevelHigh},
	} {
		l, e := whole, credit
		c.spoil(&l, &e)
		if s := suggestion(l, &e); s.Score != c.score || s.Level != c.level || s.Level.Chinese() == "" {
			t.Errorf("%s: %d %s", c.name, s.Score, s.Level)
		}
	}
}

// Only what both sides tell, and tell differently, is said to differ.
func TestCompare(t *testing.T) {
	from, opens := time.Date(2026, 6, 1, 0, 0, 0, 0, deposit.Shanghai), time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)
	l := Ledger{Bidder: "聊城市东昌建设工程有限公司", Deposit: 800_000_00, OpeningAt: opens, SubAccount: "000147", LeasedFrom: &from}
	e := CreditView{PayerName: "聊城市东昌建设工程有限公司", PayerAccount: "62120001", Amount: 800_000_00, SubAccount: "000147", BookedAt: opens.Add(-time.Second)}
	differing := func(l *Ledger, e *CreditView) (names []string) {
		for _, c := range compare(l, e) {
			if c.Differs {
				names = append(names, c.Name)
			}
		}
		return names
	}
	if got := differing(&l, &e); got != nil {
		t.Errorf("%v differ of what is the same", got)
	}
	e.BookedAt, e.Amount = opens, 1
	if got := differing(&l, &e); len(got) != 2 || got[0] != "金额" || got[1] != "开标时间 | 记账时间" {
		t.Errorf("%v differ", got)
	}
	if got := differing(&l, nil); got != nil || len(compare(nil, nil)) != 0 {
		t.Errorf("%v differ from nothing", got)
	}
}

// Each age falls into one band, T+1 still into the first.
func TestAges(t *testing.T) {
	for days, band := range map[int]int{0: 0, 1: 0, 2: 1, 3: 1, 4: 2, 7: 2, 8: 3, mostAged: 3} {
		if got := ageOf(days); got != band {
			t.Errorf("T+%d is in band %d", days, got)
		}
	}
}
