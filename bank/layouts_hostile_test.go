package bank

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// ours are the dialects of this file's tests, each with a file that has all it can have.
var ours = []struct {
	*Adapter
	sample string
}{
	{delimitedAdapter, "statement.txt"}, {fixedAdapter, "statement.txt"}, {csvAdapter, "statement.csv"}, {csvAdapter, "statement-gbk.csv"},
}

// checkSound fails on what no file may ever lead to.
func checkSound(t *testing.T, s *apart, err error) {
	t.Helper()
	if err != nil && !deposit.IsKind(err, deposit.Invalid) {
		t.Fatalf("an error that nobody classified: %v", err)
	}
	for _, e := range s.entries {
		if err := e.Check(); err != nil {
			t.Fatalf("an entry that cannot be stored: %v: %+v", err, e)
		}
		for _, field := range texts {
			if text := *field.of(&e); strings.ContainsRune(text, utf8.RuneError) {
				t.Fatalf("lost characters in %s: %q", field.name, text)
			}
		}
	}
	for _, f := range s.faults {
		if f.Line < 1 || f.Column < 1 || f.Code == "" || !strings.Contains(f.Text, "应") {
			t.Fatalf("a fault that does not say where and what: %+v", f)
		}
	}
}

// TestEveryPrefix cuts each sample after every byte: what is left is read soundly, gives no other entries, and is never
// taken for whole where the layout can tell.
func TestEveryPrefix(t *testing.T) {
	for _, x := range ours {
		t.Run(x.Name+" "+x.sample, func(t *testing.T) {
			t.Parallel()
			raw := sampleFile(t, x.Name, x.sample)
			whole, err := takeApart(x.Adapter, raw)
			if err != nil {
				t.Fatal(err)
			}
			content := len(bytes.TrimRight(raw, "\r\n |"))
			for n := range raw {
				s, err := takeApart(x.Adapter, raw[:n])
				checkSound(t, s, err)
				for i, e := range s.entries {
					w := whole.entries[i]
					if x.Adapter == csvAdapter && i == len(s.entries)-1 && e.ReversalOf == "" {
						w.Reversal = "" // its last column is cut off, and nothing says so
					}
					if e.Identity() != w.Identity() || e.Amount != w.Amount {
						t.Fatalf("cut after %d bytes: %+v is not %+v", n, e, w)
					}
				}
				if x.Adapter != csvAdapter && n < content && err == nil && len(s.faults) == 0 {
					t.Fatalf("cut after %d of %d bytes, and taken for whole", n, len(raw))
				}
			}
		})
	}
}

// TestEveryFlip changes each byte of a file of each layout in three ways: another digit, another case, out of or into
// ASCII. The file holds the entries that are hardest to hold.
func TestEveryFlip(t *testing.T) {
	for _, x := range ours {
		t.Run(x.Name+" "+x.sample, func(t *testing.T) {
			t.Parallel()
			raw := hardFile(t, x.Name, strings.Contains(x.sample, "gbk"))
			for n := range raw {
				for _, mask := range []byte{0x01, 0x20, 0x80} {
					flipped := slices.Clone(raw)
					flipped[n] ^= mask
					s, err := takeApart(x.Adapter, flipped)
					checkSound(t, s, err)
				}
			}
		})
	}
}

// hardFile holds 0x7C within characters, characters of four bytes, a remark in two widths and a 冲正.
func hardFile(t *testing.T, layout string, gbk bool) []byte {
	all := csvEntries(t)
	hard := []Entry{all[1], all[2], all[3], all[5]}
	switch layout {
	case "delimited":
		return writeAll(t, toBuffer(WriteDelimited), ourStatement(hard), hard)
	case "fixed":
		return writeAll(t, toBuffer(WriteFixed), ourStatement(hard), hard)
	}
	raw := writeAll(t, toBuffer(WriteCSV), Statement{}, hard)
	if gbk {
		return inGBK(t, string(raw))
	}
	return raw
}

