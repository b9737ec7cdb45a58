package bank

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// payAnswers are what the samples of answers say of the five lines of ourPayout, a letter each: A accepted, P processing,
// Y paid, F failed, E expired, U unknown, N not found. "!" is an answer that cannot be read.
var payAnswers = map[string]map[string]string{
	"gseries": {
		"answer.xml":          "YPUUA", // 09 and 99 settle nothing before it is asked after
		"answer-no-echo.xml":  "YPUUU", // two lines of one payee: nobody can say which row is whose
		"answer-accepted.xml": "AAAAA",
		"answer-failed.xml":   "UUUUU",
		"query.xml":           "YPFUN",
		"query-failed.xml":    "UUUUU", // the asking failed
		"notice.xml":          "YUUUF",
		"notice-flat.xml":     "UUUYU",
		"bad-other.xml":       "!",
		"bad-truncated.xml":   "!",
	},
	"delimited": {
		"result.txt":             "YPFUE",
		"result-part.txt":        "UUUUY",
		"result-broken-row.txt":  "YUYUU",
		"result-refused.txt":     "FFFFF",
		"result-other-batch.txt": "UUUUU",
		"bad-head.txt":           "!",
		"bad-count.txt":          "!",
	},
	"pain": {
		"report-03.xml":                    "YPFPU",
		"report-11.xml":                    "YPFUP",
		"report-group.xml":                 "PPPPP",
		"report-group-and-one.xml":         "PFPPP",
		"report-group-rejected.xml":        "FFFFF",
		"report-group-twice.xml":           "UUUUU", // the second was rejected; of the first nothing is said
		"report-group-of-another-size.xml": "UUUUU",
		"report-block.xml":                 "FFFFF",
		"report-blocks-differ.xml":         "UUUUU",
		"report-gbk.xml":                   "UUFUU",
		"bad-camt.xml":                     "!",
		"bad-charset.xml":                  "!",
	},
}

var payLetters = map[PayStatus]string{PayAccepted: "A", PayProcessing: "P", PayPaid: "Y", PayFailed: "F", PayExpired: "E", PayUnknown: "U", PayNotFound: "N",
	PayPartial: "?", PayReturned: "R", PayCancelled: "C"}

func lettersOf(results []PayResult) (text string) {
	for _, r := range results {
		text += payLetters[r.Status]
	}
	return text
}

// TestPayAnswers: what each sample says of each line, and that every file in the folder is looked at.
func TestPayAnswers(t *testing.T) {
	for dialect, want := range payAnswers {
		files, err := os.ReadDir(filepath.Join("..", "testdata", "bank", dialect, "payout"))
		if err != nil || len(files) != len(want) {
			t.Errorf("%s has %d samples, %d are known (%v)", dialect, len(files), len(want), err)
		}
		for name, letters := range want {
			p := ourPayout()
			results, err := payBank(payAdapter(t, dialect)).PayResults(p, paySample(t, dialect, name))
			if letters == "!" {
				if !deposit.IsKind(err, deposit.Invalid) || lettersOf(results) != "UUUUU" {
					t.Errorf("%s/%s: %s, error %v", dialect, name, lettersOf(results), err)
				}
				continue
			}
			if err != nil || lettersOf(results) != letters {
				t.Errorf("%s/%s: %s, want %s (%v)", dialect, name, lettersOf(results), letters, err)
			}
			for i, r := range results {
				if r.Serial != p.Lines[i].Serial || r.Status == PayUnknown && r.Code == "" {
					t.Errorf("%s/%s, line %d: %+v", dialect, name, i, r)
				}
			}
		}
	}
}

