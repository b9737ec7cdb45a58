package bank

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// corpus holds public samples and what an independent program read in them.
const corpus = "../../shared/corpus"

type corpusFile struct {
	Type       string
	Statements []corpusStatement
}

type corpusStatement struct {
	Kind, ID, Acct, Ccy, Created string
	Balances                     [][]string // code, subtype, amount, date
	Entries, Credits, Debits, Tx int
	CreditSum                    string `json:"credit_sum"`
	DebitSum                     string `json:"debit_sum"`
	Status                       map[string]int
	Reversals                    int
	Foreign                      int `json:"foreign_ccy_entries"`
	Opening, Closing             *string
	OpeningCode                  *string `json:"opening_code"`
	ClosingCode                  *string `json:"closing_code"`
	Balanced                     *bool
	Gap                          *string
	DetailMismatch               [][]any  `json:"detail_mismatch"` // reference, amount, sum, transactions
	Declared                     [][4]any // what, declared, counted, whether they agree
	DeclaredOK                   *bool    `json:"declared_ok"`
}

func readCorpus(t *testing.T) map[string]corpusFile {
	raw, err := os.ReadFile(filepath.Join(corpus, "expected.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the public samples are not here: ", corpus)
	}
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]corpusFile{}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&files); err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCamtCorpus holds what we read of every public camt sample to what the independent program read.
func TestCamtCorpus(t *testing.T) {
	compared, checks := 0, 0
	for name, want := range readCorpus(t) {
		if !strings.HasPrefix(want.Type, "camt.") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got, err := readCamt(t, name)
			if len(want.Statements) == 0 {
				if code := deposit.AsRefusal(err).Code; len(got) > 0 || code != "camt_empty" && code != "camt_unknown" {
					t.Errorf("%d statements, error %v; want none and a clear error", len(got), err)
				}
				return
			}
			if err != nil || len(got) != len(want.Statements) {
				t.Fatalf("%d statements, error %v; want %d", len(got), err, len(want.Statements))
			}
			for i := range got {
				c := corpusCheck{t: t, n: &checks, at: fmt.Sprintf("statement %d", i+1)}
				c.statement(&got[i], want.Statements[i])
				compared++
			}
		})
	}
	t.Logf("compared %d figures of %d statements", checks, compared)
	if compared <= 60 {
		t.Errorf("compared only %d statements", compared)
	}
}

// TestCamtRefusesOtherMessages reads whatever else the corpus holds: no panic, no statement, a clear error.
func TestCamtRefusesOtherMessages(t *testing.T) {
	known, refused := readCorpus(t), 0
	err := filepath.WalkDir(corpus, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(corpus, path)
		if err != nil || !strings.HasSuffix(name, ".xml") || strings.HasPrefix(known[filepath.ToSlash(name)].Type, "camt.") {
			return err
		}
		refused++
		if got, err := readCamt(t, name); len(got) > 0 || !deposit.IsKind(err, deposit.Invalid) {
			t.Errorf("%s: %d statements, error %v", name, len(got), err)
		}
		return nil
	})
	if err != nil || refused < 30 {
		t.Errorf("refused %d files, error %v", refused, err)
	}
}

// TestCamtCorpusHandedOn sends every sample through the adapter. What is handed on must differ from the file's claims
// by exactly as much as the file itself does, and together with what was not booked make up the whole.
func TestCamtCorpusHandedOn(t *testing.T) {
	statements, entries := 0, 0
	for name, want := range readCorpus(t) {
		if !strings.HasPrefix(want.Type, "camt.") || len(want.Statements) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, notices := range []Notices{Single, Aggregate} {
				sink := &camtSink{t: t}
				file, err := os.Open(filepath.Join(corpus, name))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if err := camt.Statement(&Bank{Code: "corpus", Notices: notices}, file, sink); err != nil {
					t.Fatal(err)
				}
				read, _ := readCamt(t, name)
				for i := range sink.statements {
					sameDifference(t, &sink.statements[i], &read[i])
				}
				statements += len(sink.statements)
				entries += len(sink.entries)
			}
		})
	}
	t.Logf("%d entries of %d statements", entries, statements)
	if statements <= 120 {
		t.Errorf("only %d statements", statements)
	}
}

