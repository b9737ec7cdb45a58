package bank

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"depositd/platform/deposit"
)

// places is where the lines of a file begin: of one in blockLines.
type places struct {
	begin []int64
	end   int64
}

// Lines that are read again are read with their neighbours, some 3 KiB; neighbours that follow each other, at once.
const (
	blockLines   = 16
	blocksAtOnce = 16
)

func (p *places) note(number int, at int64) {
	if number == 1 {
		p.begin = append(p.begin, at) // of a block without a line 0
	}
	if number%blockLines == 0 {
		p.begin = append(p.begin, at)
	}
}

// read reads blocks, from the first to the last.
func (p *places) read(file io.ReaderAt, first, last int, room []byte) ([]byte, error) {
	end := p.end
	if last+1 < len(p.begin) {
		end = p.begin[last+1]
	}
	size := int(end - p.begin[first])
	if cap(room) < size {
		room = make([]byte, size+size/4)
	}
	_, err := file.ReadAt(room[:size], p.begin[first])
	if errors.Is(err, io.EOF) {
		return nil, FileChanged()
	}
	return room[:size], err
}

// FileChanged is the error of a file that is another one when it is read again.
func FileChanged() error {
	return deposit.Refuse(deposit.Invalid, "file_changed", "文件在读取期间被改动，请重试")
}

// again reads lines of a table once more.
type again struct {
	*table
	lines    []uint64
	from, to int
	row      func(*Row) error
}

// Again reads lines of the file once more, now as text: those in the set – line n is bit n%64 of word n/64 – that are not
// below from and are below to. Each has to be a record that was not odd; a file in which it is none any more has been
// changed meanwhile, which is an Invalid error. Several goroutines may do so at the same time.
func (s *Scan) Again(file io.ReaderAt, set []uint64, from, to int, row func(*Row) error) error {
	in := &lines{in: bufio.NewReader(bytes.NewReader(nil)), declared: s.table.in.declared, charset: s.table.in.charset}
	a := again{&table{in: in, columns: s.table.columns}, set, from, to, row}
	a.table.row = Row{from: s.table.row.from, Fields: make([]string, len(s.Columns))}
	var room []byte
	blocks := min(len(s.places.begin), (to+blockLines-1)/blockLines)
	for block := from / blockLines; block < blocks; block++ {
		if !a.wants(block) {
			continue
		}
		first := block
		for block+1 < blocks && block-first < blocksAtOnce && a.wants(block+1) {
			block++
		}
		var err error
		if room, err = s.places.read(file, first, block, room); err == nil {
			err = a.block(room, first*blockLines)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wants says whether any line of a block is to be read again.
func (a *again) wants(block int) bool {
	at := block * blockLines
	return at/64 < len(a.lines) && a.lines[at/64]>>(at%64)&(1<<blockLines-1) != 0
}

// block reads the lines of blocks that begin with a line's number.
func (a *again) block(text []byte, number int) error {
	for number = max(number, 1); len(text) > 0; number++ {
		raw, rest, found := bytes.Cut(text, []byte("\n"))
		text = rest
		if number < a.from || number >= a.to || number/64 >= len(a.lines) || a.lines[number/64]>>(number%64)&1 == 0 {
			continue
		}
		record, f, err := a.whole(a.text(line{number, bytes.TrimSuffix(raw, []byte("\r")), !found}))
		if err != nil {
			return err
		}
		if f != nil {
			return FileChanged()
		}
		a.table.row.take(record)
		if err := a.row(&a.table.row); err != nil {
			return err
		}
	}
	return nil
}