func payAdapter(t testing.TB, name string) *Adapter {
	t.Helper()
	a, err := AdapterOf(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func paySample(t testing.TB, dialect, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "bank", dialect, "payout", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestPayWords: every word of bank-formats 5.2 and what it means; whatever else a bank says is unknown.
func TestPayWords(t *testing.T) {
	for _, c := range []struct{ dialect, sample, word, words string }{
		{"delimited", "result.txt", "|PAYOUT|", "SUBMIT_SUCC=P EXPIRED=E FAIL=F PAYOUT=Y PENDING=U PART_PAYOUT=U payout=U PAYOUT2=U S=U ="},
		{"gseries", "query.xml", "<Result>00</Result><AddWord>退", "00=Y 10=P 09=F 99=U 01=U 0=U 000=U O0=U"},
		{"gseries", "answer.xml", "<Result>00</Result><AddWord>退", "00=Y 10=P 09=U 99=U 02=U"},
		{"pain", "report-03.xml", "<TxSts>ACSC<", "ACTC=P ACCP=P ACSP=P ACWC=P PDNG=P ACSC=Y ACCC=Y RJCT=F PART=U RCVD=U CANC=U BLCK=U acsc=U"},
	} {
		a := payAdapter(t, c.dialect)
		text, err := Sniff(paySample(t, c.dialect, c.sample), GB18030).Decode(paySample(t, c.dialect, c.sample))
		if err != nil || strings.Count(text, c.word) == 0 {
			t.Fatalf("%s does not say %s (%v)", c.sample, c.word, err)
		}
		for _, pair := range strings.Fields(c.words) {
			word, want, _ := strings.Cut(pair, "=")
			if want == "" {
				want = "U"
			}
			old := strings.Trim(strings.NewReplacer("<Result>", "", "</Result><AddWord>退", "", "<TxSts>", "", "<", "").Replace(c.word), "|")
			raw, err := GB18030.Encode(strings.Replace(text, c.word, strings.Replace(c.word, old, word, 1), 1))
			if err != nil {
				t.Fatal(err)
			}
			if c.dialect == "pain" {
				raw = []byte(strings.Replace(text, c.word, strings.Replace(c.word, old, word, 1), 1))
			}
			results, err := payBank(a).PayResults(ourPayout(), raw)
			if err != nil || lettersOf(results)[:1] != want {
				t.Errorf("%s: %s of %q is %s, want %s (%v)", c.dialect, c.sample, word, lettersOf(results)[:1], want, err)
			}
		}
	}
	for status := range payLetters {
		if PayStatusNames[status] == "" {
			t.Errorf("%s has no Chinese name", status)
		}
	}
}

// TestResults: what the batch's status says of the lines, and what contradictions make of it.
func TestResults(t *testing.T) {
	p := ourPayout()
	row := func(i int, status PayStatus, change func(*PayRow)) PayRow {
		r := PayRow{PayResult: PayResult{Serial: p.Lines[i].Serial, Status: status, Code: "X"}}
		if change != nil {
			change(&r)
		}
		return r
	}
	sum, other := p.Total(), p.Total()+1
	for what, c := range map[string]struct {
		answer PayAnswer
		want   string
	}{
		"nothing is said":                     {PayAnswer{Count: -1}, "UUUUU"},
		"the batch speaks for its lines":      {PayAnswer{Status: PayProcessing, Count: 5, Sum: &sum, Batch: p.Number}, "PPPPP"},
		"another batch":                       {PayAnswer{Status: PayPaid, Count: -1, Batch: "TF-1"}, "UUUUU"},
		"another count":                       {PayAnswer{Status: PayPaid, Count: 4}, "UUUUU"},
		"another sum":                         {PayAnswer{Status: PayPaid, Count: 5, Sum: &other}, "UUUUU"},
		"part of it":                          {PayAnswer{Status: PayPartial, Count: -1}, "UUUUU"},
		"a row goes before the batch":         {PayAnswer{Status: PayProcessing, Count: -1, Rows: []PayRow{row(1, PayPaid, nil)}}, "PYPPP"},
		"a row that fits no line":             {PayAnswer{Status: PayPaid, Count: -1, Rows: []PayRow{{PayResult: PayResult{Serial: PaySerial(99), Status: PayFailed}}}}, "UUUUU"},
		"a row that cannot be read":           {PayAnswer{Status: PayPaid, Count: -1, Rows: []PayRow{row(0, PayPaid, nil)}, Faults: []Fault{{}}}, "YUUUU"},
		"said twice":                          {PayAnswer{Count: -1, Rows: []PayRow{row(0, PayPaid, nil), row(0, PayPaid, nil)}}, "YUUUU"},
		"said twice and otherwise":            {PayAnswer{Count: -1, Rows: []PayRow{row(0, PayPaid, nil), row(0, PayFailed, nil)}}, "UUUUU"},
		"a partial line":                      {PayAnswer{Count: -1, Rows: []PayRow{row(0, PayPartial, nil)}}, "UUUUU"},
		"other money":                         {PayAnswer{Count: -1, Rows: []PayRow{row(0, PayPaid, func(r *PayRow) { r.Amount = 1 })}}, "UUUUU"},
		"another payee":                       {PayAnswer{Count: -1, Rows: []PayRow{row(0, PayPaid, func(r *PayRow) { r.PayeeAccount = "1" })}}, "UUUUU"},
		"another original":                    {PayAnswer{Count: -1, Rows: []PayRow{row(0, PayPaid, func(r *PayRow) { r.OriginSerial = "1" })}}, "UUUUU"},
		"found by a query":                    {PayAnswer{Count: -1, Found: true, Rows: []PayRow{row(3, PayPaid, nil)}}, "NNNYN"},
		"a query's row without a status":      {PayAnswer{Count: -1, Found: true, Rows: []PayRow{row(3, "", nil)}}, "NNNUN"},
		"the row's account alone, of one":     {PayAnswer{Count: -1, Rows: []PayRow{{PayResult: PayResult{Status: PayPaid}, PayeeAccount: p.Lines[1].PayeeAccount}}}, "UYUUU"},
		"the row's account alone, of two":     {PayAnswer{Count: -1, Rows: []PayRow{{PayResult: PayResult{Status: PayPaid}, PayeeAccount: p.Lines[3].PayeeAccount}}}, "UUUUU"},
		"by itself, without the original":     {PayAnswer{Count: -1, Unasked: true, Rows: []PayRow{{PayResult: PayResult{Status: PayPaid}, PayeeAccount: p.Lines[1].PayeeAccount}}}, "UUUUU"},
		"a row that says nothing of the line": {PayAnswer{Count: -1, Rows: []PayRow{{PayResult: PayResult{Status: PayPaid}}}}, "UUUUU"},
	} {
		if got := lettersOf(c.answer.Results(p)); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

// TestIsPayResult: a result that comes by itself is told from a credit notice, and is answered as one.
func TestIsPayResult(t *testing.T) {
	b := payBank(gseries)
	for name, want := range map[string]bool{"payout/notice.xml": true, "payout/notice-flat.xml": true, "payout/answer.xml": false, "credit.xml": false, "link.xml": false, "broken-truncated.xml": false} {
		if got := b.IsPayResult(gSample(t, name)); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if payBank(painAdapter).IsPayResult(gSample(t, "payout/notice.xml")) {
		t.Error("a dialect without such notices has one")
	}
	answer := parsedG(t, gAnswer(b, gSample(t, "payout/notice.xml"), Answer{Outcome: New}).Body)
	if answer.head("TransCode") != "G00012" || answer.body("Result") != "00" || answer.body("AddWord") != "退款结果已收到" {
		t.Errorf("answered with %v", answer)
	}
}

func parsedG(t *testing.T, raw []byte) gMessage {
	t.Helper()
	m, err := parseG(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
