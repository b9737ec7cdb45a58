package sheet

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// formula says what a spreadsheet would do with a cell of a CSV.
func formula(cell string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u3000\u00a0\ufeff"))
	return cell != "" && strings.ContainsRune(triggers, first)
}

// TestNoFormulas writes a hundred thousand random texts, most of them of what formulas are made of: read again, no cell is a
// formula, and none has lost anything but for a return that CSV cannot keep.
func TestNoFormulas(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	alphabet := []rune("=+-@\t\r\n\x00＝＋－＠ \u3000\u00a0\ufeff'\",;|甲A1(")
	rows := make([][]string, 1000)
	for i := range rows {
		for range 100 {
			text := make([]rune, r.IntN(8))
			for k := range text {
				text[k] = alphabet[r.IntN(len(alphabet))]
			}
			rows[i] = append(rows[i], string(text))
		}
	}
	read := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(writeCSV(rows), []byte("\ufeff"))))
	again, err := read.ReadAll()
	if err != nil || len(again) != len(rows) {
		t.Fatalf("%d rows are read, %v", len(again), err)
	}
	plain := strings.NewReplacer("\r", "")
	for i := range rows {
		for k, cell := range again[i] {
			if formula(cell) {
				t.Fatalf("%q became the formula %q", rows[i][k], cell)
			}
			if want := plain.Replace(rows[i][k]); plain.Replace(cell) != want && plain.Replace(cell) != "'"+want {
				t.Fatalf("%q became %q", rows[i][k], cell)
			}
		}
	}
	if !formula("=1") || !formula(" ＝1") || formula("'=1") || formula("甲") {
		t.Error("the test does not know a formula")
	}
}
