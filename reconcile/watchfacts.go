package reconcile

import (
	"context"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// circumstances is what is the same for everything that a round looks at.
type circumstances struct {
	now      time.Time
	clockOff time.Duration // the database's clock against this machine's
	veil     Veil
	changes  []sqldb.Event // of the program's versions and settings, the newest first
	rights   []sqldb.Event // changes of who may do what, the newest first; read once something stands
	outages  []Outage      // of the last weeks
	backlog  time.Time     // when the oldest entry came that waits for a verdict; zero: none does
}

// How far back a change of the program can be the reason of a trouble, and how long an outage is told of: until the lots that were
// paid for in it are opened, so that what came back can be told.
const (
	recently   = 7 * 24 * time.Hour
	outageTold = 31 * 24 * time.Hour
)

func (k *Keeper) circumstances(ctx context.Context, clockOff time.Duration) (c circumstances, err error) {
	c.now, c.clockOff = k.db.Now(), clockOff
	if c.veil, err = VeilNow(ctx, k.db); err != nil {
		return c, err
	}
	if c.changes, c.rights, err = programChanges(ctx, k.db, WatchedCodes()); err != nil {
		return c, err
	}
	if c.outages, err = OutagesSince(ctx, k.db, c.now.Add(-outageTold)); err != nil {
		return c, err
	}
	c.backlog, err = bank.WaitingSince(ctx, k.db)
	return c, err
}

// changedBefore is the program's last change within a day before an instant; nil where there was none. The first start of a
// service is no change.
func (c *circumstances) changedBefore(at time.Time) *sqldb.Event {
	for i := range c.changes {
		e := &c.changes[i]
		if i < len(c.changes)-1 && !e.At.After(at) && at.Sub(e.At) < 24*time.Hour {
			return e
		}
	}
	return nil
}

// ProgramChanges reads what has changed of the program of late, and tells it of a trouble that began at an instant.
// codes are those of the signs that it is for.
func ProgramChanges(ctx context.Context, db *sqldb.DB, codes []string) (func(troubleBegan time.Time) []string, error) {
	c := circumstances{now: db.Now()}
	var err error
	c.changes, c.rights, err = programChanges(ctx, db, codes)
	return c.changesText, err
}

// programChanges reads what changed of the program, and, once one of the signs stands, of rights: a week of the audit trail is not
// read for nothing each minute.
func programChanges(ctx context.Context, db *sqldb.DB, codes []string) (changes, rights []sqldb.Event, err error) {
	changes, err = sqldb.Events.All(ctx, db, "WHERE row_id = ? AND table_name = ? ORDER BY seq DESC LIMIT ?", programRow, programTable, mostChanges)
	if err != nil {
		return nil, nil, err
	}
	standing, err := incident.Standing(ctx, db, codes...)
	if err != nil || len(standing) == 0 {
		return changes, nil, err
	}
	rights, err = sqldb.Events.All(ctx, db, "WHERE at >= ? AND (table_name = 'users' AND became IN ('FIRST','GRANTED','REFUSED') OR table_name = 'tokens') ORDER BY at DESC, seq DESC LIMIT ?",
		sqldb.At(db.Now().Add(-recently)), mostChanges)
	return changes, rights, err
}

// deafIn is how long the service heard nothing within [from, to).
func (c *circumstances) deafIn(from, to time.Time) (d time.Duration) {
	for _, o := range c.outages {
		began, ended := o.Began, o.Ended
		if began.Before(from) {
			began = from
		}
		if ended.After(to) {
			ended = to
		}
		d += max(0, ended.Sub(began))
	}
	return d
}

// changesText tells what has changed of the program of late, for the steps that ask whether an upgrade, a new design or
// rights did it (plan 4.6.1/2/2.3, 4.6.2/2/2.3, 4.6.3/2/2.3).
func (c *circumstances) changesText(troubleBegan time.Time) []string {
	var facts []string
	for _, e := range c.changes {
		if c.now.Sub(e.At) < recently {
			facts = append(facts, deposit.Wall(e.At)+" 起运行："+e.Note)
		}
	}
	if len(facts) == 0 {
		facts = append(facts, "近 7 天程序版本与设置没有变动")
	}
	for _, e := range c.rights {
		facts = append(facts, deposit.Wall(e.At)+" 权限变动（"+e.By+"）："+e.Note)
	}
	if e := c.changedBefore(troubleBegan); e != nil {
		facts = append(facts, "故障出现前 24 小时内有变动（"+deposit.Wall(e.At)+"），请优先核对")
	}
	return facts
}

// pushFacts is what is known of a bank's pushing.
type pushFacts struct {
	circumstances
	bank *bank.Bank

	rhythm   *Rhythm
	last     time.Time // the last push; zero: there was never one
	before   int       // pushes of that day up to it
	silentTo time.Time // the last full hour: silence is judged by the hour, so that no alarm's moment tells when somebody paid
	idle     bool      // no number is in use
	pulled   pulling   // of this silence
	recent   []PulledCredit
	link     *bank.Call // the last test of the line; nil: none
	others   othersPush

	today   []bank.Pushes // of the last day, by hour and code
	usual   map[bank.Rejection]float64
	missing []missingLine
	spread  []time.Duration // of the last day with notices, from the booking to us, shortest first
	atCap   bool
}

// othersPush says how the other banks fare meanwhile.
type othersPush struct{ Lively, Silent int }

// missingLine is a statement line that was never pushed.
type missingLine struct {
	Bank, Parent string
	Day          deposit.Day
	Serial       string
	Opened       bool
}

// secret says of the row m joined with lots t and s whether its credit may be told: it is judged, and neither the lot whose
// number it came to nor the one that was meant is sealed.
const mayTell = "CASE WHEN t.state <> 'ANNOUNCED' AND COALESCE(s.state, '') <> 'ANNOUNCED' THEN 1 ELSE 0 END"

const matchedLots = "LEFT JOIN matches AS m ON m.entry_id = e.id LEFT JOIN lots AS t ON t.id = m.lot_id LEFT JOIN bids AS b ON b.id = m.suggested_bid LEFT JOIN lots AS s ON s.id = b.lot_id "

// mostMissing is how many lines a round looks at: more are no other trouble.
const mostMissing = 500

func missingLines(ctx context.Context, r sqldb.Reader) ([]missingLine, error) {
	return sqldb.Select(ctx, r, func(l *missingLine) []any { return []any{&l.Bank, &l.Parent, &l.Day, &l.Serial, &l.Opened} },
		"SELECT e.bank, e.parent_account, f.day, e.serial, "+mayTell+" FROM findings AS f JOIN entries AS e ON e.id = f.subject "+matchedLots+
			"WHERE f.kind = 'MISSING' AND f.state = 'OPEN' ORDER BY f.day DESC, e.bank, e.serial, f.id LIMIT ?", mostMissing)
}

// learnt is the rhythm of a bank as it was learnt on a day.
type learnt struct {
	day    deposit.Day
	rhythm *Rhythm
	usual  map[bank.Rejection]float64 // refused messages an hour, by kind
}

// rhythmOf learns a bank's rhythm once a day, from the weeks up to yesterday.
func (k *Keeper) rhythmOf(ctx context.Context, code string, now time.Time) (learnt, error) {
	today := deposit.DayOf(now)
	k.mu.Lock()
	known, ok := k.rhythms[code]
	k.mu.Unlock()
	if ok && known.day == today {
		return known, nil
	}
	calendar, err := platform.Calendar(ctx, k.db)
	if err != nil {
		return learnt{}, err
	}
	first := today.Add(-7 * rhythmWeeks)
	all, err := bank.PushesSince(ctx, k.db, code, first.Start())
	if err != nil {
		return learnt{}, err
	}
	known = learnt{day: today, rhythm: newRhythm(all, first, today.Add(-1), func(d deposit.Day) bool { works, _ := calendar.Works(d); return works }), usual: map[bank.Rejection]float64{}}
	for _, p := range all {
		if p.Code != "" && p.Hour.Before(today.Start()) {
			known.usual[bank.RejectionOf(p.Code)] += float64(p.Count) / (7 * rhythmWeeks * 24)
		}
	}
	k.mu.Lock()
	k.rhythms[code] = known
	k.mu.Unlock()
	return known, nil
}

// pushFacts reads what is known of a bank's pushing; where it is silent for longer than is usual and can be called, it is
// asked whether it is there and what it has booked.
func (k *Keeper) pushFacts(ctx context.Context, c circumstances, b *bank.Bank, missing []missingLine) (f pushFacts, err error) {
	f = pushFacts{circumstances: c, bank: b, silentTo: c.now.Truncate(time.Hour)}
	known, err := k.rhythmOf(ctx, b.Code, c.now)
	if err != nil {
		return f, err
	}
	f.rhythm, f.usual = known.rhythm, known.usual
	if f.last, err = bank.LastPush(ctx, k.db, b.Code); err != nil {
		return f, err
	}
	if err := k.readPushes(ctx, &f); err != nil {
		return f, err
	}
	for _, l := range missing {
		if l.Bank == b.Code && l.Opened {
			f.missing = append(f.missing, l)
		}
	}
	if f.silence() <= oddSilence {
		if err := k.lookInto(ctx, &f); err != nil {
			return f, err
		}
	}
	if len(f.missing) == 0 && !f.stopped() {
		return f, nil
	}
	return f, k.readDelays(ctx, &f)
}

// readPushes reads the pushes of the last day, and of the day on which the bank pushed last.
func (k *Keeper) readPushes(ctx context.Context, f *pushFacts) error {
	since, lastDay := f.now.Add(-24*time.Hour), deposit.DayOf(f.last)
	from := since
	if !f.last.IsZero() && lastDay.Start().Before(from) {
		from = lastDay.Start()
	}
	all, err := bank.PushesSince(ctx, k.db, f.bank.Code, from)
	for _, p := range all {
		if !f.last.IsZero() && deposit.DayOf(p.Hour) == lastDay {
			f.before += p.Count
		}
		if !p.Hour.Before(since.Truncate(time.Hour)) {
			f.today = append(f.today, p)
		}
	}
	return err
}

// lookInto finds out whether an odd silence is one: into a bank without a number in use nobody pays.
func (k *Keeper) lookInto(ctx context.Context, f *pushFacts) error {
	inUse, err := platform.NumbersInUse(ctx, k.db, f.bank.Code, f.last, f.now)
	if f.idle = len(inUse) == 0; err != nil || f.idle {
		return err
	}
	return k.probe(ctx, f)
}

// probe asks a bank that is oddly silent whether it is there, and what it has booked meanwhile: once for each full hour.
func (k *Keeper) probe(ctx context.Context, f *pushFacts) (err error) {
	line := k.lines[f.bank.Code]
	if line == nil || f.bank.Adapter.Calls == nil || f.bank.Adapter.Calls.Link == nil {
		return nil
	}
	tests, err := k.bank.LastCalls(ctx, f.bank.Code, f.bank.Adapter.Calls.Link.Code, 1)
	if err != nil {
		return err
	}
	if len(tests) == 0 || tests[0].BeganAt.Before(f.silentTo) {
		call, _ := line.TestLink(ctx) // the call says how it failed
		call.Code = f.bank.Adapter.Calls.Link.Code
		if err := k.bank.NoteCall(ctx, call); err != nil {
			return err
		}
		tests = []bank.Call{call}
	}
	if f.link = &tests[0]; f.link.Outcome == bank.CallDone {
		f.pulled, err = k.pull(ctx, f.bank, f.last.Add(-onItsWay), f.now, f.silentTo)
		if f.pulled.Failed != nil {
			f.link, err = f.pulled.Failed, nil
		}
	}
	if err != nil {
		return err
	}
	all, err := pulledIn(ctx, k.db, f.last.Add(-onItsWay), f.now)
	for _, p := range all {
		if p.Bank == f.bank.Code {
			f.recent = append(f.recent, p)
		}
	}
	return err
}

// readDelays reads how long notices took on the last day of which the statement or the notices tell.
func (k *Keeper) readDelays(ctx context.Context, f *pushFacts) error {
	for _, parent := range f.bank.ParentAccounts {
		delays, err := bank.PushDelays(ctx, k.db, bank.Book{Bank: f.bank.Code, ParentAccount: parent}, deposit.DayOf(f.last))
		if err != nil {
			return err
		}
		f.spread = append(f.spread, delays...)
		if last, err := lastClosing(ctx, k.db, bank.Book{Bank: f.bank.Code, ParentAccount: parent}); err == nil {
			f.atCap = f.atCap || last.AtRoundCap
		}
	}
	return nil
}

// silence is how likely the bank's silence is while all is well; 1 where nothing can be said of it.
func (f *pushFacts) silence() float64 {
	if f.last.IsZero() || f.idle || !f.rhythm.Known() || !f.last.Before(f.silentTo) {
		return 1
	}
	return f.rhythm.Chance(f.last, f.silentTo, f.before)
}
