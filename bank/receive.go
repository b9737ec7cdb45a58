package bank

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Desk keeps what banks send: the bytes as received, the entries read from them, and who saw which entry when.
type Desk struct {
	db     *sqldb.DB
	arrive func(ctx context.Context, by string, a *arrival) error
}

// NewDesk makes the desk.
func NewDesk(db *sqldb.DB) *Desk { return &Desk{db, sqldb.Jointly(db, arrive)} }

// StoredMessage is a message as it is kept.
type StoredMessage struct {
	ID         sqldb.ID
	Bank       string
	ExternalID string // the sender's, or the Digest
	Source     string
	Kind       string
	Outcome    Outcome
	Code       string // why it was refused
	Detail     string
	Digest     string // the tag of the SHA-256 of the bytes: who guesses them must not find them
	Size       int64
	ReceivedAt time.Time
	Body       []byte // empty for files, whose bytes stand in parts
}

var messages = sqldb.NewTable("messages", "id, bank, external_id, source, kind, outcome, code, sha256, size, received_at, body",
	func(m *StoredMessage) []any {
		return []any{&m.ID, &m.Bank, &m.ExternalID, &m.Source, &m.Kind, &m.Outcome, &m.Code, &m.Digest, &m.Size, sqldb.Wall(&m.ReceivedAt), sqldb.Sealed("messages", &m.ID, &m.Detail, &m.Body)}
	}).Holds(func(db *sqldb.DB, m *StoredMessage) (bool, error) {
	tag, err := db.Tag(tagOfMessage, hash(m.Body))
	return len(m.Body) == 0 || tag == m.Digest, err // a file stands in parts: see ChangedFiles
})

// Source says which way a sighting came.
type Source string

// The two sightings an entry can have.
const (
	FromNotice    Source = "N"
	FromStatement Source = "S"
)

// Sighting says that an entry stood in a message or on a statement.
type Sighting struct {
	EntryID sqldb.ID
	Source  Source
	FileID  sqldb.ID
	Ordinal int
	SeenAt  time.Time
}

var sightings = sqldb.NewTable("sightings", "entry_id, source, file_id, ordinal, seen_at", func(s *Sighting) []any {
	return []any{&s.EntryID, &s.Source, &s.FileID, &s.Ordinal, sqldb.Wall(&s.SeenAt)}
})

// Conflict is a sighting that contradicts the entry it is a sighting of.
type Conflict struct {
	ID      sqldb.ID
	EntryID sqldb.ID
	Source  Source
	FileID  sqldb.ID
	Ordinal int
	SeenAt  time.Time
	Fields  string // the names of the fields that differ, joined by ", "
	Amount  deposit.Fen
	Content string // the other content as JSON
	Digest  string
}

// Remark is what the other sighting says the money is for; "" where it was too long to be kept whole.
func (c *Conflict) Remark() string {
	var content struct{ Remark string }
	if json.Unmarshal([]byte(c.Content), &content) != nil {
		return ""
	}
	return content.Remark
}

// StatedReturned says that the statement calls a credit returned (退汇), which its notice could not say.
func (c *Conflict) StatedReturned() bool { return c.Source == FromStatement && c.Fields == "returned" }

var conflicts = sqldb.NewTable("conflicts", "id, entry_id, source, file_id, ordinal, seen_at, fields, amount, digest, sealed", func(c *Conflict) []any {
	return []any{&c.ID, &c.EntryID, &c.Source, &c.FileID, &c.Ordinal, sqldb.Wall(&c.SeenAt), &c.Fields, &c.Amount, sqldb.Tag("conflicts", &c.Digest), sqldb.Sealed("conflicts", &c.ID, &c.Content, &c.Digest)}
})

type reversal struct {
	EntryID                                     sqldb.ID
	Bank, ParentAccount, ReversalOf, SubAccount string
}

var reversals = sqldb.NewTable("reversals", "entry_id, bank, parent_account, reversal_of, sub_account", func(r *reversal) []any {
	return []any{&r.EntryID, &r.Bank, &r.ParentAccount, &r.ReversalOf, &r.SubAccount}
})

// Pending is an entry that waits for a verdict.
type Pending struct {
	EntryID sqldb.ID
	Cause   sqldb.ID // 0 for a new entry, else what came up: a contradiction, a person's decision
}

var unjudged = sqldb.NewTable("unjudged", "entry_id, cause", func(p *Pending) []any { return []any{&p.EntryID, &p.Cause} })

// Receipt says how a message fared.
type Receipt struct {
	MessageID sqldb.ID
	Outcome   Outcome
	Replayed  bool // the very same message was here before; Outcome is what was answered then
	Entries   int  // how many of its entries are new
}

