package bank

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// The contract holds every registered dialect to the same promises, on its own samples and on what hostile peers and
// broken lines make of them. The samples stand in testdata/bank/<adapter>/; a word of a file's name says what it is:
//
//	notice, statement    which function reads it; without the word each that the adapter has
//	bad, broken, other   it is refused, or has faults; so is a result, which is no business of this side
//	link                 it is read and holds no entries
//	(none of these)      it is good: it gives entries, all of which can be stored
type sample struct {
	name string
	kind string // "good", "bad", "silent"
	raw  []byte
	read contractReader
}

// contractReader has an adapter read bytes, as a notice or as a statement.
type contractReader func(raw []byte) reading

// reading is what an adapter made of some bytes.
type reading struct {
	entries []Entry // as the adapter gives them
	faults  int
	err     error
}

var errPanicked = errors.New("panicked")

func (r reading) refused() bool { return r.err != nil || r.faults > 0 }

// clauses are the promises; each returns what breaks it.
var clauses = []struct {
	name string
	of   string // the kinds of samples it is about
	hold func(sample) []string
}{
	{"good files are read whole", "good", readsGood},
	{"bad files are refused", "bad", refusesBad},
	{"files without entries are no error", "silent", readsSilent},
	{"reading again gives the same", "good bad silent", readsAlike},
	{"two may read at once", "good", readsAtOnce},
	{"NUL bytes at the end change nothing", "good silent", survivesPadding},
	{"a lying declaration makes no mojibake", "good", survivesLies},
	{"what is cut short is no other money", "good", survivesCuts},
	{"a flipped byte makes no impossible entry", "good bad silent", survivesFlips},
}

func TestContract(t *testing.T) {
	for _, a := range Adapters() {
		if a.Notice == nil && a.Statement == nil {
			continue // it only pays: TestPayContract
		}
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			samples := contractSamples(t, a)
			for _, clause := range clauses {
				t.Run(clause.name, func(t *testing.T) {
					for _, s := range samples {
						if !strings.Contains(clause.of, s.kind) {
							continue
						}
						for _, breach := range clause.hold(s) {
							t.Errorf("%s: %s", s.name, breach)
						}
					}
				})
			}
		})
	}
}

// contractSamples reads an adapter's samples; every function of it needs a good and a bad one.
func contractSamples(t *testing.T, a *Adapter) []sample {
	folder := filepath.Join("..", "testdata", "bank", a.Name)
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatalf("the dialect has no samples: %v", err)
	}
	var samples []sample
	count := map[string]int{}
	for _, f := range files {
		ext := filepath.Ext(f.Name())
		if f.IsDir() || !slices.Contains([]string{".xml", ".json", ".txt", ".csv"}, ext) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range contractSample(a, strings.TrimSuffix(f.Name(), ext), raw) {
			samples = append(samples, s)
			count[s.kind]++
		}
	}
	if count["good"] == 0 || count["bad"] == 0 {
		t.Fatalf("a dialect needs good and bad samples, has %v", count)
	}
	return samples
}

func contractSample(a *Adapter, name string, raw []byte) (samples []sample) {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' })
	says := func(one ...string) bool {
		return slices.ContainsFunc(one, func(w string) bool { return slices.Contains(words, w) })
	}
	kind := "good"
	switch {
	case says("bad", "broken", "other", "result"):
		kind = "bad"
	case says("link"):
		kind = "silent"
	}
	if a.Notice != nil && !says("statement") {
		samples = append(samples, sample{name, kind, raw, noticeReader(a)})
	}
	if a.Statement != nil && !says("notice") {
		samples = append(samples, sample{name, kind, raw, statementReader(a)})
	}
	return samples
}

// contractBank is a bank that speaks a dialect and takes whatever it may say.
func contractBank(a *Adapter) *Bank {
	return &Bank{Code: "bank", Name: "示例银行", Adapter: a, StatementAdapter: a, ParentAccounts: []string{"6550100000000000017"}, Charset: GB18030,
		Notices: Aggregate, Seal: SealWith(NoSeal)}
}

