package bank

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// toy is a dialect of one line, "serial;amount;name;": what the contract is proved on.
type toy struct {
	decode func([]byte) (string, error) // honest when nil
	pad    func([]byte) []byte          // trimPadding when nil
	bug    func(fields []string, e *Entry) error
	short  bool // does not count the fields
	closes bool // wants the closing semicolon
}

func (d toy) adapter() *Adapter {
	if d.pad == nil {
		d.pad = trimPadding
	}
	if d.decode == nil {
		d.decode = func(raw []byte) (string, error) { return Sniff(raw, GB18030).Decode(raw) }
	}
	return &Adapter{Name: "toy", Notice: func(_ *Bank, raw []byte) ([]Entry, error) {
		text, err := d.decode(d.pad(raw))
		if err != nil {
			return nil, err
		}
		fields := strings.Split(text, ";")
		if !d.short && (len(fields) != 4 || d.closes && fields[3] != "") {
			return nil, deposit.Refuse(deposit.Invalid, "fields", "应有三个字段")
		}
		e := Entry{Serial: fields[0], PayerName: fields[2], Direction: Credit, BookingDate: "2026-06-12", BookedAt: deposit.Day("2026-06-12").Start().Add(9 * time.Hour)}
		if e.Amount, err = deposit.ParseYuan(fields[1]); err != nil {
			return nil, err
		}
		if d.bug != nil {
			err = d.bug(fields, &e)
		}
		return []Entry{e}, err
	}}
}

func breachesOf(a *Adapter) (broken []string) {
	const line = "S001;800000.00;聊城市东昌建设工程有限公司;"
	gbk, _ := simplifiedchinese.GBK.NewEncoder().String(line)
	samples := slices.Concat(
		contractSample(a, "good-utf8", []byte(line)), contractSample(a, "good-gbk", []byte(gbk)),
		contractSample(a, "bad-decimals", []byte("S001;800000.001;甲公司;")), contractSample(a, "bad-charset", []byte("S001;1.00;\xb1;")))
	for _, clause := range clauses {
		for _, s := range samples {
			if strings.Contains(clause.of, s.kind) && len(clause.hold(s)) > 0 && !slices.Contains(broken, clause.name) {
				broken = append(broken, clause.name)
			}
		}
	}
	return broken
}

// TestContractCatches proves the contract on seeded bugs: a sound dialect keeps it, and each bug breaks the clause
// that is there for it.
func TestContractCatches(t *testing.T) {
	var calls atomic.Int32
	lossy := func(raw []byte) (string, error) {
		if utf8.Valid(raw) {
			return string(raw), nil
		}
		text, _ := simplifiedchinese.GB18030.NewDecoder().String(string(raw))
		return text, nil
	}
	for bug, c := range map[string]struct {
		toy
		clause string
	}{
		"":                                {toy{closes: true}, ""},
		"panics on a short line":          {toy{short: true, closes: true}, "what is cut short is no other money"},
		"keeps lost characters":           {toy{decode: lossy}, "a flipped byte makes no impossible entry"},
		"believes the declaration":        {toy{decode: func(raw []byte) (string, error) { return GB18030.Decode(raw) }}, "a lying declaration makes no mojibake"},
		"reads NUL bytes as text":         {toy{pad: bytes.Clone, closes: true}, "NUL bytes at the end change nothing"},
		"remembers what it read":          {toy{bug: func(_ []string, e *Entry) error { e.SerialSeq = int(calls.Add(1)); return nil }}, "reading again gives the same"},
		"takes half an amount":            {toy{short: true, bug: halfAnAmount}, "what is cut short is no other money"},
		"rounds the third decimal":        {toy{decode: func(raw []byte) (string, error) { return strings.Replace(string(raw), "00.001", "00.00", 1), nil }}, "bad files are refused"},
		"gives an entry without a serial": {toy{bug: func(_ []string, e *Entry) error { e.Serial = ""; return nil }}, "good files are read whole"},
		"explains nothing":                {toy{bug: func([]string, *Entry) error { return errors.New("no") }}, "a flipped byte makes no impossible entry"},
	} {
		broken := breachesOf(c.adapter())
		if c.clause == "" && len(broken) > 0 {
			t.Errorf("a sound dialect breaks %q", broken)
		}
		if c.clause != "" && !slices.Contains(broken, c.clause) {
			t.Errorf("a dialect that %s breaks only %q, not %q", bug, broken, c.clause)
		}
	}
}

// halfAnAmount reads what stands before the point, however the line ends.
func halfAnAmount(fields []string, e *Entry) error {
	yuan, _, _ := strings.Cut(fields[1], ".")
	e.Amount, _ = deposit.ParseYuan(yuan)
	return nil
}
