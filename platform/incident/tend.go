package incident

import (
	"context"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Tend does what time alone brings about, on every open incident: the level that the plan's letter gives becomes another, and
// limits pass. It may be run as often as wanted, and tells each thing once.
func (d *Desk) Tend(ctx context.Context, by string) error {
	open, err := incidents.All(ctx, d.db, "WHERE closed_as = 0 ORDER BY id")
	if err != nil {
		return err
	}
	for k := range open {
		due, err := d.becomes(ctx, d.db, &open[k], d.db.Now())
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		if err := d.write(ctx, by, func(tx *sqldb.Tx) error { return d.tend(ctx, tx, open[k].ID) }); err != nil {
			return err
		}
	}
	return nil
}

// becomes says whether time has made something of an incident that is not told yet.
func (d *Desk) becomes(ctx context.Context, r sqldb.Reader, i *Incident, now time.Time) (bool, error) {
	p, err := d.planOf(ctx, r, i)
	if err != nil {
		return false, err
	}
	passed, err := d.passed(ctx, r, i, p, now)
	return len(passed) > 0 || p.Suggest(i.Scope, i.BeganAt, now).Level != i.Suggested, err
}

func (d *Desk) tend(ctx context.Context, tx *sqldb.Tx, id sqldb.ID) error {
	i, err := ByID(ctx, tx, id)
	if err != nil || !i.Open() {
		return err
	}
	p, err := d.planOf(ctx, tx, &i)
	if err != nil {
		return err
	}
	if err := d.suggest(ctx, tx, &i); err != nil {
		return err
	}
	passed, err := d.passed(ctx, tx, &i, p, tx.Now)
	if err != nil {
		return err
	}
	for _, text := range passed {
		if err := d.tell(ctx, tx, &i, Entry{Kind: EntryOverdue, Text: text}); err != nil {
			return err
		}
	}
	return nil
}

// passed are the limits that have run out and are not told yet, in words.
func (d *Desk) passed(ctx context.Context, r sqldb.Reader, i *Incident, p *Plan, now time.Time) (texts []string, err error) {
	all, err := StepsOf(ctx, r, i.ID)
	if err != nil {
		return nil, err
	}
	due, err := Deadlines(ctx, r, i.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range p.Countdowns(i, all, due) {
		if c.Ended.IsZero() && c.Passed(now) {
			texts = append(texts, c.describe())
		}
	}
	if len(texts) == 0 {
		return nil, nil
	}
	told, err := timeline.All(ctx, r, "WHERE incident_id = ? AND kind = ? ORDER BY seq", i.ID, EntryOverdue)
	return slices.DeleteFunc(texts, func(text string) bool {
		return slices.ContainsFunc(told, func(e Entry) bool { return e.Text == text })
	}), err
}

func (c *Countdown) describe() string {
	text := "已过 " + deposit.Wall(c.Until) + "：" + c.Text
	if c.Step != "" {
		text = "步骤 " + c.Step + " " + text
	}
	return text
}