func noticeReader(a *Adapter) contractReader {
	return func(raw []byte) (r reading) {
		defer r.catch()
		r.entries, r.err = a.Notice(contractBank(a), slices.Clone(raw))
		if r.err != nil {
			r.entries = nil // an error says that there are none, whatever is returned beside it
		}
		for _, e := range r.entries { // what is not admitted refuses the message, see Open
			if err := contractBank(a).admit(&e); err != nil && r.err == nil {
				r.err = err
			}
		}
		return r
	}
}

func statementReader(a *Adapter) contractReader {
	return func(raw []byte) (r reading) {
		defer r.catch()
		r.err = a.Statement(contractBank(a), bytes.NewReader(raw), &contractSink{bank: contractBank(a), r: &r})
		return r
	}
}

func (r *reading) catch() {
	if p := recover(); p != nil {
		r.err = fmt.Errorf("%w: %v", errPanicked, p)
	}
}

// contractSink collects what a statement gives, and holds the adapter to the order of the calls.
type contractSink struct {
	bank *Bank
	r    *reading
	open bool
}

func (c *contractSink) Begin(Statement) error {
	if c.open {
		return errors.New("a statement begins within a statement")
	}
	c.open = true
	return nil
}

func (c *contractSink) Entry(e *Entry) error {
	if !c.open {
		return errors.New("an entry outside of a statement")
	}
	c.r.entries = append(c.r.entries, *e)
	admitted := *e
	if err := c.bank.admit(&admitted); err != nil {
		c.r.faults++
	}
	return nil
}

func (c *contractSink) Fault(f Fault) error {
	if f.Line < 1 || f.Code == "" || f.Text == "" {
		return fmt.Errorf("a fault that does not say where or what: %+v", f)
	}
	c.r.faults++
	return nil
}

func (c *contractSink) End(Statement) error {
	if !c.open {
		return errors.New("a statement ends that never began")
	}
	c.open = false
	return nil
}

func readsGood(s sample) []string {
	r := s.read(s.raw)
	if r.refused() || len(r.entries) == 0 {
		return []string{fmt.Sprintf("%d entries, %d faults, error %v", len(r.entries), r.faults, r.err)}
	}
	return impossible(r)
}

func refusesBad(s sample) []string {
	r := s.read(s.raw)
	if !r.refused() {
		return []string{fmt.Sprintf("read without a word: %d entries", len(r.entries))}
	}
	if r.err != nil && deposit.AsRefusal(r.err).Kind != deposit.Invalid {
		return []string{fmt.Sprintf("an error that explains nothing to the sender: %v", r.err)}
	}
	return impossible(r)
}

func readsSilent(s sample) []string {
	if r := s.read(s.raw); r.refused() || len(r.entries) > 0 {
		return []string{fmt.Sprintf("%d entries, %d faults, error %v", len(r.entries), r.faults, r.err)}
	}
	return nil
}

func readsAlike(s sample) []string {
	return differ("the second time", s.read(s.raw), s.read(s.raw))
}

func readsAtOnce(s sample) []string {
	want := s.read(s.raw)
	var got [2]reading
	var wait sync.WaitGroup
	for i := range got {
		wait.Go(func() {
			for range 10 {
				got[i] = s.read(s.raw)
			}
		})
	}
	wait.Wait()
	return append(differ("beside another", want, got[0]), differ("beside another", want, got[1])...)
}

func survivesPadding(s sample) []string {
	want := s.read(s.raw)
	padded := append(slices.Clone(s.raw), make([]byte, 300)...)
	return append(differ("with NUL bytes", want, s.read(padded)), differ("with NUL bytes and blanks", want, s.read(append(padded, " \r\n"...)))...)
}

// survivesLies writes the text in UTF-8 and in GB18030 without touching what it declares itself to be. Either the same
// entries come out or none; never other ones.
func survivesLies(s sample) (breaches []string) {
	want := s.read(s.raw)
	text, err := Sniff(s.raw, GB18030).Decode(bytes.TrimPrefix(s.raw, utf8BOM))
	if err != nil {
		return []string{fmt.Sprintf("the sample is no text: %v", err)}
	}
	gb18030, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		return []string{fmt.Sprintf("the sample cannot be written in GB18030: %v", err)}
	}
	for charset, lie := range map[string]string{"UTF-8": text, "GB18030": gb18030} {
		r := s.read([]byte(lie))
		for _, e := range r.entries {
			if !slices.ContainsFunc(want.entries, func(w Entry) bool { return reflect.DeepEqual(w, e) }) {
				breaches = append(breaches, fmt.Sprintf("really in %s: an entry that is none: %+v", charset, e))
			}
		}
		if len(r.entries) < len(want.entries) && !r.refused() {
			breaches = append(breaches, fmt.Sprintf("really in %s: entries are missing without a word", charset))
		}
	}
	return breaches
}

