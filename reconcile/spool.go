package reconcile

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"depositd/migrations/scratch"
)

// spool keeps records by partition for a check of files larger than memory. What does not fit into small buffers goes into
// one scratch file, which nobody else can read. One goroutine writes; any number may read when it has done.
type spool struct {
	dir   string
	file  *scratch.File // nil until a buffer is full
	size  int64
	parts []partition

	extent int // the size of a full buffer
}

type partition struct {
	fresh   []byte
	extents []extent
}

// extent is a full buffer of a partition in the file.
type extent struct {
	at int64
	n  int
}

// The buffers of the spools that are written together are 8 MiB: as many partitions as there are, so large is the buffer of
// each, within reason, since a call of the system costs more than what it copies.
const (
	bufferBytes = 8 << 20
	smallExtent = 8 << 10
	largeExtent = 64 << 10
)

func newSpool(dir string, parts, writers int) *spool {
	return &spool{dir: dir, parts: make([]partition, parts), extent: min(max(bufferBytes/parts/writers, smallExtent), largeExtent)}
}

// drop gives the buffers back: what the spool holds is no longer needed.
func (s *spool) drop() { s.parts = nil }

// put adds a record to a partition. Records keep their order within it.
func (s *spool) put(part int, record []byte) error {
	p := &s.parts[part]
	if len(p.fresh) > 0 && len(p.fresh)+len(record)+binary.MaxVarintLen32 > s.extent {
		if err := s.flush(p); err != nil {
			return err
		}
	}
	if need := len(p.fresh) + len(record) + binary.MaxVarintLen32; need > cap(p.fresh) { // append would make more room than a full buffer needs
		p.fresh = append(make([]byte, 0, max(need, min(2*cap(p.fresh), s.extent))), p.fresh...)
	}
	p.fresh = binary.AppendUvarint(p.fresh, uint64(len(record)))
	p.fresh = append(p.fresh, record...)
	return nil
}

// slip makes room for a record of fixed size and without its length, which the caller fills in before the next call.
func (s *spool) slip(part, size int) ([]byte, error) {
	p := &s.parts[part]
	had := len(p.fresh)
	if had+size > cap(p.fresh) {
		if had > 0 && had+size > s.extent {
			if err := s.flush(p); err != nil {
				return nil, err
			}
			had = 0
		} else {
			p.fresh = append(make([]byte, 0, max(size, min(2*cap(p.fresh), s.extent))), p.fresh...)
		}
	}
	p.fresh = p.fresh[:had+size]
	return p.fresh[had:], nil
}

func (s *spool) flush(p *partition) (err error) {
	if s.file == nil {
		if s.file, err = scratch.Create(s.dir); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt(p.fresh, s.size); err != nil {
		return err
	}
	p.extents = append(p.extents, extent{s.size, len(p.fresh)})
	s.size += int64(len(p.fresh))
	p.fresh = p.fresh[:0]
	return nil
}

// load appends a partition's records to room.
func (s *spool) load(part int, room []byte) ([]byte, error) {
	p := &s.parts[part]
	room = slices.Grow(room, s.bytes(part))
	for _, e := range p.extents {
		at := len(room)
		room = room[:at+e.n]
		if _, err := s.file.ReadAt(room[at:], e.at); err != nil {
			return room, err
		}
	}
	return append(room, p.fresh...), nil
}

// bytes is how large a partition is.
func (s *spool) bytes(part int) int {
	n := len(s.parts[part].fresh)
	for _, e := range s.parts[part].extents {
		n += e.n
	}
	return n
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// spools is a spool for each of the goroutines that write at the same time.
type spools []*spool

func newSpools(dir string, writers, parts int) spools {
	all := make(spools, writers)
	for i := range all {
		all[i] = newSpool(dir, parts, writers)
	}
	return all
}

// load gives a partition of all of them as one text. What they hold in it is in order for each spool, not for all.
func (all spools) load(part int, room *[]byte) (leaf, error) {
	*room = (*room)[:0]
	n := 0
	for _, s := range all {
		n += s.bytes(part)
	}
	*room = slices.Grow(*room, n)
	for _, s := range all {
		var err error
		if *room, err = s.load(part, *room); err != nil {
			return leaf{}, err
		}
	}
	return leaf{text: string(*room)}, nil
}

func (all spools) close() (err error) {
	for _, s := range all {
		err = errors.Join(err, s.close())
	}
	return err
}

// pen writes the fields of a record.
type pen []byte

func (p *pen) hash(h uint64)    { *p = binary.LittleEndian.AppendUint64(*p, h) }
func (p *pen) number(n uint64)  { *p = binary.AppendUvarint(*p, n) }
func (p *pen) signed(n int64)   { *p = binary.AppendVarint(*p, n) }
func (p *pen) text(s string)    { *p = append(binary.AppendUvarint(*p, uint64(len(s))), s...) }
func (p *pen) time(t time.Time) { p.signed(t.Unix()); p.number(uint64(t.Nanosecond())) }

// flags writes up to eight of them.
func (p *pen) flags(flags ...bool) {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	*p = append(*p, b)
}

// leaf reads what pens wrote, record after record. The texts it gives are parts of its own.
type leaf struct {
	text string
	at   int
	end  int // of the record
}

// next goes to the next record.
func (l *leaf) next() bool {
	if l.at = l.end; l.at == len(l.text) {
		return false
	}
	n := l.number()
	l.end = l.at + int(n)
	return true
}

// record is the whole of the record whose fields are being read.
func (l *leaf) record(from int) []byte { return []byte(l.text[from:l.end]) }

func (l *leaf) hash() (h uint64) {
	s := l.text[l.at : l.at+8]
	l.at += 8
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (l *leaf) number() (n uint64) {
	for shift := 0; ; shift += 7 {
		b := l.text[l.at]
		l.at++
		n |= uint64(b&math.MaxInt8) << shift
		if b <= math.MaxInt8 {
			return n
		}
	}
}

func (l *leaf) signed() int64 {
	n := l.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (l *leaf) string() string {
	n := int(l.number())
	l.at += n
	return l.text[l.at-n : l.at]
}

func (l *leaf) time() time.Time {
	seconds := l.signed()
	return time.Unix(seconds, int64(l.number()))
}

func (l *leaf) flags() byte {
	l.at++
	return l.text[l.at-1]
}
