package custody

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestField holds the field to the vectors of FIPS 197, section 4.2, and every inverse to its meaning.
func TestField(t *testing.T) {
	for _, c := range []struct{ a, b, product byte }{{0x57, 0x83, 0xc1}, {0x57, 0x13, 0xfe}, {0x57, 0x02, 0xae}, {0x57, 0x10, 0x07}, {0, 0x57, 0}, {1, 0x57, 0x57}} {
		if got := times(c.a, c.b); got != c.product {
			t.Errorf("%x × %x = %x, want %x", c.a, c.b, got, c.product)
		}
	}
	for a := 1; a < 256; a++ {
		if got := times(byte(a), inverse(byte(a))); got != 1 {
			t.Errorf("%x × its inverse = %x", a, got)
		}
	}
}

// TestCombine tries every set of custodians for 2 of 3, 3 of 5 and 2 of 2: enough of them give the key, fewer are told so.
func TestCombine(t *testing.T) {
	for _, c := range []struct{ shares, needed int }{{3, 2}, {5, 3}, {2, 2}} {
		k := New()
		all, err := Split(k, c.shares, c.needed)
		if err != nil {
			t.Fatal(err)
		}
		for set := range 1 << c.shares {
			var some []Share
			for i := range all {
				if set>>i&1 == 1 {
					some = append(some, all[i])
				}
			}
			got, err := Combine(some...)
			switch {
			case len(some) >= c.needed && (err != nil || got != k):
				t.Errorf("%d of %d, set %b: %v", c.needed, c.shares, set, err)
			case len(some) < c.needed && !errors.Is(err, ErrFew):
				t.Errorf("%d of %d, set %b: too few gave %v", c.needed, c.shares, set, err)
			}
		}
	}
}

// TestCombineVector holds the arithmetic to a curve worked out by hand: f(x) = 0x2a + 0x07·x has f(1) = 0x2d, f(2) = 0x24.
func TestCombineVector(t *testing.T) {
	if a, b := valueAt([]byte{0x2a, 0x07}, 1), valueAt([]byte{0x2a, 0x07}, 2); a != 0x2d || b != 0x24 {
		t.Errorf("f(1) = %x, f(2) = %x", a, b)
	}
	if got := times(0x2d, weightAtZero([]byte{1, 2}, 0)) ^ times(0x24, weightAtZero([]byte{1, 2}, 1)); got != 0x2a {
		t.Errorf("f(0) = %x", got)
	}
}

func TestCombineRefuses(t *testing.T) {
	k := New()
	mine, _ := Split(k, 3, 2)
	others, _ := Split(New(), 3, 2)
	again, _ := Split(k, 3, 2)
	if _, err := Combine(mine[0], mine[0]); !errors.Is(err, ErrFew) {
		t.Errorf("one share twice: %v", err)
	}
	if _, err := Combine(mine[0], others[1]); !errors.Is(err, ErrMixed) {
		t.Errorf("shares of two keys: %v", err)
	}
	if _, err := Combine(mine[0], again[1]); !errors.Is(err, ErrForged) {
		t.Errorf("shares of two splittings: %v", err)
	}
	for _, c := range []struct{ shares, needed int }{{3, 1}, {2, 3}, {256, 2}} {
		if _, err := Split(k, c.shares, c.needed); err == nil {
			t.Errorf("%d of %d was split", c.needed, c.shares)
		}
	}
}

// TestTexts reads what was written, and nothing in which one letter is another.
func TestTexts(t *testing.T) {
	k := New()
	shares, _ := Split(k, 3, 2)
	if got, err := Parse(" " + k.Text() + "\r\n"); err != nil || got != k {
		t.Errorf("%v", err)
	}
	got, err := ParseShare(shares[2].Text() + "\n")
	if err != nil || got.Text() != shares[2].Text() || got.Key() != k.ID() || got.Number != 3 || got.Needed != 2 {
		t.Errorf("%v %+v", err, got)
	}
	for _, text := range []string{k.Text(), shares[0].Text()} {
		for at := range text {
			other := byte('x')
			if text[at] == other {
				other = 'y'
			}
			wrong := text[:at] + string(other) + text[at+1:]
			_, err := Parse(wrong)
			_, shareErr := ParseShare(wrong)
			if err == nil || shareErr == nil {
				t.Errorf("a wrong letter at %d was not noticed", at)
			}
		}
	}
}

// TestNeverPrinted tries the ways in which a key could get into a log.
func TestNeverPrinted(t *testing.T) {
	k := New()
	in := struct{ K Key }{k}
	printed, _ := json.Marshal(in)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %q %x %d", k, k, k, k, k, k, k), fmt.Sprintf("%+v %v", in, &in), string(printed)} {
		if !strings.Contains(text, k.ID()) || len(text) > 7*(len(k.ID())+12) || strings.Contains(text, k.Text()[len(keyMark):]) {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "master.key")
	if err := WriteFile(name, "first"); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(name, "second"); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was written over: %v", err)
	}
	if text, err := ReadFile(name); err != nil || text != "first\n" {
		t.Errorf("%q %v", text, err)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(name); !errors.Is(err, ErrOpen) {
		t.Errorf("a file that others may read: %v", err)
	}
}
