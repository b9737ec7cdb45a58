package bank

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// payers are the dialects that pay.
func payers() (all []*Adapter) {
	for _, a := range Adapters() {
		if a.Payout != nil {
			all = append(all, a)
		}
	}
	return all
}

func payBank(a *Adapter) *Bank {
	b := contractBank(a)
	b.PayoutAdapter, b.Posting = a, PostPerItem
	return b
}

// ourPayout is a batch with all that a dialect has to hold: names whose GBK holds 0x7C, characters that XML escapes, a payee
// at the paying bank, the same payee twice.
func ourPayout() *Payout {
	const sub = ourParent + "-000147"
	p := &Payout{Number: "TF-20260612-03", ParentAccount: ourParent, SubAccount: sub, PayerName: "示例市公共资源交易中心",
		CreatedAt: time.Date(2026, 6, 12, 9, 30, 0, 0, deposit.Shanghai)}
	line := func(l PayLine) {
		l.Serial = PaySerial(sqldb.ID(len(p.Lines) + 1))
		l.FromSub = sub
		p.Lines = append(p.Lines, l)
	}
	line(PayLine{PayeeName: "聊城市东昌建设工程有限公司", PayeeAccount: "6212000000000000005", PayeeBank: "示例银行聊城分行营业部", PayeeBankCode: "102471000016",
		Amount: 800000_00, OriginSerial: "260512000000042", Purpose: "退还投标保证金"})
	line(PayLine{PayeeName: "山东亅倈億（集团）有限公司", PayeeAccount: "1611000000000000047", PayeeBank: "億丰银行", PayeeBankCode: "105471000013",
		Amount: 100000_01, Interest: 1, OriginSerial: "260512000000043", Purpose: "退还投标保证金及利息"})
	line(PayLine{PayeeName: "茌平水利<工程>有限公司 & 分公司", PayeeAccount: "6550100000000000929", SameBank: true, Amount: 1, OriginSerial: "260512000000044"})
	line(PayLine{PayeeName: "莘县雁塔路桥有限公司", PayeeAccount: "1611000000000000051", PayeeBank: "示例银行莘县支行", PayeeBankCode: "102471000016",
		Amount: 500000_00, OriginSerial: "260512000000045", Purpose: "错转款退回"})
	line(PayLine{PayeeName: "莘县雁塔路桥有限公司", PayeeAccount: "1611000000000000051", PayeeBank: "示例银行莘县支行", PayeeBankCode: "102471000016",
		Amount: 500000_00, OriginSerial: "260512000000046", Purpose: "错转款退回"})
	return p
}

// golden holds bytes against a file of testdata/golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is written otherwise (%v):\n%s", name, err, got)
	}
}

// TestPayoutGolden: a batch is written to the byte as it always was; sent again it is the same file.
func TestPayoutGolden(t *testing.T) {
	ends := map[string]string{"delimited": "txt"}
	for _, a := range payers() {
		end, file := ends[a.Name], a.Name
		if end == "" {
			end = "xml"
		}
		if a.Payout == painPaying { // camt pays as pain does
			file = painAdapter.Name
		}
		for posting, name := range map[Posting]string{PostPerItem: file, PostSummary: file + "_summary"} {
			b := payBank(a)
			b.Posting = posting
			raw, err := b.WritePayout(ourPayout())
			if err != nil {
				t.Fatalf("%s: %v", a.Name, err)
			}
			again, err := b.WritePayout(ourPayout())
			if err != nil || !bytes.Equal(raw, again) {
				t.Errorf("%s: the same batch is written in two ways (%v)", a.Name, err)
			}
			if posting == PostSummary && a.Name == "gseries" {
				continue // G00010 does not say how it is booked
			}
			golden(t, "payout_"+name+"."+end, raw)
		}
	}
}

