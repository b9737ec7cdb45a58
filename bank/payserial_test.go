package bank

import (
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
)

// TestPaySerial: every id has a serial of its own, which fits the narrowest field; a mistyped one is none.
func TestPaySerial(t *testing.T) {
	for _, id := range []sqldb.ID{1, 2, 31, 1 << 62, 1<<63 - 1, 4611686018427387904 - 7} {
		s := PaySerial(id)
		if err := CheckPaySerial(s); err != nil || len(s) != 16 {
			t.Fatalf("%q: %v", s, err)
		}
		for i := range s {
			for _, c := range alphanumerics {
				wrong := s[:i] + string(c) + s[i+1:]
				if wrong != s && CheckPaySerial(wrong) == nil {
					t.Errorf("%q passes for %q", wrong, s)
				}
			}
			if i > 2 && i < 15 && s[i] != s[i-1] {
				if swapped := s[:i-1] + s[i:i+1] + s[i-1:i] + s[i+1:]; CheckPaySerial(swapped) == nil {
					t.Errorf("%q passes for %q", swapped, s)
				}
			}
		}
	}
}

// TestPaySerialsIn: a serial is found whatever a bank writes around it, and nothing else is taken for one.
func TestPaySerialsIn(t *testing.T) {
	one, two := PaySerial(1), PaySerial(2)
	for text, want := range map[string][]string{
		"": nil, one: {one}, "退保证金 " + one + "，批次 TF-20260612-03": {one}, one + two: {one, two}, one + " " + one: {one},
		strings.ToLower(one): {one}, "TK" + one: {one}, "TKTK00" + two + "99": {two}, one[:15]: nil, one[:15] + "?": nil, "TK0000000000000000": nil,
	} {
		if got := PaySerialsIn(text); !slices.Equal(got, want) {
			t.Errorf("in %q: %q, want %q", text, got, want)
		}
	}
}

// TestCheckBankCode: the check digit of public 联行号, and that a mistyped digit is found.
func TestCheckBankCode(t *testing.T) {
	for _, code := range []string{"102100099996", "103100000026", "104100000004", "105100000017", "308584000013", "301290000007"} {
		if err := CheckBankCode(code); err != nil {
			t.Errorf("%s: %v", code, err)
		}
		for i := range code {
			for _, c := range digits {
				if wrong := code[:i] + string(c) + code[i+1:]; wrong != code && CheckBankCode(wrong) == nil {
					t.Errorf("%s passes for %s", wrong, code)
				}
			}
		}
	}
	for _, code := range []string{"", "10210009999", "1021000999960", "10210009999x", "１０２１０００９９９９６"} {
		if CheckBankCode(code) == nil {
			t.Errorf("%q passes", code)
		}
	}
}
