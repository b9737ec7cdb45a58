package reconcile

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Checkpoint is what the audit trail was at an instant, in some hundred bytes that are kept where nobody who can write the
// database can write: an auditor's mailbox, paper, another machine's log. The seals in the database show who has changed an
// event and not the seals; a checkpoint shows who has changed both, or cut off the end.
type Checkpoint struct {
	TakenAt  time.Time   `json:"taken_at"`
	Sealed   deposit.Day `json:"sealed"` // the last day that was sealed then; firstDay: none
	SealHash string      `json:"seal"`   // and its seal, which stands for all before it
	Open     string      `json:"open"`   // the stretch of the events since, sealed: how many there are may tell how many have paid
}

// stretch is the events that no seal covers yet.
type stretch struct {
	Last   int64      `json:"last"` // the number of the last of them
	Events int64      `json:"events"`
	Hash   string     `json:"hash"`
	Gaps   [][2]int64 `json:"gaps,omitempty"` // numbers between them that were not there: given to transactions that were under way, or that came to nothing
}

// trail is where the events come from: the database, and in tests the memory. Both give them by number.
type trail struct {
	onDay func(ctx context.Context, day deposit.Day, f func(*sqldb.Event) error) error
	after func(ctx context.Context, day deposit.Day, f func(*sqldb.Event) error) error // of all days after one
	until func(ctx context.Context, day deposit.Day) (int64, error)                    // how many there are to the end of one
}

func (d *Desk) trail() trail {
	return trail{
		onDay: d.eventsOn,
		after: func(ctx context.Context, day deposit.Day, f func(*sqldb.Event) error) error {
			return sqldb.Events.Each(ctx, d.db, "WHERE at >= ? ORDER BY seq", []any{sqldb.At(day.Add(1).Start())}, f)
		},
		until: func(ctx context.Context, day deposit.Day) (int64, error) {
			return sqldb.Value[int64](ctx, d.db, "SELECT COUNT(*) FROM events WHERE at < ?", sqldb.At(day.Add(1).Start()))
		},
	}
}

// placeOfCheckpoints is what the sealed part of a checkpoint is bound to.
const placeOfCheckpoints = "checkpoints"

// Checkpoint tells what the audit trail is now.
func (d *Desk) Checkpoint(ctx context.Context) (Checkpoint, error) {
	last, err := d.lastSeal(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	open, err := d.trail().open(ctx, last)
	if err != nil {
		return Checkpoint{}, err
	}
	text, _ := json.Marshal(open) // texts and numbers: never fails
	sealed, err := d.db.SealText(placeOfCheckpoints, string(text))
	return Checkpoint{TakenAt: d.db.Now().In(deposit.Shanghai), Sealed: last.Day, SealHash: last.Hash, Open: sealed}, err
}

// open reads the events after the last seal.
func (t trail) open(ctx context.Context, last Seal) (stretch, error) {
	open := newUnsealed(last)
	err := t.after(ctx, last.Day, func(e *sqldb.Event) error {
		open.add(e)
		return nil
	})
	return open.end(), err
}

// unsealed takes the events that no seal covers, by their numbers.
type unsealed struct {
	digest hash.Hash
	line   []byte
	stretch
}

func newUnsealed(last Seal) *unsealed {
	o := &unsealed{digest: sha256.New()}
	_, _ = fmt.Fprintf(o.digest, "%s\nopen after %s\n", last.Hash, last.Day) // a hash never fails
	return o
}

func (o *unsealed) add(e *sqldb.Event) {
	if o.Events > 0 && e.Seq > o.Last+1 {
		o.Gaps = append(o.Gaps, [2]int64{o.Last + 1, e.Seq - 1})
	}
	o.Last = e.Seq
	o.Events++
	o.line = appendEvent(o.line[:0], e)
	_, _ = o.digest.Write(o.line)
}

func (o *unsealed) end() stretch {
	s := o.stretch
	s.Hash = hex.EncodeToString(o.digest.Sum(nil))
	return s
}

// HoldTo compares the audit trail with a checkpoint of it. It gives what differs, in Chinese; "" when nothing does. The seals
// themselves have to be verified beside it (see Verify).
func (d *Desk) HoldTo(ctx context.Context, c Checkpoint) (string, error) {
	var open stretch
	text, err := d.db.OpenText(placeOfCheckpoints, c.Open)
	if err == nil {
		err = json.Unmarshal([]byte(text), &open)
	}
	if errors.Is(err, sqldb.ErrSealed) {
		return "检查点不是本库的，或本库的密钥已被替换", nil
	}
	if err != nil {
		return "", fmt.Errorf("open a checkpoint: %w", err)
	}
	all, err := seals.All(ctx, d.db, "WHERE day <= ? ORDER BY day", c.Sealed)
	if err != nil {
		return "", err
	}
	return d.trail().holdTo(ctx, c, open, all)
}

// holdTo follows the seals up to the checkpoint's, each made of the events anew, and then the events after it up to the last
// that there was.
func (t trail) holdTo(ctx context.Context, c Checkpoint, then stretch, kept []Seal) (string, error) {
	broken, err := t.broken(ctx, kept)
	if err != nil {
		return "", err
	}
	if len(broken) > 0 {
		return fmt.Sprintf("%s 的事件与当日封印不符", broken[0]), nil
	}
	before := Seal{Day: firstDay}
	if len(kept) > 0 {
		before = kept[len(kept)-1]
	}
	if before.Day != c.Sealed || before.Hash != c.SealHash {
		return fmt.Sprintf("%s 的封印与检查点不符：该日或之前的事件连同封印被改写或删除", c.Sealed), nil
	}
	open := newUnsealed(before)
	err = t.after(ctx, before.Day, func(e *sqldb.Event) error {
		if e.Seq <= then.Last && !slices.ContainsFunc(then.Gaps, func(gap [2]int64) bool { return gap[0] <= e.Seq && e.Seq <= gap[1] }) {
			open.add(e)
		}
		return nil
	})
	if errors.Is(err, sqldb.ErrSealed) { // a note that does not open
		return rewritten(c), nil
	}
	if err != nil {
		return "", err
	}
	switch now := open.end(); {
	case now.Events != then.Events:
		return fmt.Sprintf("%s 之后、检查点之前原有事件 %d 条，现有 %d 条", c.Sealed, then.Events, now.Events), nil
	case now.Hash != then.Hash:
		return rewritten(c), nil
	}
	return "", nil
}

func rewritten(c Checkpoint) string {
	return fmt.Sprintf("%s 之后、检查点之前的事件被改写", c.Sealed)
}

// Line is a checkpoint as it is kept: one line of JSON.
func (c Checkpoint) Line() string {
	text, _ := json.Marshal(c) // texts and numbers: never fails
	return string(text)
}

// ReadCheckpoints reads a file of checkpoints, one a line. An Invalid Refusal says which line is none.
func ReadCheckpoints(file io.Reader) (all []Checkpoint, err error) {
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var c Checkpoint
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil || c.Sealed == "" || c.Open == "" {
			return nil, deposit.Refuse(deposit.Invalid, "checkpoint_malformed", "第 ", n, " 行不是检查点（depositd checkpoint 打印的一行）")
		}
		all = append(all, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	if len(all) == 0 {
		return nil, deposit.Refuse(deposit.Invalid, "checkpoint_missing", "文件中没有检查点")
	}
	return all, nil
}