// TestPayQueryGolden: a batch is asked after by the bank's number, a line by all that is known of it.
func TestPayQueryGolden(t *testing.T) {
	b := payBank(gseries)
	at := time.Date(2026, 6, 13, 8, 0, 0, 0, deposit.Shanghai)
	for name, q := range map[string]PayQuery{
		"payquery_gseries_batch.xml": {Number: "CX-01", At: at, Payout: *ourPayout(), BankBatch: "B260612000001"},
		"payquery_gseries_line.xml":  {Number: "CX-02", At: at, Payout: *ourPayout(), Serial: ourPayout().Lines[1].Serial},
	} {
		raw, err := b.WritePayQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, raw)
	}
	for what, q := range map[string]PayQuery{
		"query_not_possible": {},
		"number_malformed":   {Number: "问"},
		"serial_unknown":     {Number: "CX", Serial: "TK"},
		"bank_batch_missing": {Number: "CX"},
	} {
		bank := b
		if what == "query_not_possible" {
			bank = payBank(painAdapter)
		}
		_, err := bank.WritePayQuery(q)
		refused(t, err, what, "")
	}
}

// TestCheckPay: what a bank would not take, or would take for something else, is found before it is sent.
func TestCheckPay(t *testing.T) {
	for _, c := range []struct {
		dialects string
		change   func(*PayLine)
		code     string
	}{
		{"gseries delimited pain", func(*PayLine) {}, ""},
		{"gseries delimited pain", func(l *PayLine) { l.Serial = "TK0000000000002W" }, "serial_malformed"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeName = "" }, "payee_name_missing"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeName = "临清𠮷商贸有限公司" }, "payee_name_charset"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeName = "临清\xff商贸有限公司" }, "payee_name_charset"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeName = "甲公司 " }, "payee_name_blank"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeName = "甲\n公司" }, "payee_name_malformed"},
		{"delimited", func(l *PayLine) { l.PayeeName = "甲|公司" }, "payee_name_malformed"},
		{"gseries pain", func(l *PayLine) { l.PayeeName = "甲|公司" }, ""},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeName = "山东亅倈億公司" }, ""}, // 0x7C is their second byte, not a separator
		{"delimited", func(l *PayLine) { l.PayeeName = strings.Repeat("长", 30) }, ""},
		{"delimited", func(l *PayLine) { l.PayeeName = strings.Repeat("长", 30) + "x" }, "payee_name_too_long"},
		{"gseries", func(l *PayLine) { l.PayeeName = strings.Repeat("长", 101) }, "payee_name_too_long"},
		{"pain", func(l *PayLine) { l.PayeeName = strings.Repeat("长", 61) }, "payee_name_too_long"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeAccount = "62120000 0005" }, "payee_account_malformed"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeAccount = "６２１２" }, "payee_account_malformed"},
		{"delimited pain", func(l *PayLine) { l.PayeeBankCode = "" }, "payee_bank_code_missing"},
		{"gseries", func(l *PayLine) { l.PayeeBankCode = "" }, ""},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeBankCode = "102471000013" }, "payee_bank_code_check_digit"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeBankCode = "10247100001" }, "payee_bank_code_malformed"},
		{"gseries delimited pain", func(l *PayLine) { l.PayeeBankCode, l.PayeeBank, l.SameBank = "", "", true }, ""},
		{"gseries delimited", func(l *PayLine) { l.PayeeBank = "" }, "payee_bank_missing"},
		{"gseries", func(l *PayLine) { l.OriginSerial = "" }, "origin_serial_missing"},
		{"delimited pain", func(l *PayLine) { l.OriginSerial = "" }, ""},
		{"gseries delimited pain", func(l *PayLine) { l.Amount, l.Interest = 0, 0 }, "amount_zero"},
		{"gseries delimited pain", func(l *PayLine) { l.Amount = -1 }, "amount_zero"},
		{"gseries delimited pain", func(l *PayLine) { l.Amount = deposit.MaxFen + 1 }, "amount_too_large"},
		{"gseries delimited pain", func(l *PayLine) { l.Interest = l.Amount + 1 }, "interest_range"},
		{"delimited", func(l *PayLine) { l.Purpose = strings.Repeat("用", 31) }, "purpose_too_long"},
	} {
		for _, dialect := range strings.Fields(c.dialects) {
			a, err := AdapterOf(dialect)
			if err != nil {
				t.Fatal(err)
			}
			l := ourPayout().Lines[0]
			c.change(&l)
			var codes []string
			for _, f := range payBank(a).CheckPay(&l) {
				if f.Code != "" && f.Text != "" && f.Serial == l.Serial {
					codes = append(codes, f.Code)
				}
			}
			if strings.Join(codes, " ") != c.code {
				t.Errorf("%s: %q, want %q", dialect, codes, c.code)
			}
		}
	}
}

