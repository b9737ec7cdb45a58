package incident

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"depositd/migrations/sqldb"
)

// Entry is one line of an incident's timeline, which only grows.
type Entry struct {
	ID         sqldb.ID
	IncidentID sqldb.ID
	Seq        int64 // within the incident, from 1 and without a gap
	At         time.Time
	Person     string
	Office     string // as what he acted; "" of the service
	Kind       EntryKind
	Text       string // no payer's name or number
}

var timeline = sqldb.NewTable("incident_timeline", "id, incident_id, seq, at, person, office, kind, sealed", func(e *Entry) []any {
	return []any{&e.ID, &e.IncidentID, &e.Seq, sqldb.Wall(&e.At), &e.Person, &e.Office, &e.Kind, sqldb.Sealed("incident_timeline", &e.ID, &e.Text)}
})

// EntryKind says what an entry is about.
type EntryKind string

// The kinds of entries.
const (
	EntryOpened    EntryKind = "OPENED"
	EntrySigned    EntryKind = "SIGNED"    // one signature of those an act needs
	EntryMoved     EntryKind = "MOVED"     // the state has changed
	EntryGraded    EntryKind = "GRADED"    // a person has set the level
	EntrySuggested EntryKind = "SUGGESTED" // the service suggests another level, as when time has passed
	EntryBranch    EntryKind = "BRANCH"
	EntryStep      EntryKind = "STEP"
	EntryEvidence  EntryKind = "EVIDENCE"
	EntryFault     EntryKind = "FAULT" // the service says where the fault lies
	EntryGone      EntryKind = "GONE"  // the service no longer sees it
	EntryAgain     EntryKind = "AGAIN" // it does again
	EntryFrozen    EntryKind = "FROZEN"
	EntryLifted    EntryKind = "LIFTED"
	EntryOverdue   EntryKind = "OVERDUE" // a limit has passed
	EntryBackfill  EntryKind = "BACKFILL"
	EntryAction    EntryKind = "ACTION"
	EntryNote      EntryKind = "NOTE"
	EntryDeadline  EntryKind = "DEADLINE"
)

var entryNames = map[EntryKind]string{EntryOpened: "登记", EntrySigned: "签署", EntryMoved: "阶段", EntryGraded: "定级", EntrySuggested: "建议级别", EntryBranch: "选择方案", EntryStep: "步骤",
	EntryEvidence: "证据", EntryFault: "责任判断", EntryGone: "现象消失", EntryAgain: "现象重现", EntryFrozen: "冻结退付", EntryLifted: "解除冻结", EntryOverdue: "超过时限",
	EntryBackfill: "数据补录", EntryAction: "整改事项", EntryNote: "备注", EntryDeadline: "时间节点"}

// Chinese is the kind's name, "" of none.
func (k EntryKind) Chinese() string { return entryNames[k] }

// EntryKinds lists the kinds.
func EntryKinds() []EntryKind { return slices.Sorted(maps.Keys(entryNames)) }

// Change is what Join hands on: the incident as it is now, and the line that was added.
type Change struct {
	Incident Incident
	Entry    Entry
}

// mostText is what a text holds at most, in characters.
const mostText = 2000

// tell adds a line to the incident's timeline and hands it on.
func (d *Desk) tell(ctx context.Context, tx *sqldb.Tx, i *Incident, e Entry) error {
	n, err := tx.Exec(ctx, "UPDATE incidents SET entries = entries + 1 WHERE id = ? AND entries = ?", i.ID, i.Entries)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("count an incident's entries: %w", err)
	}
	i.Entries++
	e.ID, e.IncidentID, e.Seq, e.At, e.Person, e.Text = tx.NewID(), i.ID, i.Entries, tx.Now, tx.By, clip(e.Text, mostText)
	if err := timeline.Insert(ctx, tx, e); err != nil {
		return err
	}
	for _, beside := range d.beside {
		if err := beside(ctx, tx, Change{*i, e}); err != nil {
			return err
		}
	}
	return nil
}

// Timeline reads what happened after a line, in its order.
func Timeline(ctx context.Context, r sqldb.Reader, incident sqldb.ID, after int64) ([]Entry, error) {
	return timeline.All(ctx, r, "WHERE incident_id = ? AND seq > ? ORDER BY seq", incident, after)
}

// clip shortens what the service writes to its column, in characters.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
