package reconcile

import (
	"context"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// SealedPart is all that is told of sealed lots as a whole: how many there are, which is public, and whether something in
// them needs their bidders' attention, in bands.
type SealedPart struct {
	Lots      int  `json:"lots"`
	Attention Band `json:"attention"`
}

// Band is how many, told so that no single bidder can be counted. Of fewer than three sealed lots nothing is told.
type Band string

// The bands (safety page §7.4, declassified list).
const (
	BandNone  Band = "0"
	BandSome  Band = "1-9"
	BandMany  Band = "10+"
	BandUntil Band = "-"

	fewestBanded = 3
)

func bandOf(lots int, n int64) Band {
	switch {
	case lots < fewestBanded:
		return BandUntil
	case n == 0:
		return BandNone
	case n < 10:
		return BandSome
	}
	return BandMany
}

// sealedPart counts what stands and may not be seen even by eyes that reach everything. It is nil where no lot is sealed,
// and for eyes that reach some departments only.
func (d *Desk) sealedPart(ctx context.Context, eyes deposit.Sight) (*SealedPart, error) {
	lots, err := platform.CountSealed(ctx, d.db)
	if err != nil || lots == 0 || !eyes.Everything() {
		return nil, err
	}
	seen, args := findingSeen(eyes)
	n, err := sqldb.Value[int64](ctx, d.db, "SELECT COUNT(*) FROM findings AS f LEFT JOIN entries AS e ON e.id = f.subject WHERE f.state IN ('OPEN','EXPLAINED') AND NOT "+seen, args...)
	return &SealedPart{lots, bandOf(lots, n)}, err
}

func anySealed(ctx context.Context, r sqldb.Reader) (bool, error) {
	n, err := platform.CountSealed(ctx, r)
	return n > 0, err
}
