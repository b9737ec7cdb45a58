package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Evidence is a fact that was found out for a step, or for the whole incident.
type Evidence struct {
	Step      string // the plan's key 4.6.1/1/1.1; "": the whole incident
	Key       string // natural: the same fact told again takes the place of its older form
	Kind      EvidenceKind
	Text      string   // what it shows, in a sentence or some; ready to be read out on the telephone where a person has to ask
	Numbers   []Number // of NUMBERS
	Name      string   // of a FILE
	MediaType string
	Content   []byte // of a FILE
	Answers   bool   // it answers the step by itself: the service marks it done
}

// Number is one figure with its name: 空闲子账号, 0 个.
type Number struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// EvidenceKind is text, numbers, or a file.
type EvidenceKind string

// The kinds of evidence.
const (
	AsText    EvidenceKind = "TEXT"
	AsNumbers EvidenceKind = "NUMBERS"
	AsFile    EvidenceKind = "FILE"
)

// MostFile is how long a file may be: a scanned report of some pages.
const MostFile = 8 << 20

// mostExhibits is how much an incident may hold; a person looks through no more.
const mostExhibits = 500

// Exhibit is evidence as it is kept. Its file is read by Content.
type Exhibit struct {
	ID         sqldb.ID
	IncidentID sqldb.ID
	Step       string
	Key        string
	Kind       EvidenceKind
	Text       string
	Name       string
	MediaType  string
	Size       int64
	SHA256     string
	Person     string
	At         time.Time
	Version    int64
	Numbers    []Number // where Exhibits has read them
}

const exhibitColumns = "id, incident_id, step, natural_tag, kind, sealed, media_type, size, person, at, version"

func exhibitRow(e *Exhibit) []any {
	return []any{&e.ID, &e.IncidentID, &e.Step, sqldb.Tag(exhibitTag, &e.Key), &e.Kind, e.sealed(), &e.MediaType, &e.Size, &e.Person, sqldb.Wall(&e.At), &e.Version}
}

// exhibitTag is the place of the tags of Key.
const exhibitTag = "incident_evidence"

// sealed is what the evidence says, which may name payers, as a field of a query; the ID has to stand before it.
func (e *Exhibit) sealed() any {
	return sqldb.Sealed("incident_evidence", &e.ID, &e.Key, &e.Text, &e.Name, &e.SHA256)
}

var exhibits = sqldb.NewTable("incident_evidence", exhibitColumns, exhibitRow)

// whole is an exhibit with its bytes.
type whole struct {
	Exhibit
	body []byte
}

var wholes = sqldb.NewTable("incident_evidence", exhibitColumns+", body", func(w *whole) []any { return append(exhibitRow(&w.Exhibit), w.sealedBody()) }).
	Holds(func(_ *sqldb.DB, w *whole) (bool, error) { return w.SHA256 == digestOf(w.body), nil })

func (w *whole) sealedBody() any { return sqldb.Sealed("incident_evidence", &w.ID, &w.body) }

// Exhibits lists an incident's evidence in the order of the plan's steps.
func Exhibits(ctx context.Context, r sqldb.Reader, incident sqldb.ID) ([]Exhibit, error) {
	all, err := exhibits.All(ctx, r, "WHERE incident_id = ? ORDER BY step, at, id", incident)
	if err != nil {
		return nil, err
	}
	figures, err := wholes.All(ctx, r, "WHERE incident_id = ? AND kind = 'NUMBERS'", incident)
	for _, one := range figures {
		e := find(all, func(e *Exhibit) bool { return e.ID == one.ID })
		if err := json.Unmarshal(one.body, &e.Numbers); err != nil {
			return nil, fmt.Errorf("the numbers of evidence %s: %w", e.ID, err)
		}
	}
	return all, err
}

// Content reads an exhibit's file; NotFound "evidence_unknown".
func Content(ctx context.Context, r sqldb.Reader, incident, id sqldb.ID) (Exhibit, []byte, error) {
	w, err := wholes.One(ctx, r, "WHERE incident_id = ? AND id = ? AND kind = 'FILE'", incident, id)
	if errors.Is(err, sqldb.ErrNone) {
		err = deposit.Refuse(deposit.NotFound, "evidence_unknown", "该事件没有这个证据文件")
	}
	return w.Exhibit, w.body, err
}