func sameDifference(t *testing.T, handed *camtHanded, read *camtRead) {
	t.Helper()
	if handed.faults > 0 { // only entries in a foreign currency: what could not be read is missing from the sums
		if foreign := read.Read.Foreign; foreign == 0 && read.Currency != "" {
			t.Errorf("%s: %d faults", read.ID, handed.faults)
		}
		return
	}
	d, r := handed.end.Declared, read.camtStatement
	if d.Entries >= 0 && d.Entries-handed.entries != r.Declared.Entries-r.Read.Entries {
		t.Errorf("%s: claims %d of %d handed on, but %d of %d read", r.ID, d.Entries, handed.entries, r.Declared.Entries, r.Read.Entries)
	}
	if d.CreditSum != nil && *d.CreditSum-handed.credits != *r.Declared.CreditSum-r.Read.CreditSum {
		t.Errorf("%s: claims %v of %v handed on, but %v of %v read", r.ID, d.CreditSum, handed.credits, r.Declared.CreditSum, r.Read.CreditSum)
	}
	if len(r.Status) == r.Status[camtBooked] && handed.credits-handed.debits != r.Read.CreditSum-r.Read.DebitSum {
		t.Errorf("%s: handed on %v − %v, read %v − %v", r.ID, handed.credits, handed.debits, r.Read.CreditSum, r.Read.DebitSum)
	}
}

// camtRead is a statement read to its end.
type camtRead struct {
	*camtStatement
	mismatches [][]any
}

