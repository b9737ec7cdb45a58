// Package platform is the electronic trading platform's side of the house: lots, the bids on them, the sub-accounts
// leased to bids, and what the platform tells us happened to them.
//
// Sub-accounts come from the platform, whose word their leases then are, or from our pools: there a number is free, leased
// by Allocate, drains when its lot is finished (DrainDue), is released into a quarantine (Release) once others have found
// that its money is gone, and becomes free again (FreeDue). Late money starts the quarantine anew (RestartQuarantine).
//
// Everything here is the platform's word: we keep it, keep it consistent (no number is leased to two bids at one time,
// no lot is opened before its hour) and say what changed, but judge no money; reconcile does that, from Claims and Touched.
// Each use case may be told again: the same word twice changes nothing.
package platform

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Desk takes the platform's word. It is safe for use by many goroutines, and by several replicas on one database.
type Desk struct {
	db *sqldb.DB

	// guard is guardNumbers; only the test that shows why it is needed puts something else here.
	guard func(context.Context, *sqldb.Tx, []Number) error

	// draw is where the search for a free number begins: a random key, in tests one of a seed.
	draw func() sqldb.ID
}

// NewDesk makes the desk of a database.
func NewDesk(db *sqldb.DB) *Desk { return &Desk{db: db, guard: guardNumbers, draw: db.NewID} }

// mostRuns bounds how often a use case is run again because another replica changed the same rows first. Each of the
// others finished when we had to start again, so that only a crowd on one row ever comes near it.
const mostRuns = 30

// write runs f, and runs it again when another replica was faster: f then finds what that one wrote.
func (d *Desk) write(ctx context.Context, by string, f func(*sqldb.Tx) error) error {
	var err error
	for range mostRuns {
		err = d.db.Write(ctx, by, f)
		if !errors.Is(err, sqldb.ErrStale) && !errors.Is(err, sqldb.ErrTaken) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", deposit.Refuse(deposit.Unavailable, "platform_busy", "同一标段或子账号正被频繁修改，请稍后重试"), err)
}

// An outcome says what one element of a call came to.
type outcome int

const (
	unchanged outcome = iota
	changed
	created
)

// inElement puts an element's place before a refusal's text: "deposit …" becomes "lots[3].deposit …". Every text of this
// package begins with the name of a field. A call of one element has no list.
func inElement(list string, i int, err error) error {
	var r *deposit.Refusal
	if list == "" || !errors.As(err, &r) {
		return err
	}
	return deposit.Refuse(r.Kind, r.Code, list, "[", i, "].", r.Text)
}

// requireText trims a field and holds it to the width of its column, which not every engine does.
func requireText(field string, s *string, most int) error {
	if err := allowText(field, s, most); err != nil {
		return err
	}
	if *s == "" {
		return deposit.Refuse(deposit.Invalid, "field_missing", field, " 不能为空")
	}
	return nil
}

// allowText is requireText for a field that may be empty. Blanks at the end would make two keys of one engine one key of
// the other.
func allowText(field string, s *string, most int) error {
	*s = strings.TrimSpace(*s)
	switch {
	case !utf8.ValidString(*s) || strings.ContainsFunc(*s, unicode.IsControl):
		return deposit.Refuse(deposit.Invalid, "field_malformed", field, " 含有控制字符或不是有效的 UTF-8 文本")
	case utf8.RuneCountInString(*s) > most:
		return deposit.Refuse(deposit.Invalid, "field_too_long", field, " 最多 ", most, " 个字符")
	}
	return nil
}

var (
	earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, deposit.Shanghai) // the tendering law is of that year
	latest   = time.Date(9999, 1, 1, 0, 0, 0, 0, deposit.Shanghai)
)

// requireTime is for an instant that must be given. It is kept to the millisecond, as the columns do.
func requireTime(field string, t *time.Time) error {
	if t.IsZero() {
		return deposit.Refuse(deposit.Invalid, "field_missing", field, " 不能为空")
	}
	return allowTime(field, t)
}

func allowTime(field string, t *time.Time) error {
	if t.IsZero() {
		return nil
	}
	*t = t.Truncate(time.Millisecond).In(deposit.Shanghai)
	if !t.Before(earliest) && t.Before(latest) {
		return nil
	}
	return deposit.Refuse(deposit.Invalid, "time_malformed", field, " 超出合理范围（2000 年至 9998 年）")
}

// allowEnd is allowTime for the end of a range, which may be sqldb.Forever.
func allowEnd(field string, t *time.Time) error {
	if t.Equal(sqldb.Forever) {
		return nil
	}
	return allowTime(field, t)
}

// keysAtOnce is how many keys one statement looks for. Lists are filled up to a power of two with their last key, so that
// there are nine texts of a statement and not hundreds.
const keysAtOnce = 256

// inLists runs f over the keys, some hundreds at a time: in is "IN (?,?…)", args fills it.
func inLists[K any](keys []K, f func(in string, args []any) error) error {
	for part := range slices.Chunk(keys, keysAtOnce) {
		part = filledUp(part)
		args := make([]any, len(part))
		for i, key := range part {
			args[i] = key
		}
		if err := f("IN "+sqldb.In(len(part)), args); err != nil {
			return err
		}
	}
	return nil
}

func filledUp[K any](part []K) []K {
	size := 1
	for size < len(part) {
		size *= 2
	}
	full := slices.Grow(slices.Clone(part), size-len(part))
	for len(full) < size {
		full = append(full, part[len(part)-1])
	}
	return full
}

// allIn reads the rows whose column is one of the keys. order names something unique.
func allIn[T, K any](ctx context.Context, r sqldb.Reader, table sqldb.Table[T], column string, keys []K, order string) ([]T, error) {
	var all []T
	err := inLists(keys, func(in string, args []any) error {
		rows, err := table.All(ctx, r, "WHERE "+column+" "+in+" ORDER BY "+order, args...)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// distinct gives each key once, in the order of its first appearance.
func distinct[T any, K comparable](all []T, key func(T) K) []K {
	seen := make(map[K]bool, len(all))
	keys := make([]K, 0, len(all))
	for _, one := range all {
		if k := key(one); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}