// Receive keeps a message and its entries in one transaction, whose commit and whose look-ups it shares with whoever
// waits. Only when it returns without error may the bank hear "received". The same message again is answered as before;
// the same id with other bytes is refused (replay_differs).
func (d *Desk) Receive(ctx context.Context, m Message) (Receipt, error) {
	a := &arrival{Message: m}
	if err := a.conceal(d.db.Tag); err != nil {
		return Receipt{}, err
	}
	if err := d.arrive(ctx, m.Bank, a); err != nil {
		return Receipt{}, err
	}
	return a.receipt, a.refused
}

// Refuse keeps a message that was not understood or not trusted, with the reason. A message that did not prove its
// sender leaves its hash and the reason, not its bytes: a stranger must not fill the database or use up an id.
func (d *Desk) Refuse(ctx context.Context, m Message, cause error) error {
	if err := m.conceal(d.db.Tag); err != nil {
		return err
	}
	return d.db.Write(ctx, m.Bank, func(tx *sqldb.Tx) error {
		id := tx.NewID()
		m := m
		m.ExternalID = "refused:" + id.String() // the sender may mend it and use its id again
		return messages.Insert(ctx, tx, keep(&m, tx, id, Refused, cause))
	})
}

// tagOfMessage is the place of the tags that messages and files are recognised by.
const tagOfMessage = "messages"

// conceal puts a tag in the place of the message's hash: most of a message is no secret, so that who has a list of bidders and
// its hash could find which of them it is about.
func (m *Message) conceal(tag func(place, text string) (string, error)) (err error) {
	sum := m.SHA256
	if m.Raw != nil {
		sum, m.Size = hash(m.Raw), int64(len(m.Raw))
	}
	if m.SHA256, err = tag(tagOfMessage, sum); err != nil {
		return err
	}
	for _, known := range []string{sum, sum[:min(len(sum), enoughHash)]} {
		if before, is := strings.CutSuffix(m.ExternalID, known); is && known != "" {
			m.ExternalID = before + m.SHA256
			break
		}
	}
	return nil
}

func keep(m *Message, tx *sqldb.Tx, id sqldb.ID, outcome Outcome, cause error) StoredMessage {
	stored := StoredMessage{ID: id, Bank: m.Bank, ExternalID: m.ExternalID, Source: m.Source, Kind: m.Kind, Outcome: outcome,
		Digest: m.SHA256, Size: m.Size, ReceivedAt: tx.Now, Body: m.Raw}
	if m.Raw == nil {
		stored.Body = []byte{}
	}
	if cause != nil {
		code, text := Reason(cause)
		stored.Code, stored.Detail = cut(code, 40), cut(text, 400)
	}
	return stored
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cut shortens a text to the number of characters its column holds.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// tally is what storing some sightings came to.
type tally struct{ seen, fresh, conflicting int }

func (t tally) outcome() Outcome {
	switch {
	case t.conflicting > 0:
		return Conflicts
	case t.fresh == 0 && t.seen > 0:
		return Duplicate
	}
	return New
}

// find looks up the entries that are stored already, by their identity.
func find(ctx context.Context, r sqldb.Reader, seen []Entry) (map[Identity]Entry, error) {
	known := make(map[Identity]Entry, len(seen))
	for p, serials := range pagesOf(seen) {
		err := sqldb.Chunks(serials, func(in string, args []any) error {
			rows, err := entries.All(ctx, r, "WHERE bank = ? AND parent_account = ? AND booking_date = ? AND serial IN "+in,
				append([]any{p.bank, p.parent, p.day}, args...)...)
			for i := range rows {
				known[rows[i].Identity()] = rows[i]
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// page is an account's day, as entries name it.
type page struct {
	bank, parent string
	day          deposit.Day
}

// pagesOf gives the serials of entries, by page.
func pagesOf(seen []Entry) map[page][]string {
	serials := map[page][]string{}
	for i := range seen {
		p := page{seen[i].Bank, seen[i].ParentAccount, seen[i].BookingDate}
		serials[p] = append(serials[p], seen[i].Serial)
	}
	return serials
}

func conflictOf(tx *sqldb.Tx, s Sighting, e *Entry, fields []string) Conflict {
	content, _ := json.Marshal(map[string]string{"amount": e.Amount.String(), "sub_account": e.SubAccount, "booked_at": deposit.Wall(e.BookedAt),
		"payer_name": e.PayerName, "payer_account": e.PayerAccount, "payer_bank": e.PayerBank, "remark": e.Remark, "reversal_of": e.ReversalOf})
	return Conflict{ID: tx.NewID(), EntryID: s.EntryID, Source: s.Source, FileID: s.FileID, Ordinal: s.Ordinal, SeenAt: tx.Now,
		Fields: strings.Join(fields, ", "), Amount: e.Amount, Content: cut(string(content), 2000), Digest: hash(content)}
}
