package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
)

// Sign is what a detector sees: the whole of it, each time it looks. One incident is open for its scenario, code and subject.
type Sign struct {
	Scenario      string
	Branch        string // of the plan, where the facts tell it; "" leaves the choice to people
	Code          string // POOL_EXHAUSTED, 1–32 characters
	Subject       string // the natural key of what it is about, 1–128 characters: a pool, a batch, a lot
	Bank          string
	ParentAccount string // in scenario 4.6.3 its refunds are frozen; leave it empty where that would make things worse
	LotID         sqldb.ID
	Department    string // who has to act, as deposits name it; "" is the IT department's
	Title         string // no payer's name or number
	Detail        string
	Scope         Scope
	Since         time.Time // when it began; zero: when it was first seen
	Deadlines     []Deadline
	Evidence      []Evidence
	Fault         *Fault // nil: not looked into
}

// Key is what the sign is about.
func (s *Sign) Key() Key { return Key{s.Scenario, s.Code, s.Subject} }

// Observe takes what the service sees: it opens incidents for what is new, and brings those that are open up to date. Of an
// incident that people have closed, the same trouble opens no other one, unless the service has said meanwhile that it was
// gone, or it has begun since. It may be run again. opened are the new ones.
func (d *Desk) Observe(ctx context.Context, by string, signs []Sign) (opened []Incident, err error) {
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		opened, err = d.ObserveIn(ctx, tx, signs)
		return err
	})
	return opened, err
}

// ObserveIn is Observe in the caller's transaction, which has to be run again after sqldb.ErrTaken and sqldb.ErrStale.
func (d *Desk) ObserveIn(ctx context.Context, tx *sqldb.Tx, signs []Sign) (opened []Incident, err error) {
	for k := range signs {
		s := &signs[k]
		if err := d.checkSign(s); err != nil {
			return nil, err
		}
		i, err := latest(ctx, tx, s.Key())
		fresh := errors.Is(err, sqldb.ErrNone) || err == nil && !i.answers(s)
		switch {
		case fresh:
			i = s.incident()
			err = d.insert(ctx, tx, &i, "", nil)
		case err == nil && !i.Open():
			continue
		}
		if err == nil {
			err = d.update(ctx, tx, &i, s, fresh)
		}
		if err != nil {
			return nil, err
		}
		if fresh {
			opened = append(opened, i)
		}
	}
	return opened, nil
}

