package bank

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// payClauses are the promises of every way to pay, held on the samples of its answers to ourPayout; each returns what
// breaks it. The gravest is always the same: no line is PAID that was not.
var payClauses = []struct {
	name string
	hold func(payCase) []string
}{
	{"read again it is the same", payAlike},
	{"NUL bytes at the end change nothing", payPadded},
	{"a lying charset changes no line", payLies},
	{"what is cut short says no more than the whole", payCuts},
	{"a flipped byte pays nobody", payFlips},
	{"a word nobody knows is unknown", payWords},
}

// payCase is one sample of an answer and what it says of each line.
type payCase struct {
	bank *Bank
	name string
	raw  []byte
	want []PayResult
	bad  bool // it cannot be read; a flip may mend it
}

func newPayCase(a *Adapter, name string, raw []byte) payCase {
	c := payCase{bank: payBank(a), name: name, raw: raw}
	var err error
	c.want, err = c.bank.PayResults(ourPayout(), raw)
	c.bad = err != nil
	return c
}

// against reads other bytes and lists what they say that must not be said: a line paid that was not, a panic, a result too
// few. mayDiffer: a status code was changed.
func (c payCase) against(where string, raw []byte, mayDiffer bool) (breaches []string) {
	got, err := c.bank.PayResults(ourPayout(), raw)
	if err != nil && !deposit.IsKind(err, deposit.Invalid) {
		breaches = append(breaches, fmt.Sprintf("%s: %v", where, err))
	}
	if len(got) != len(c.want) {
		return append(breaches, fmt.Sprintf("%s: %d results", where, len(got)))
	}
	for i := range got {
		if got[i].Serial != c.want[i].Serial {
			breaches = append(breaches, fmt.Sprintf("%s: line %d is another's", where, i))
		}
		if got[i].Status == PayPaid && c.want[i].Status != PayPaid && !mayDiffer {
			breaches = append(breaches, fmt.Sprintf("%s: line %d is %s, was %s", where, i, got[i].Status, c.want[i].Status))
		}
	}
	return breaches
}

func payAlike(c payCase) []string {
	again, _ := c.bank.PayResults(ourPayout(), slices.Clone(c.raw))
	if !reflect.DeepEqual(again, c.want) {
		return []string{"it reads otherwise the second time"}
	}
	return nil
}

func payPadded(c payCase) []string {
	again, _ := c.bank.PayResults(ourPayout(), append(slices.Clone(c.raw), make([]byte, 300)...))
	if !reflect.DeepEqual(again, c.want) {
		return []string{"it reads otherwise with NUL bytes"}
	}
	return nil
}

// payLies writes the text in another charset than is declared: the same results, or unknown ones.
func payLies(c payCase) (breaches []string) {
	text, err := Sniff(c.raw, GB18030).Decode(c.raw)
	if err != nil {
		return nil // a sample of broken bytes
	}
	gb18030, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		return []string{err.Error()}
	}
	for charset, lie := range map[string]string{"UTF-8": text, "GB18030": gb18030} {
		got, _ := c.bank.PayResults(ourPayout(), []byte(lie))
		for i := range got {
			if got[i].Status != c.want[i].Status && got[i].Status != PayUnknown {
				breaches = append(breaches, fmt.Sprintf("really in %s: line %d is %s, was %s", charset, i, got[i].Status, c.want[i].Status))
			}
		}
	}
	return breaches
}

// stride is how far apart cuts and flips are: every byte under TORTURE, else some hundreds of a sample.
func (c payCase) stride() int {
	if os.Getenv("TORTURE") != "" {
		return 1
	}
	return 1 + len(c.raw)/500
}

func payCuts(c payCase) (breaches []string) {
	for n := 0; n < len(c.raw); n += c.stride() {
		breaches = append(breaches, c.against(fmt.Sprintf("cut after %d bytes", n), c.raw[:n], false)...)
	}
	return first3(breaches)
}

// inWord says whether a byte is of a status code. There a flip may make another ("10" becomes "00", ACWC becomes ACSC), which
// then is what the bank says.
func inWord(raw []byte, n int) bool {
	tag := bytes.LastIndexByte(raw[:n], '>')
	return raw[n] != '<' && tag > 0 && !bytes.Contains(raw[tag:n], []byte("<")) && (bytes.HasSuffix(raw[:tag], []byte("<Result")) || bytes.HasSuffix(raw[:tag], []byte("Sts")))
}