// TestCheckPayout: a batch is one bank's, within its size, each serial in it once.
func TestCheckPayout(t *testing.T) {
	for code, change := range map[string]func(b *Bank, p *Payout){
		"bank_cannot_pay":        func(b *Bank, _ *Payout) { b.PayoutAdapter = nil },
		"number_malformed":       func(_ *Bank, p *Payout) { p.Number = "退付一" },
		"parent_account_missing": func(_ *Bank, p *Payout) { p.ParentAccount = "" },
		"created_at_missing":     func(_ *Bank, p *Payout) { p.CreatedAt = time.Time{} },
		"lines_range":            func(_ *Bank, p *Payout) { p.Lines = nil },
		"serial_repeated":        func(_ *Bank, p *Payout) { p.Lines[1].Serial = p.Lines[0].Serial },
		"from_sub_foreign":       func(_ *Bank, p *Payout) { p.Lines[1].FromSub = "1" },
	} {
		b, p := payBank(gseries), ourPayout()
		change(b, p)
		if faults := b.CheckPayout(p); len(faults) != 1 || faults[0].Code != code {
			t.Errorf("%+v, want %s", faults, code)
		}
		_, err := b.WritePayout(p)
		refused(t, err, "payout_unwritable", code)
	}
	p := ourPayout()
	p.Lines = slices.Repeat(p.Lines, 21)
	if faults := payBank(delimitedAdapter).CheckPayout(p); faults[0].Code != "lines_range" {
		t.Errorf("105 lines are taken where 100 may be: %+v", faults[0])
	}
}

// TestPayoutSettings: banks.yaml says how a bank is paid through and how it books.
func TestPayoutSettings(t *testing.T) {
	const head = "banks: [{code: a, adapter: gseries, statement: csv, parent_accounts: [\"1\"], seal: {scheme: none}"
	for more, want := range map[string]struct {
		adapter string
		posting Posting
		wrong   string
	}{
		"":                    {"", PostPerItem, ""},
		", payout: gseries":   {"gseries", PostPerItem, ""},
		", payout: pain03":    {"pain03", PostPerItem, ""},
		", posting: summary":  {"", PostSummary, ""},
		", posting: per_item": {"", PostPerItem, ""},
		", payout: none":      {"", PostPerItem, ""},
		", payout: gseries, cut_off: \"17:30\", resend_within: 12h": {"gseries", PostPerItem, ""},
		", payout: gseries, resend_within: 0":                       {"gseries", PostPerItem, ""},
		", payout: gseries, cut_off: 5pm":                           {"", "", "24 小时制"},
		", cut_off: \"17:30\"":                                      {"", "", "没有写明 payout"},
		", payout: gseries, resend_within: 30m":                     {"", "", "大于 30m0s"},
		", payout: gseries, resend_within: 169h":                    {"", "", "不超过 168h0m0s"},
		", payout: delimited, resend_within: 12h":                   {"", "", "须先向银行查询"},
		", payout: csv":                                             {"", "", "不能付款"},
		", payout: cash":                                            {"", "", "cash"},
		", posting: both":                                           {"", "", "per_item"},
	} {
		s, err := ParseSet([]byte(head+more+"}]"), nil)
		if want.wrong != "" {
			refused(t, err, "banks_invalid", want.wrong)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b := s.All()[0]
		if b.Pays() != (want.adapter != "") || b.Pays() && b.PayoutAdapter.Name != want.adapter || b.Posting != want.posting {
			t.Errorf("%q: %v, %s", more, b.PayoutAdapter, b.Posting)
		}
		if again, err := ParseSet([]byte(s.Describe()), nil); err != nil || again.All()[0].Pays() != b.Pays() || again.All()[0].Posting != b.Posting {
			t.Errorf("%q is printed as something else (%v):\n%s", more, err, s.Describe())
		}
	}
}
