package sqldb

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Vault is a table that holds sealed values, as the program declares it.
type Vault interface {
	// Look opens every sealed value of the table, row by row. shut is the values that do not open where they stand, or hold
	// more than they should; untrue is the rows of which a tag, or what Holds looks at, is not that of what opened.
	Look(ctx context.Context, db *DB) (shut, untrue Damage, err error)

	table() string
	sealedColumns() []string
	sees() int // how much of a row it looks at
}

// Damage is how much of something is broken, and what the first of it is.
type Damage struct {
	Count int64
	Rows  []string // at most mostNamed, as "entries 08sab3k5wnf1c"
}

// mostNamed bounds what is named of what may be everything.
const mostNamed = 5

// Add counts one more.
func (d *Damage) Add(row string) { d.Join(Damage{1, []string{row}}) }

// Join counts what was found elsewhere.
func (d *Damage) Join(other Damage) {
	d.Count += other.Count
	d.Rows = append(d.Rows, other.Rows...)
	d.Rows = d.Rows[:min(len(d.Rows), mostNamed)]
}

// declared is every table that the program declares. NewTable fills it before main begins; it only grows.
var declared []Vault

// Vaults are the tables of this program that hold sealed values, such that each of their columns is looked at.
func Vaults() (all []Vault) {
	covered := map[string]bool{}
	best := slices.Clone(declared)
	slices.SortStableFunc(best, func(a, b Vault) int { return cmp.Compare(b.sees(), a.sees()) })
	for _, v := range best {
		covers := false
		for _, column := range v.sealedColumns() {
			covers = covers || !covered[v.table()+"."+column]
			covered[v.table()+"."+column] = true
		}
		if covers {
			all = append(all, v)
		}
	}
	return all
}

// VaultColumns lists the sealed columns of this program, as "entries.sealed".
func VaultColumns() (all []string) {
	for _, v := range Vaults() {
		for _, column := range v.sealedColumns() {
			all = append(all, v.table()+"."+column)
		}
	}
	return all
}

// Holds declares as well what has to be true of a row that opened, such as that a hash is that of the bytes beside it.
func (t Table[T]) Holds(holds func(db *DB, row *T) (bool, error)) Table[T] {
	t.holds = holds
	declared = append(declared, t)
	return t
}

func (t Table[T]) table() string { return t.name }

func (t Table[T]) sealedColumns() []string { return t.probe(new(T)).sealed }

func (t Table[T]) sees() int {
	p := t.probe(new(T))
	n := 10*len(p.boxes) + len(p.labels)
	if t.holds != nil {
		n += 100
	}
	return n
}

// Look implements Vault.
func (t Table[T]) Look(ctx context.Context, db *DB) (shut, untrue Damage, err error) {
	p := t.probe(new(T))
	text := "SELECT " + strings.Join(p.columns, ", ") + " FROM " + t.name
	err = query(ctx, db, text, nil, func(row *T) []any { p = t.probe(row); return p.fields }, func(row *T) error {
		if n := p.shut(); n > 0 {
			shut.Join(Damage{int64(n), []string{p.name()}})
			return nil
		}
		agrees, err := p.agrees(db.ring)
		if err == nil && agrees && t.holds != nil {
			agrees, err = t.holds(db, row)
		}
		if err == nil && !agrees {
			untrue.Add(p.name())
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("open %s: %w", t.name, err)
	}
	return shut, untrue, err
}

// probe is what a Look reads of a row: its sealed columns, the tags of what is in them, and what those are bound to; all of it
// where Holds looks at it.
type probe struct {
	columns []string
	fields  []any
	sealed  []string // of the columns
	boxes   []*box
	labels  []*label
	names   []any // what the row is called by, behind its table
}

// box is a sealed column that may not open.
type box struct {
	*sealed
	isShut bool
}

// Scan implements sql.Scanner. Nothing but zeros may be behind the secrets: then it is not another column's of the row.
func (b *box) Scan(src any) error {
	err := b.sealed.Scan(src)
	b.isShut = errors.Is(err, ErrSealed) || errors.Is(err, errUnpack) || err == nil && len(bytes.Trim(b.rest, "\x00")) > 0
	if b.isShut {
		return b.unpack(nil)
	}
	return err
}

// Perhaps is a sealed field that is read as empty where it does not open; shut says that it did not.
func Perhaps(field any) (perhaps any, shut func() bool) {
	b := &box{sealed: field.(*sealed)}
	return b, func() bool { return b.isShut }
}

// label is a tag as it stands there.
type label struct {
	*tagged
	stored sql.NullString
}

// Scan implements sql.Scanner.
func (l *label) Scan(src any) error { return l.stored.Scan(src) }

func (t Table[T]) probe(row *T) probe {
	columns, fields := strings.Split(t.columns, ","), t.row(row)
	p := probe{names: []any{t.name, fields[0]}}
	var bound, secrets []any
	for _, f := range fields {
		if s, ok := f.(*sealed); ok {
			bound, secrets = append(bound, s.id), append(secrets, s.secrets...)
			for _, place := range s.places {
				bound, p.names = append(bound, place), append(p.names, place)
			}
		}
	}
	for i, f := range fields {
		column, wanted := strings.TrimSpace(columns[i]), i == 0 || t.holds != nil || slices.Contains(bound, f)
		switch field := f.(type) {
		case *sealed:
			b := &box{sealed: field}
			f, wanted, p.sealed, p.boxes = b, true, append(p.sealed, column), append(p.boxes, b)
		case *tagged:
			if slices.Contains(secrets, any(field.text)) {
				l := &label{tagged: field}
				f, wanted, p.labels = l, true, append(p.labels, l)
			}
		}
		if wanted {
			p.columns, p.fields = append(p.columns, column), append(p.fields, f)
		}
	}
	return p
}

// shut is how many of the boxes did not open.
func (p *probe) shut() (n int) {
	for _, b := range p.boxes {
		if b.isShut {
			n++
		}
	}
	return n
}

// agrees says whether each tag is that of the text in the box.
func (p *probe) agrees(r *ring) (bool, error) {
	for _, l := range p.labels {
		if tag, err := r.tag(l.place, *l.text); err != nil || tag != l.stored.String {
			return false, err
		}
	}
	return true, nil
}

// name is the table and the key of the row.
func (p *probe) name() string {
	all := make([]string, len(p.names))
	for i, name := range p.names {
		switch name := name.(type) {
		case string:
			all[i] = name
		case *ID:
			all[i] = name.String()
		case *int64:
			all[i] = strconv.FormatInt(*name, 10)
		case *int:
			all[i] = strconv.Itoa(*name)
		}
	}
	return strings.Join(all, " ")
}