// payFlips flips a bit of every byte, and each bit of it under TORTURE.
func payFlips(c payCase) (breaches []string) {
	masks := []byte{0x80, 0x01, 0x20, 0x10, 0x02, 0x40, 0x04, 0x08}
	each := 1
	if os.Getenv("TORTURE") != "" {
		each = len(masks)
	}
	for n := 0; n < len(c.raw); n += c.stride() {
		for k := range each {
			flipped := slices.Clone(c.raw)
			flipped[n] ^= masks[(n+k)%len(masks)]
			breaches = append(breaches, c.against(fmt.Sprintf("byte %d is %#x", n, flipped[n]), flipped, c.bad || inWord(c.raw, n))...)
		}
	}
	return first3(breaches)
}

// payWords puts a word that is in no table in the place of each that is.
func payWords(c payCase) (breaches []string) {
	for _, word := range []string{"<Result>00<", "<Result>10<", "<Result>09<", "|PAYOUT|", "|FAIL|", "|SUBMIT_SUCC|", "Sts>ACSC<", "Sts>RJCT<", "Sts>ACCP<", "Sts>ACSP<"} {
		other := strings.NewReplacer("00", "ZZ", "10", "ZZ", "09", "ZZ", "PAYOUT", "ZZ", "FAIL", "ZZ", "SUBMIT_SUCC", "ZZ", "ACSC", "ZZZZ", "RJCT", "ZZZZ", "ACCP", "ZZZZ", "ACSP", "ZZZZ").Replace(word)
		got, err := c.bank.PayResults(ourPayout(), bytes.ReplaceAll(c.raw, []byte(word), []byte(other)))
		for i := range got {
			if err == nil && got[i].Status != c.want[i].Status && got[i].Status != PayUnknown {
				breaches = append(breaches, fmt.Sprintf("without %s line %d is %s, was %s", word, i, got[i].Status, c.want[i].Status))
			}
		}
	}
	return breaches
}

// paySamples are the samples of a dialect that pays; the three of ISO 20022 share theirs.
func paySamples(t testing.TB, a *Adapter) (cases []payCase) {
	t.Helper()
	folder := a.Name
	if a.Payout.Query == nil && payAnswers[folder] == nil {
		folder = painAdapter.Name
	}
	for name := range payAnswers[folder] {
		raw, err := os.ReadFile(filepath.Join("..", "testdata", "bank", folder, "payout", name))
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, newPayCase(a, name, raw))
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no samples", a.Name)
	}
	return cases
}

func TestPayContract(t *testing.T) {
	for _, a := range payers() {
		if a != camt && a != pain03Adapter { // they read as pain does
			t.Run(a.Name, func(t *testing.T) {
				t.Parallel()
				for _, clause := range payClauses {
					for _, c := range paySamples(t, a) {
						for _, breach := range clause.hold(c) {
							t.Errorf("%s: %s: %s", clause.name, c.name, breach)
						}
					}
				}
			})
		}
	}
}

