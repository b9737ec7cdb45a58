package reconcile

import (
	"context"
	"errors"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Outage is a time in which no replica of the service heard a bank: none was running, or none reached the database.
type Outage struct {
	ID           sqldb.ID
	Began, Ended time.Time
	Cause        OutageCause
	State        string
	Version      int64
}

// Lasted is how long the service was deaf.
func (o *Outage) Lasted() time.Duration { return o.Ended.Sub(o.Began) }

var outages = sqldb.NewTable("outages", "id, began_at, ended_at, cause, state, version", func(o *Outage) []any {
	return []any{&o.ID, sqldb.Wall(&o.Began), sqldb.Wall(&o.Ended), &o.Cause, &o.State, &o.Version}
})

// OutageCause is why the service was deaf.
type OutageCause string

// The causes.
const (
	WasStopped   OutageCause = "STOPPED"
	HasDied      OutageCause = "DIED" // or the machine slept, or its clock was set
	LostDatabase OutageCause = "DATABASE"
)

var outageCauses = map[OutageCause]string{WasStopped: "服务被正常停止", HasDied: "服务或主机中断", LostDatabase: "数据库不可用，服务仍在运行"}

// Chinese is the cause for people.
func (c OutageCause) Chinese() string { return outageCauses[c] }

// The states of an outage.
const (
	OutageFound = "FOUND"
	OutageAsked = "ASKED" // the banks that can be asked have told what they booked in it
)

// OutageMoves is how an outage's state changes.
var OutageMoves = deposit.Machine{
	OutageFound: {"ask": OutageAsked},
	OutageAsked: {},
}

// heartbeat is the service's last sign of life.
type heartbeat struct {
	Service string
	At      time.Time
	Stopped bool
}

var heartbeats = sqldb.NewTable("heartbeats", "service, beat_at, stopped", func(h *heartbeat) []any {
	return []any{&h.Service, sqldb.Wall(&h.At), &h.Stopped}
})

const thisService = "depositd"

// BeatEvery is how often each replica gives a sign of life; without one for DeafAfter nobody has heard the banks.
const (
	BeatEvery = 15 * time.Second
	DeafAfter = time.Minute
)

// Beat gives a sign of life. Where the last one, of whichever replica, lies too far back it notes the time between as an
// outage: once, since only one replica moves the beat on from there. failed says that this process has tried in vain since:
// then it was the database that was away. stopping says that it beats no more because it was told to stop.
func Beat(ctx context.Context, db *sqldb.DB, by string, failed, stopping bool) (found *Outage, err error) {
	err = db.Write(ctx, by, func(tx *sqldb.Tx) error {
		found = nil
		last, err := heartbeats.One(ctx, tx, "WHERE service = ?", thisService)
		switch {
		case errors.Is(err, sqldb.ErrNone):
			return heartbeats.Insert(ctx, tx, heartbeat{thisService, tx.Now, stopping})
		case err != nil || !tx.Now.After(last.At):
			return err
		}
		n, err := tx.Exec(ctx, "UPDATE heartbeats SET beat_at = ?, stopped = ? WHERE service = ? AND beat_at = ?", sqldb.At(tx.Now), stopping, thisService, sqldb.At(last.At))
		if err != nil || n != 1 || tx.Now.Sub(last.At) <= DeafAfter {
			return err
		}
		found = &Outage{ID: tx.NewID(), Began: last.At, Ended: tx.Now, Cause: causeOf(last.Stopped, failed), State: OutageFound, Version: 1}
		if err := outages.Insert(ctx, tx, *found); err != nil {
			return err
		}
		return tx.Note(ctx, "outages", found.ID, OutageFound, found.Cause.Chinese()+"："+deposit.Wall(found.Began)+" 至 "+deposit.Wall(found.Ended))
	})
	if errors.Is(err, sqldb.ErrTaken) { // another replica began to beat, or noted the same outage
		return nil, nil
	}
	return found, err
}

func causeOf(stopped, failed bool) OutageCause {
	switch {
	case failed:
		return LostDatabase
	case stopped:
		return WasStopped
	}
	return HasDied
}

// OutagesSince lists the outages that ended after an instant, the earliest first.
func OutagesSince(ctx context.Context, r sqldb.Reader, since time.Time) ([]Outage, error) {
	return outages.All(ctx, r, "WHERE ended_at >= ? ORDER BY ended_at, id", sqldb.At(since))
}

// PulledCredit is a credit that we have because we asked for it.
type PulledCredit struct {
	Bank, Parent, Serial string
	Opened               bool // it is of a lot that is opened: it may be told
}

// pulledIn lists the credits booked in [from, to) that were pulled, by account and serial.
func pulledIn(ctx context.Context, r sqldb.Reader, from, to time.Time) ([]PulledCredit, error) {
	return sqldb.Select(ctx, r, func(p *PulledCredit) []any { return []any{&p.Bank, &p.Parent, &p.Serial, &p.Opened} },
		"SELECT e.bank, e.parent_account, e.serial, CASE WHEN t.state <> 'ANNOUNCED' AND COALESCE(s.state, '') <> 'ANNOUNCED' THEN 1 ELSE 0 END FROM entries AS e "+
			"LEFT JOIN matches AS m ON m.entry_id = e.id LEFT JOIN lots AS t ON t.id = m.lot_id LEFT JOIN bids AS b ON b.id = m.suggested_bid LEFT JOIN lots AS s ON s.id = b.lot_id "+
			"WHERE e.booking_date >= ? AND e.booking_date <= ? AND e.booked_at >= ? AND e.booked_at < ? AND EXISTS (SELECT 1 FROM sightings AS g "+
			"JOIN messages AS x ON x.id = g.file_id WHERE g.entry_id = e.id AND g.source = 'N' AND x.source = 'PULL') ORDER BY e.bank, e.parent_account, e.serial, e.serial_seq",
		deposit.DayOf(from).Add(-1), deposit.DayOf(to).Add(14), sqldb.At(from), sqldb.At(to))
}

// settleOutage notes that the banks were asked, or that one was in vain for too long.
func (k *Keeper) settleOutage(ctx context.Context, by string, o Outage, done bool) error {
	note := "银行已答复缺失时段的到账"
	if !done {
		note = "有银行未能答复，请人工索取缺失时段的明细"
	}
	err := k.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		return tx.Move(ctx, sqldb.Move{Table: "outages", ID: o.ID, Version: o.Version, From: OutageFound, To: OutageAsked, Note: note})
	})
	if errors.Is(err, sqldb.ErrStale) { // another replica was faster
		return nil
	}
	return err
}