// TestEveryRecordIsAccountedFor damages each line of each sample in turn: whatever is read, the entries and the faults
// together are as many as the lines, or the file is refused.
func TestEveryRecordIsAccountedFor(t *testing.T) {
	for _, x := range ours {
		t.Run(x.Name+" "+x.sample, func(t *testing.T) {
			raw := sampleFile(t, x.Name, x.sample)
			whole, err := takeApart(x.Adapter, raw)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Split(raw, []byte("\n"))
			for i := range lines {
				for _, damage := range []string{"\xff", "|", ",", `"`, "x"} {
					broken := slices.Clone(lines)
					broken[i] = append([]byte(damage), lines[i]...)
					s, err := takeApart(x.Adapter, bytes.Join(broken, []byte("\n")))
					checkSound(t, s, err)
					if n := len(s.entries) + len(s.faults); err == nil && n < len(whole.entries) {
						t.Errorf("line %d damaged by %q: %d entries and %d faults of %d", i+1, damage, len(s.entries), len(s.faults), len(whole.entries))
					}
				}
			}
		})
	}
}

// stubborn is a sink that refuses at its nth call.
type stubborn struct{ left int }

var errFull = errors.New("no more")

func (s *stubborn) spend() error {
	s.left--
	if s.left < 0 {
		return errFull
	}
	return nil
}
func (s *stubborn) Begin(Statement) error { return s.spend() }
func (s *stubborn) Entry(*Entry) error    { return s.spend() }
func (s *stubborn) Fault(Fault) error     { return s.spend() }
func (s *stubborn) End(Statement) error   { return s.spend() }

// TestTheSinkIsHeard has the sink refuse at each of its calls: the reading ends there with the sink's own error.
func TestTheSinkIsHeard(t *testing.T) {
	for _, x := range ours {
		raw := sampleFile(t, x.Name, x.sample)
		s := &stubborn{left: 1 << 20}
		if err := x.Statement(ourBank(), bytes.NewReader(raw), s); err != nil {
			t.Fatal(err)
		}
		calls := 1<<20 - s.left
		for n := range calls {
			s := &stubborn{left: n}
			if err := x.Statement(ourBank(), bytes.NewReader(raw), s); !errors.Is(err, errFull) || s.left != -1 {
				t.Errorf("%s: refused at call %d of %d: error %v, %d calls after it", x.Name, n+1, calls, err, -1-s.left)
			}
		}
	}
}

// halfway is a file whose reading breaks off.
type halfway struct {
	*bytes.Reader
	cause error
}

func (h halfway) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p[:min(len(p), 100)])
	if err != nil {
		err = h.cause
	}
	return n, err
}

// TestABrokenSourceIsNoEnd shows that an error while reading is never taken for the end of the file.
func TestABrokenSourceIsNoEnd(t *testing.T) {
	for _, x := range ours {
		raw := bytes.Repeat(sampleFile(t, x.Name, x.sample), 100) // past the first look at the file
		err := x.Statement(ourBank(), halfway{bytes.NewReader(raw), errFull}, &apart{})
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", x.Name, err)
		}
	}
}

func fuzzStatement(f *testing.F, a *Adapter, samples ...string) {
	for _, name := range samples {
		f.Add(sampleFile(f, a.Name, name))
	}
	f.Add([]byte(nil))
	f.Add([]byte("\xef\xbb\xbf\x00\x1a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := takeApart(a, raw)
		checkSound(t, s, err)
	})
}

func FuzzDelimited(f *testing.F) {
	fuzzStatement(f, delimitedAdapter, "statement.txt", "statement-broken-rows.txt", "statement-pages.txt")
}

func FuzzFixed(f *testing.F) {
	fuzzStatement(f, fixedAdapter, "statement.txt", "statement-broken-rows.txt")
}

func FuzzCSV(f *testing.F) {
	fuzzStatement(f, csvAdapter, "statement.csv", "statement-gbk.csv", "statement-broken-rows.csv")
}
