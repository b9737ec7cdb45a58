package bank

import (
	"errors"
	"io"
)

// Scan reads a table as ReadTable does, with a short way for the records that are as nearly all are: they come as bytes
// of the file first, and only those that Bare finds odd are read as text. Afterwards lines can be read again, as text.
type Scan struct {
	Declared Charset
	Columns  []string
	Bare     func(*Bare) error // takes a record, unless it is odd when its fields have been read
	Row      func(*Row) error  // takes one that was odd
	Fault    func(Fault) error

	table  *table // once the file is read
	places places
}

// errNoMore ends the reading: io.EOF could be somebody else's.
var errNoMore = errors.New("no more lines")

// Read reads the file, as ReadTable does.
func (s *Scan) Read(file io.Reader) error {
	t, err := openTable(file, s.Declared, s.Columns, &s.places)
	if err != nil {
		return err
	}
	s.table = t
	bare := newBare(t)
	for err == nil {
		err = s.next(t, bare)
	}
	s.places.end = t.in.at
	if errors.Is(err, errNoMore) {
		return nil
	}
	return err
}

// next reads a record.
func (s *Scan) next(t *table, bare *Bare) error {
	if len(t.again) > 0 {
		first, _ := t.line()
		return s.text(t, first)
	}
	if err := t.in.read(&bare.line); errors.Is(err, io.EOF) {
		return errNoMore
	} else if err != nil {
		return err
	}
	if bare.take() {
		if err := s.Bare(bare); err != nil || !bare.odd {
			return err
		}
	}
	return s.text(t, t.text(bare.line))
}

// text reads the record that begins with a line as text.
func (s *Scan) text(t *table, first textLine) error {
	if isEmpty(first.text) {
		return nil
	}
	record, f, err := t.whole(first)
	if err != nil {
		return err
	}
	return t.give(record, f, s.Row, s.Fault)
}