// Survey is Observe for a detector that has looked at everything its codes speak of: whatever is open of these codes and not
// among the signs is gone.
func (d *Desk) Survey(ctx context.Context, by string, codes []string, signs []Sign) (opened []Incident, err error) {
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		if opened, err = d.ObserveIn(ctx, tx, signs); err != nil {
			return err
		}
		seen, err := standing(ctx, tx, codes)
		if err != nil {
			return err
		}
		for k := range seen {
			if !slices.ContainsFunc(signs, func(s Sign) bool { return s.Key() == seen[k].Key() }) {
				if err := d.gone(ctx, tx, &seen[k]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return opened, err
}

// Gone says that the service no longer sees what the keys are about. The timeline notes it; the incident stays open for people.
func (d *Desk) Gone(ctx context.Context, by string, keys ...Key) error {
	return d.write(ctx, by, func(tx *sqldb.Tx) error { return d.GoneIn(ctx, tx, keys...) })
}

// GoneIn is Gone in the caller's transaction.
func (d *Desk) GoneIn(ctx context.Context, tx *sqldb.Tx, keys ...Key) error {
	for _, key := range keys {
		i, err := latest(ctx, tx, key)
		if errors.Is(err, sqldb.ErrNone) || err == nil && !i.GoneAt.IsZero() {
			continue
		}
		if err == nil {
			err = d.gone(ctx, tx, &i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Standing lists the keys of some codes that were seen and are not gone.
func Standing(ctx context.Context, r sqldb.Reader, codes ...string) ([]Key, error) {
	all, err := standing(ctx, r, codes)
	keys := make([]Key, len(all))
	for k := range all {
		keys[k] = all[k].Key()
	}
	return keys, err
}

const notGone = "gone_at = '1000-01-01 00:00:00.000'"

func standing(ctx context.Context, r sqldb.Reader, codes []string) (all []Incident, err error) {
	err = sqldb.Chunks(codes, func(in string, args []any) error {
		rows, err := incidents.All(ctx, r, "WHERE source = 'SERVICE' AND "+notGone+" AND code IN "+in+" ORDER BY id", args...)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// latest is the newest incident of a key.
func latest(ctx context.Context, r sqldb.Reader, key Key) (Incident, error) {
	return incidents.One(ctx, r, "WHERE scenario = ? AND code = ? AND subject = ? ORDER BY closed_as <> 0, reported_at DESC, id LIMIT 1", key.Scenario, key.Code, key.Subject)
}

// answers says whether the incident is the one for the sign: it is open, or it was closed while the same trouble was seen.
func (i *Incident) answers(s *Sign) bool {
	closed := i.NoticeEndAt
	if !i.DismissedAt.IsZero() {
		closed = i.DismissedAt
	}
	return i.Open() || i.GoneAt.IsZero() && !s.Since.After(closed)
}

func (d *Desk) checkSign(s *Sign) error {
	scenario := d.plan.Scenario(s.Scenario)
	switch {
	case scenario == nil:
		return fmt.Errorf("a sign speaks of the scenario %q, which the plan has not", s.Scenario)
	case s.Branch != "" && scenario.Branch(s.Branch) == nil: // another centre's plan may have other branches
		s.Branch = ""
	case s.Code == "" || s.Subject == "" || len(s.Code) > mostOffice || len(s.Subject) > mostSubject:
		return fmt.Errorf("a sign of %s has no code or subject, or one that is too long", s.Scenario)
	}
	s.Title, s.Detail = clip(strings.TrimSpace(s.Title), mostTitle), clip(s.Detail, mostText)
	return nil
}

func (s *Sign) incident() Incident {
	return Incident{Scenario: s.Scenario, Branch: s.Branch, Code: s.Code, Subject: s.Subject, Source: FromService, Bank: s.Bank, ParentAccount: s.ParentAccount, LotID: s.LotID,
		Department: s.Department, Title: s.Title, Detail: s.Detail, Scope: s.Scope, BeganAt: s.Since}
}

// update makes an open incident say what the sign says. People's version of it stays: they lose no form by it.
func (d *Desk) update(ctx context.Context, tx *sqldb.Tx, i *Incident, s *Sign, fresh bool) error {
	again := !i.GoneAt.IsZero()
	i.GoneAt = time.Time{}
	i.Title, i.Detail, i.Scope = s.Title, s.Detail, s.Scope
	if !s.Since.IsZero() && s.Since.Before(i.BeganAt) {
		i.BeganAt = s.Since.Truncate(time.Millisecond)
	}
	if i.Branch == "" {
		i.Branch = s.Branch
	}
	was := i.FaultSide
	if s.Fault != nil {
		i.FaultSide = s.Fault.Side
		i.fault, _ = json.Marshal(s.Fault) // strings: never fails
	}
	n, err := tx.Exec(ctx, "UPDATE incidents SET gone_at = ?, sealed = ?, scope = ?, began_at = ?, branch = ?, fault_side = ?, fault = ? WHERE id = ? AND entries = ? AND closed_as = 0",
		sqldb.At(i.GoneAt), i.sealedWords(), i.Scope, sqldb.At(i.BeganAt), i.Branch, i.FaultSide, i.sealedFault(), i.ID, i.Entries)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("update an incident: %w", err)
	}
	if again {
		err = d.tell(ctx, tx, i, Entry{Kind: EntryAgain, Text: "本服务再次发现该现象：" + s.Title})
	}
	if err == nil && i.FaultSide != was {
		err = d.tell(ctx, tx, i, Entry{Kind: EntryFault, Text: s.Fault.describe()})
	}
	if err == nil && !fresh {
		err = d.suggest(ctx, tx, i)
	}
	if err == nil {
		err = d.keepDeadlines(ctx, tx, i, s.Deadlines)
	}
	for k := range s.Evidence {
		if err == nil {
			err = d.found(ctx, tx, i, &s.Evidence[k])
		}
	}
	return err
}

func (f *Fault) describe() string {
	text := "故障位于" + f.Side.Chinese()
	if f.Side == SideOpen {
		text = "故障所在" + f.Side.Chinese()
	}
	if len(f.For) > 0 {
		text += "；支持：" + strings.Join(f.For, "；")
	}
	if len(f.Against) > 0 {
		text += "；反对：" + strings.Join(f.Against, "；")
	}
	return text
}

// Fault is where the fault lies, as far as the service can tell; nil: it has not looked.
func (i *Incident) Fault() *Fault {
	if i.FaultSide == "" {
		return nil
	}
	var f Fault
	if json.Unmarshal(i.fault, &f) != nil {
		f = Fault{Side: i.FaultSide}
	}
	return &f
}

func (d *Desk) gone(ctx context.Context, tx *sqldb.Tx, i *Incident) error {
	i.GoneAt = tx.Now
	n, err := tx.Exec(ctx, "UPDATE incidents SET gone_at = ? WHERE id = ? AND entries = ? AND "+notGone, sqldb.At(i.GoneAt), i.ID, i.Entries)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return err
	}
	return d.tell(ctx, tx, i, Entry{Kind: EntryGone, Text: "本服务不再发现该现象，请人员确认是否恢复"})
}

// suggest keeps the level that the plan's letter gives now, and tells when it has become another.
func (d *Desk) suggest(ctx context.Context, tx *sqldb.Tx, i *Incident) error {
	p, err := d.planOf(ctx, tx, i)
	if err != nil {
		return err
	}
	s := p.Suggest(i.Scope, i.BeganAt, tx.Now)
	if s.Level == i.Suggested {
		return nil
	}
	n, err := tx.Exec(ctx, "UPDATE incidents SET suggested_level = ?, suggested_why = ? WHERE id = ? AND entries = ?", s.Level, clip(s.Why, mostWhy), i.ID, i.Entries)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return err
	}
	i.Suggested, i.SuggestedWhy = s.Level, clip(s.Why, mostWhy)
	return d.tell(ctx, tx, i, Entry{Kind: EntrySuggested, Text: "建议级别：" + p.LevelName(s.Level) + "（" + s.Why + "）"})
}

// keepPlan stores the plan that incidents are opened under, so that they keep it when the centre takes another.
func (d *Desk) keepPlan(ctx context.Context, tx *sqldb.Tx) error {
	there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM incident_plans WHERE digest = ?", d.plan.digest)
	if err != nil || there > 0 {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO incident_plans (digest, body) VALUES (?,?)", d.plan.digest, d.plan.body)
	return err
}

// planOf is the plan that an incident was opened under.
func (d *Desk) planOf(ctx context.Context, r sqldb.Reader, i *Incident) (*Plan, error) {
	if i.PlanDigest == d.plan.digest {
		return d.plan, nil
	}
	if p, ok := d.older.Load(i.PlanDigest); ok {
		return p.(*Plan), nil
	}
	body, err := sqldb.Value[[]byte](ctx, r, "SELECT body FROM incident_plans WHERE digest = ?", i.PlanDigest)
	if err != nil {
		return nil, err
	}
	p, err := storedPlan(body)
	if err != nil {
		return nil, fmt.Errorf("the plan of %s: %w", i.Number, err)
	}
	d.older.Store(i.PlanDigest, p)
	return p, nil
}