func readCamt(t *testing.T, name string) (all []camtRead, err error) {
	file, err := os.Open(filepath.Join(corpus, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := newCamtReader(file)
	for {
		s, err := c.statement()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		read := camtRead{camtStatement: s}
		for {
			e, err := c.entry(s)
			if err != nil {
				return all, err
			}
			if e == nil {
				break
			}
			if e.Fault != nil {
				t.Errorf("fault at %d:%d: %s", e.Fault.Line, e.Fault.Column, e.Fault.Text)
			}
			if sum, known := e.detailSum(); known && sum != e.Amount {
				ref := e.Ref
				if ref == "" {
					ref = e.NtryRef
				}
				read.mismatches = append(read.mismatches, []any{ref, e.Amount, sum, len(e.Details)})
			}
		}
		for _, f := range s.Faults {
			t.Errorf("fault at %d:%d: %s", f.Line, f.Column, f.Text)
		}
		all = append(all, read)
	}
}

// corpusCheck compares figure by figure and counts what it compared.
type corpusCheck struct {
	t  *testing.T
	n  *int
	at string
}

func (c corpusCheck) same(what string, got, want any) {
	c.t.Helper()
	*c.n++
	if !reflect.DeepEqual(got, want) {
		c.t.Errorf("%s: %s is %v, want %v", c.at, what, got, want)
	}
}

// fen compares exactly, however many digits the expected number has.
func (c corpusCheck) fen(what string, got deposit.Fen, want string) {
	c.t.Helper()
	*c.n++
	exact, ok := new(big.Rat).SetString(want)
	if !ok || exact.Cmp(big.NewRat(int64(got), 100)) != 0 {
		c.t.Errorf("%s: %s is %s, want %s", c.at, what, got, want)
	}
}

func (c corpusCheck) statement(got *camtRead, want corpusStatement) {
	c.same("kind", got.Kind, want.Kind)
	c.same("id", got.ID, want.ID)
	c.same("account", got.Account, want.Acct)
	c.same("currency", got.Currency, want.Ccy)
	c.same("created", got.Created, want.Created)
	c.same("entries", got.Read.Entries, want.Entries)
	c.same("credits", got.Read.Credits, want.Credits)
	c.same("debits", got.Read.Debits, want.Debits)
	c.same("transactions", got.Read.Details, want.Tx)
	c.same("status", got.Status, want.Status)
	c.same("reversals", got.Read.Reversals, want.Reversals)
	c.same("foreign currency", got.Read.Foreign, want.Foreign)
	c.fen("credit sum", got.Read.CreditSum, want.CreditSum)
	c.fen("debit sum", got.Read.DebitSum, want.DebitSum)
	c.balances(got, want)
	c.declared(got, want)
	c.same("number of mismatches", len(got.mismatches), len(want.DetailMismatch))
	for i := range min(len(got.mismatches), len(want.DetailMismatch)) {
		g, w := got.mismatches[i], want.DetailMismatch[i]
		c.same("mismatch", g[0], w[0])
		c.fen("mismatch amount", g[1].(deposit.Fen), w[1].(string))
		c.fen("mismatch sum", g[2].(deposit.Fen), w[2].(string))
		c.same("mismatch transactions", strconv.Itoa(g[3].(int)), w[3].(json.Number).String())
	}
}

func (c corpusCheck) balances(got *camtRead, want corpusStatement) {
	c.same("number of balances", len(got.Balances), len(want.Balances))
	for i := range min(len(got.Balances), len(want.Balances)) {
		g, w := got.Balances[i], want.Balances[i]
		c.same("balance code", g.Code, w[0])
		c.fen("balance "+w[0], g.Amount, w[2])
		c.same("balance date", g.Written, w[3])
	}
	opening, closing := got.opening(), got.closing()
	c.balance("opening", got, opening, want.OpeningCode, want.Opening)
	c.balance("closing", got, closing, want.ClosingCode, want.Closing)
	if opening == nil || closing == nil {
		c.same("balanced", (*bool)(nil), want.Balanced)
		return
	}
	gap := closing.Amount - (opening.Amount + got.Read.CreditSum - got.Read.DebitSum)
	c.same("balanced", gap == 0, *want.Balanced)
	if want.Gap == nil {
		want.Gap = new("0")
	}
	c.fen("gap", gap, *want.Gap)
}

// balance compares with a code like "OPBD", or "ITBD#2" for the second of several.
func (c corpusCheck) balance(what string, s *camtRead, got *camtBalance, code, amount *string) {
	c.same(what+" known", got != nil, code != nil)
	if got == nil || code == nil {
		return
	}
	bare, number, numbered := strings.Cut(*code, "#")
	c.same(what+" code", got.Code, bare)
	c.fen(what, got.Amount, *amount)
	if numbered {
		n, _ := strconv.Atoi(number)
		c.same(what+" is number "+number, got, s.balanceOf(bare)[n-1])
	}
}

func (c corpusCheck) declared(got *camtRead, want corpusStatement) {
	d, r := got.Declared, got.Read
	counts := map[string][2]int{"n": {d.Entries, r.Entries}, "ncr": {d.Credits, r.Credits}, "ndb": {d.Debits, r.Debits}}
	net := max(r.CreditSum-r.DebitSum, r.DebitSum-r.CreditSum) // claimed without a sign
	sums := map[string]struct {
		claimed *deposit.Fen
		read    deposit.Fen
	}{"sum": {d.Sum, r.CreditSum + r.DebitSum}, "cr": {d.CreditSum, r.CreditSum}, "db": {d.DebitSum, r.DebitSum}, "net": {got.Net, net}}
	ok := true
	for _, w := range want.Declared {
		what, claimed, read, agree := w[0].(string), w[1].(string), w[2].(string), w[3].(bool)
		if count, isCount := counts[what]; isCount {
			c.same("declared "+what, strconv.Itoa(count[0]), claimed)
			c.same("read "+what, strconv.Itoa(count[1]), read)
			c.same("declared agrees "+what, count[0] == count[1], agree)
			ok = ok && count[0] == count[1]
			delete(counts, what)
			continue
		}
		sum, isSum := sums[what]
		if !isSum || sum.claimed == nil {
			c.t.Errorf("%s: %s is not declared", c.at, what)
			continue
		}
		c.fen("declared "+what, *sum.claimed, claimed)
		c.fen("read "+what, sum.read, read)
		c.same("declared agrees "+what, *sum.claimed == sum.read, agree)
		ok = ok && *sum.claimed == sum.read
		delete(sums, what)
	}
	for what, count := range counts {
		c.same("not declared "+what, count[0], -1)
	}
	for what, sum := range sums {
		c.same("not declared "+what, sum.claimed, (*deposit.Fen)(nil))
	}
	if want.DeclaredOK != nil {
		c.same("declared figures agree", ok, *want.DeclaredOK)
	} else {
		c.same("number declared", len(want.Declared), 0)
	}
}