// TestPayContractCatches proves the contract on seeded bugs: each breaks the clause that is there for it.
func TestPayContractCatches(t *testing.T) {
	var calls atomic.Int32
	sound := delimitedPaying.Read
	unpack := func(change func(a *PayAnswer, raw []byte)) func(*Bank, []byte) (PayAnswer, error) {
		return func(b *Bank, raw []byte) (PayAnswer, error) {
			a, err := sound(b, raw)
			change(&a, raw)
			return a, err
		}
	}
	for bug, c := range map[string]struct {
		read   func(*Bank, []byte) (PayAnswer, error)
		clause string
	}{
		"":                       {sound, ""},
		"remembers what it read": {unpack(func(a *PayAnswer, _ []byte) { a.Rows = a.Rows[:min(len(a.Rows), int(calls.Add(1))%3)] }), "read again it is the same"},
		"reads NUL bytes as text": {unpack(func(a *PayAnswer, raw []byte) {
			a.Rows = a.Rows[:len(a.Rows)*(bytes.IndexByte(raw, 0)/len(raw)+1)&^bytes.Count(raw, []byte{0})]
		}), "NUL bytes at the end change nothing"},
		"panics on a short file":           {unpack(func(_ *PayAnswer, raw []byte) { _ = raw[40] }), "what is cut short says no more than the whole"},
		"takes a broken row for paid":      {unpack(func(a *PayAnswer, _ []byte) { a.allPaid(len(a.Faults) > 0) }), "a flipped byte pays nobody"},
		"takes a word it does not know":    {unpack(func(a *PayAnswer, _ []byte) { a.unknownIsPaid() }), "a word nobody knows is unknown"},
		"explains nothing":                 {func(*Bank, []byte) (PayAnswer, error) { return PayAnswer{}, errors.New("no") }, "a flipped byte pays nobody"},
		"takes what is missing for paid":   {unpack(func(a *PayAnswer, _ []byte) { a.allPaid(len(a.Rows) < 2) }), "what is cut short says no more than the whole"},
		"believes mojibake to be an order": {unpack(func(a *PayAnswer, raw []byte) { a.allPaid(Sniff(raw, GB18030) == UTF8) }), "a lying charset changes no line"},
	} {
		paying := *delimitedPaying
		paying.Read = c.read
		a := &Adapter{Name: "delimited", Payout: &paying}
		var broken []string
		for _, clause := range payClauses {
			if breaches := clause.hold(newPayCase(a, "result.txt", paySample(t, "delimited", "result.txt"))); len(breaches) > 0 {
				broken = append(broken, clause.name)
			}
		}
		if c.clause == "" && len(broken) > 0 {
			t.Errorf("a sound dialect breaks %q", broken)
		}
		if c.clause != "" && !slices.Contains(broken, c.clause) {
			t.Errorf("a dialect that %s breaks only %q, not %q", bug, broken, c.clause)
		}
	}
}

// allPaid is a bug: the batch is taken for paid.
func (a *PayAnswer) allPaid(really bool) {
	if really {
		*a = PayAnswer{Count: -1, Status: PayPaid}
	}
}

// unknownIsPaid is a bug, too.
func (a *PayAnswer) unknownIsPaid() {
	for i := range a.Rows {
		if a.Rows[i].Code == "ZZ" {
			a.Rows[i].Status = PayPaid
		}
	}
}

// FuzzPayAnswer reads anything as an answer in every dialect: there is a result for each line, in order, and no line is paid
// whose serial, or account, the bytes do not name.
func FuzzPayAnswer(f *testing.F) {
	all := payers()
	for i, a := range all {
		for _, c := range paySamples(f, a) {
			f.Add(uint(i), c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, which uint, raw []byte) {
		b, p := payBank(all[which%uint(len(all))]), ourPayout()
		results, err := b.PayResults(p, raw)
		if err != nil && !deposit.IsKind(err, deposit.Invalid) {
			t.Fatal(err)
		}
		if len(results) != len(p.Lines) {
			t.Fatalf("%d results", len(results))
		}
		for i, r := range results {
			if r.Serial != p.Lines[i].Serial || PayStatusNames[r.Status] == "" || r.Status == PayPartial {
				t.Fatalf("line %d: %+v", i, r)
			}
			if err != nil && r.Status != PayUnknown {
				t.Fatalf("unreadable, and %s", r.Status)
			}
		}
	})
}

// FuzzWritePayout writes lines of any texts: what is taken is read back by the bank to the byte, see banksim; here, that it
// is written at all, in GBK, and the same twice.
func FuzzWritePayout(f *testing.F) {
	f.Add("聊城市东昌建设工程有限公司", "6212000000000000005", "示例银行", "退保证金", int64(1))
	f.Add("亅|倈]]>", "１", "\x00", "\n", int64(-1))
	f.Fuzz(func(t *testing.T, name, account, bankName, purpose string, amount int64) {
		for _, a := range payers() {
			b, p := payBank(a), ourPayout()
			p.Lines = p.Lines[:1]
			l := &p.Lines[0]
			l.PayeeName, l.PayeeAccount, l.PayeeBank, l.Purpose, l.Amount = name, account, bankName, purpose, deposit.Fen(amount)
			raw, err := b.WritePayout(p)
			if faults := b.CheckPayout(p); (len(faults) == 0) != (err == nil) {
				t.Fatalf("%s: %+v, but %v", a.Name, faults, err)
			}
			again, _ := b.WritePayout(p)
			if !bytes.Equal(raw, again) {
				t.Fatalf("%s: written in two ways", a.Name)
			}
		}
	})
}

// PayResults reads an answer and holds it against the batch.
func (b *Bank) PayResults(p *Payout, raw []byte) ([]PayResult, error) {
	a, err := b.ReadPayAnswer(raw)
	return a.Results(p), err
}
