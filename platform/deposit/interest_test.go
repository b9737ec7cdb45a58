package deposit_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"depositd/platform/deposit"
)

func rate(t testing.TB, percent string) deposit.Rate {
	t.Helper()
	r, err := deposit.ParseRate(percent)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRates(t *testing.T) {
	for percent, want := range map[string]string{"0.35": "0.35%", "4.35": "4.35%", "0": "0%", "36": "36%", "0.0005": "0.0005%", "0.350": "0.35%"} {
		if got := rate(t, percent).String(); got != want {
			t.Errorf("%s prints as %s", percent, got)
		}
	}
	if got := rate(t, "4.35").Raised(120); got != rate(t, "5.22") {
		t.Errorf("4.35%% raised by a fifth is %s", got)
	}
	for _, wrong := range []string{"", "-0.1", "36.01", "0.00001", "1e1", "0.35%", "NaN", "０.35"} {
		if _, err := deposit.ParseRate(wrong); codeOf(err) != "rate_malformed" {
			t.Errorf("%q is taken for a rate", wrong)
		}
	}
}

// principal × annual rate × days / 360, half up to the fen.
func TestInterest(t *testing.T) {
	for _, test := range []struct {
		why       string
		principal string
		percent   string
		days      int
		want      string
	}{
		{"the cap for a month", "800000.00", "0.35", 30, "233.33"},
		{"a year of 360 days is the rate", "100000.00", "4.35", 360, "4350.00"},
		{"a year of the calendar is more", "100000.00", "4.35", 365, "4410.42"},
		{"half a fen goes up", "1.80", "1", 100, "0.01"},
		{"a little less does not", "1.79", "1", 100, "0.00"},
		{"overdue fee, raised by a fifth", "800000.00", "5.22", 1, "116.00"},
		{"no day, no interest", "800000.00", "0.35", 0, "0.00"},
		{"nor a negative one", "800000.00", "0.35", -3, "0.00"},
		{"no rate", "800000.00", "0", 30, "0.00"},
		{"the most there is", "1000000000.00", "36", 36500, "36500000000.00"},
	} {
		principal, err := deposit.ParseBalance(test.principal)
		if err != nil {
			t.Fatal(err)
		}
		if got := deposit.Interest(principal, rate(t, test.percent), test.days); got.String() != test.want {
			t.Errorf("%s: %s, want %s", test.why, got, test.want)
		}
	}
}

// The same to the fen as whole numbers of any size give; parts of a time differ from the whole by their rounding only.
func TestInterestIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		principal := deposit.Fen(rapid.Int64Range(1, int64(deposit.MaxFen)).Draw(t, "fen"))
		yearly := deposit.Rate(rapid.Int64Range(0, int64(deposit.MaxRate)/100).Draw(t, "rate") * 100)
		first, second := rapid.IntRange(0, 4000).Draw(t, "first"), rapid.IntRange(0, 4000).Draw(t, "second")
		whole := deposit.Interest(principal, yearly, first+second)
		numerator := new(big.Int).Mul(big.NewInt(int64(principal)), big.NewInt(int64(yearly)))
		numerator.Mul(numerator, big.NewInt(int64(first+second)))
		divisor := big.NewInt(36_000_000_000)
		if want := numerator.Add(numerator, big.NewInt(18_000_000_000)).Div(numerator, divisor); want.Int64() != int64(whole) {
			t.Fatalf("%s, want %s fen", whole, want)
		}
		parts := deposit.Interest(principal, yearly, first) + deposit.Interest(principal, yearly, second)
		if parts < whole-1 || parts > whole+1 {
			t.Fatalf("%s in two parts is %s", whole, parts)
		}
	})
}

func TestDaysTo(t *testing.T) {
	for _, test := range []struct {
		from, to deposit.Day
		want     int
	}{{"2026-06-12", "2026-06-12", 0}, {"2026-06-12", "2026-06-13", 1}, {"2026-06-13", "2026-06-12", -1}, {"2024-02-28", "2024-03-01", 2}, {"2025-06-12", "2026-06-12", 365}} {
		if got := test.from.DaysTo(test.to); got != test.want {
			t.Errorf("%s to %s: %d", test.from, test.to, got)
		}
	}
}
