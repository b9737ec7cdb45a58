package deposit

import (
	"strings"

	"github.com/shopspring/decimal"
)

// Rate is a yearly rate of interest in millionths of a percent, so that 0.35 % and 4.35 % × 1.2 are exact. Zero is no interest.
type Rate int64

const perPercent = 1_000_000

// MaxRate is the highest rate that is believed: 36 % a year. More is a wrong unit.
const MaxRate Rate = 36 * perPercent

// ParseRate reads percent a year, "4.35" or "0.05": at most four decimals, from 0 to MaxRate. The error is Invalid, rate_malformed.
func ParseRate(percent string) (Rate, error) {
	d, err := decimal.NewFromString(percent)
	if err != nil || strings.ContainsAny(percent, "eE") || d.Exponent() < -4 || d.IsNegative() || d.GreaterThan(decimal.New(int64(MaxRate), -6)) {
		return 0, Refuse(Invalid, "rate_malformed", "年利率应为 0 至 36 之间的百分数、最多四位小数，如 0.35：", percent)
	}
	return Rate(d.Shift(6).IntPart()), nil
}

// Raised is the rate times so many hundredths: Raised(120) is 上浮20%. It is exact for every rate that ParseRate reads.
func (r Rate) Raised(hundredths int) Rate { return r * Rate(hundredths) / 100 }

// String prints percent a year: "4.35%".
func (r Rate) String() string { return decimal.New(int64(r), -6).String() + "%" }

// daysOfYear is a bank's year (domain: principal × annual rate × days / 360).
const daysOfYear = 360

// Interest is principal × rate × days / 360, half up to the fen. Without a principal or a day there is none.
func Interest(principal Fen, rate Rate, days int) Fen {
	if principal <= 0 || days <= 0 {
		return 0
	}
	product := decimal.NewFromInt(int64(principal)).Mul(decimal.NewFromInt(int64(rate))).Mul(decimal.NewFromInt(int64(days)))
	return Fen(product.DivRound(decimal.NewFromInt(100*perPercent*daysOfYear), 0).IntPart())
}