// atMost is how many cuts, or flips, of one sample are tried: enough to meet each field of a notice, and seconds in all.
// The fuzz targets try the rest.
const atMost = 100

func survivesCuts(s sample) (breaches []string) {
	type money struct {
		Identity
		deposit.Fen
	}
	sent := map[money]bool{}
	for _, e := range s.read(s.raw).entries {
		sent[money{e.Identity(), e.Amount}] = true
	}
	for n := 0; n < len(s.raw); n += 1 + len(s.raw)/atMost {
		r := s.read(s.raw[:n])
		breaches = append(breaches, at(fmt.Sprintf("cut after %d bytes", n), impossible(r))...)
		for _, e := range r.entries {
			if !sent[money{e.Identity(), e.Amount}] {
				breaches = append(breaches, fmt.Sprintf("cut after %d bytes: money nobody sent: %+v", n, e))
			}
		}
	}
	return first3(breaches)
}

func survivesFlips(s sample) (breaches []string) {
	masks := []byte{0x80, 0x01, 0x20} // out of its charset, into its neighbour, into the other case
	most := atMost
	if s.kind == "bad" { // there are many of them, and mostly they break off early
		most /= 4
	}
	for i, n := 0, 0; n < len(s.raw); i, n = i+1, n+1+len(s.raw)/most {
		flipped := slices.Clone(s.raw)
		flipped[n] ^= masks[i%len(masks)]
		breaches = append(breaches, at(fmt.Sprintf("byte %d is %#x", n, flipped[n]), impossible(s.read(flipped)))...)
	}
	return first3(breaches)
}

// impossible lists what no adapter may ever give, whatever it read. It asks nothing of Entry.Check, which it also holds
// to its word.
func impossible(r reading) (breaches []string) {
	if errors.Is(r.err, errPanicked) {
		return []string{r.err.Error()}
	}
	if r.err != nil && deposit.AsRefusal(r.err).Kind == deposit.Internal && !errors.Is(r.err, io.ErrUnexpectedEOF) {
		breaches = append(breaches, fmt.Sprintf("an error nobody classified: %v", r.err))
	}
	for _, e := range r.entries {
		for _, text := range []string{e.ParentAccount, string(e.BookingDate), e.Serial, e.ReversalOf, e.SubAccount, e.PayerName, e.PayerAccount, e.PayerBank, e.PayerBankCode, e.Remark} {
			if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
				breaches = append(breaches, fmt.Sprintf("a text with lost characters: %q", text))
			}
		}
		day, err := deposit.ParseDay(string(e.BookingDate))
		if e.Amount <= 0 || e.Amount > deposit.MaxFen || e.Direction != Credit && e.Direction != Debit || err != nil || day != e.BookingDate || e.BookedAt.IsZero() {
			breaches = append(breaches, fmt.Sprintf("an entry that cannot be: %+v", e))
		}
	}
	return breaches
}

func differ(when string, want, got reading) []string {
	if !reflect.DeepEqual(want.entries, got.entries) || want.faults != got.faults || fmt.Sprint(want.err) != fmt.Sprint(got.err) {
		return []string{fmt.Sprintf("%s it reads otherwise: %d entries, %d faults, error %v; before %d, %d, %v", when,
			len(got.entries), got.faults, got.err, len(want.entries), want.faults, want.err)}
	}
	return nil
}

func at(where string, breaches []string) []string {
	for i := range breaches {
		breaches[i] = where + ": " + breaches[i]
	}
	return breaches
}

// first3 is enough to see what is wrong.
func first3(breaches []string) []string { return breaches[:min(3, len(breaches))] }