// Attach keeps what a person has found out, under its own key. What is attached once is not changed.
func (d *Desk) Attach(ctx context.Context, by, office string, incident sqldb.ID, e Evidence) (x Exhibit, err error) {
	if err := checkEvidence(&e); err != nil {
		return x, err
	}
	err = d.act(ctx, by, office, incident, func(tx *sqldb.Tx, i *Incident, p *Plan) error {
		if i.State == Reviewed || i.State == Dismissed {
			return deposit.Refuse(deposit.Conflict, "incident_closed", "事件", i.State.Chinese(), "，不能再添加证据")
		}
		if e.Step != "" {
			if _, step := p.Scenario(i.Scenario).Step(e.Step); step == nil {
				return noStep(e.Step)
			}
		}
		held, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM incident_evidence WHERE incident_id = ?", i.ID)
		if err != nil {
			return err
		}
		if held >= mostExhibits {
			return deposit.Refuse(deposit.Conflict, "evidence_full", "该事件已有 ", held, " 份证据，请合并后再添加")
		}
		w := e.whole()
		x, err = exhibits.One(ctx, tx, "WHERE incident_id = ? AND step = ? AND natural_tag = ?", i.ID, e.Step, sqldb.Tag(exhibitTag, &w.Key))
		if !errors.Is(err, sqldb.ErrNone) { // sent again
			return err
		}
		if x, err = keepExhibit(ctx, tx, i, w); err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryEvidence, Office: office, Text: w.describe()})
	})
	return x, err
}

func checkEvidence(e *Evidence) error {
	switch e.Kind {
	case AsText:
		e.Content = nil
	case AsFile:
		if len(e.Content) == 0 || len(e.Content) > MostFile {
			return deposit.Refuse(deposit.Invalid, "file_size", "文件不能为空，且不超过 ", MostFile>>20, " MiB")
		}
	case AsNumbers:
		if len(e.Numbers) == 0 {
			return deposit.Refuse(deposit.Invalid, "numbers_missing", "请至少填写一项数据")
		}
	default:
		return deposit.Refuse(deposit.Invalid, "kind_unknown", "证据应为 TEXT、NUMBERS 或 FILE")
	}
	return errors.Join(checkText("text", &e.Text, mostText, e.Kind == AsText), checkText("name", &e.Name, mostFile, e.Kind == AsFile), checkText("media_type", &e.MediaType, mostMedia, false))
}

// found keeps what the service has found out: a new fact, or the newest form of one that is there, which the timeline does not
// tell each time.
func (d *Desk) found(ctx context.Context, tx *sqldb.Tx, i *Incident, e *Evidence) error {
	w := e.whole()
	old, err := exhibits.One(ctx, tx, "WHERE incident_id = ? AND step = ? AND natural_tag = ?", i.ID, w.Step, sqldb.Tag(exhibitTag, &w.Key))
	switch {
	case errors.Is(err, sqldb.ErrNone):
		if _, err := keepExhibit(ctx, tx, i, w); err != nil {
			return err
		}
		if err := d.tell(ctx, tx, i, Entry{Kind: EntryEvidence, Text: w.describe()}); err != nil {
			return err
		}
	case err != nil:
		return err
	case old.SHA256 != w.SHA256 || old.Text != w.Text:
		w.ID = old.ID
		n, err := tx.Exec(ctx, "UPDATE incident_evidence SET kind = ?, sealed = ?, media_type = ?, size = ?, body = ?, person = ?, at = ?, version = version + 1 WHERE id = ? AND version = ?",
			w.Kind, w.sealed(), w.MediaType, w.Size, w.sealedBody(), tx.By, sqldb.At(tx.Now), old.ID, old.Version)
		if err == nil && n != 1 {
			err = sqldb.ErrStale
		}
		if err != nil {
			return err
		}
	}
	if !e.Answers {
		return nil
	}
	return d.answer(ctx, tx, i, w)
}

// whole is the evidence as it is stored; without a key it is its own.
func (e *Evidence) whole() whole {
	w := whole{Exhibit{Step: e.Step, Key: clip(e.Key, mostSubject), Kind: e.Kind, Text: clip(e.Text, mostText), Name: clip(e.Name, mostFile), MediaType: clip(e.MediaType, mostMedia), Version: 1}, e.Content}
	if e.Kind == AsNumbers {
		w.body, _ = json.Marshal(e.Numbers) // strings: never fails
	}
	w.body = notNull(w.body)
	w.Size, w.SHA256 = int64(len(w.body)), digestOf(w.body)
	if w.Key == "" {
		w.Key = digestOf([]byte(w.SHA256 + w.Name + "\n" + w.Text))
	}
	return w
}

func (w *whole) describe() string {
	place := ""
	if w.Step != "" {
		place = "步骤 " + w.Step + "："
	}
	if w.Kind == AsFile {
		return place + "文件 " + w.Name + " " + w.Text
	}
	return place + w.Text
}

func keepExhibit(ctx context.Context, tx *sqldb.Tx, i *Incident, w whole) (Exhibit, error) {
	w.ID, w.IncidentID, w.Person, w.At = tx.NewID(), i.ID, tx.By, tx.Now
	return w.Exhibit, wholes.Insert(ctx, tx, w)
}
