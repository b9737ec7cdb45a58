package bank

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// Drop is the two folders by which a bank that takes files is paid: banks.yaml names them relative to itself.
type Drop struct {
	Payouts string // payout files are put here, for the bank's client to fetch
	Results string // result files are laid here, for us to take
}

// In gives the folders as they are reached from where banks.yaml stands.
func (d Drop) In(base string) Drop {
	from := func(folder string) string {
		if folder == "" || filepath.IsAbs(folder) {
			return folder
		}
		return filepath.Join(base, folder)
	}
	return Drop{from(d.Payouts), from(d.Results)}
}

// Put lays a payout file under its number: written under another name, synced, and renamed, so that nobody reads half of one.
// The same file again is fine; another one under the same number is never overwritten. A *CallError, CallUnsent, says that
// no file came to be; any other error that one may have.
func (d Drop) Put(number string, raw []byte) error {
	if !payoutNumber.MatchString(number) {
		return notDropped(deposit.Refuse(deposit.Invalid, "number_malformed", "批次号不能用作文件名"))
	}
	file := filepath.Join(d.Payouts, number)
	switch there, err := os.ReadFile(file); {
	case err == nil && bytes.Equal(there, raw):
		return syncFolder(d.Payouts)
	case err == nil:
		return notDropped(deposit.Refuse(deposit.Conflict, "payout_file_differs", "付款目录中已有同名而内容不同的文件"))
	case !errors.Is(err, fs.ErrNotExist):
		return notDropped(err)
	}
	written := filepath.Join(d.Payouts, "."+number+".tmp")
	if err := writeSynced(written, raw); err != nil {
		return notDropped(errors.Join(err, ignoreMissing(os.Remove(written))))
	}
	if err := os.Rename(written, file); err != nil {
		return fmt.Errorf("lay a payout file: %w", err)
	}
	return syncFolder(d.Payouts)
}

func notDropped(cause error) error {
	return callError(CallUnsent, "payout_not_written", "付款文件没有写成；请检查 banks.yaml 的 payout_folder", cause)
}

func writeSynced(name string, raw []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// restsFor is how long a result file has to be left alone before it is taken for whole: whoever copies it here may still be at it.
const restsFor = 5 * time.Second

// Where result files go once they were taken.
const (
	takenDone    = "done"
	takenRefused = "refused"
)

// Take hands each result file to a reader, in the order of their names, and then moves it away: to done, or to refused where the
// reader says Invalid or NotFound. After any other error the file stays, to be taken again. taken and refused are the names.
func (d Drop) Take(now time.Time, read func(name string, raw []byte) error) (taken, refused []string, err error) {
	if d.Results == "" {
		return nil, nil, nil
	}
	files, err := os.ReadDir(d.Results)
	if err != nil {
		return nil, nil, fmt.Errorf("look for result files: %w", err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() || strings.HasPrefix(f.Name(), ".") || strings.HasSuffix(f.Name(), ".tmp") {
			continue
		}
		raw, rests, err := d.result(f, now)
		if err != nil {
			return taken, refused, err
		}
		if !rests {
			continue
		}
		switch err := read(f.Name(), raw); {
		case err == nil:
			taken, err = append(taken, f.Name()), d.move(f.Name(), takenDone)
			if err != nil {
				return taken, refused, err
			}
		case deposit.IsKind(err, deposit.Invalid), deposit.IsKind(err, deposit.NotFound):
			refused, err = append(refused, f.Name()), d.move(f.Name(), takenRefused)
			if err != nil {
				return taken, refused, err
			}
		default:
			return taken, refused, err
		}
	}
	return taken, refused, nil
}

// result reads a file, no more of it than an answer may have, and says whether it rests.
func (d Drop) result(f fs.DirEntry, now time.Time) (raw []byte, rests bool, err error) {
	stat, err := f.Info()
	if err != nil || now.Sub(stat.ModTime()) < restsFor {
		return nil, false, ignoreMissing(err)
	}
	in, err := os.Open(filepath.Join(d.Results, f.Name()))
	if err != nil {
		return nil, false, fmt.Errorf("open a result file: %w", err)
	}
	raw, err = io.ReadAll(io.LimitReader(in, MaxPayAnswer+1))
	return raw, true, errors.Join(err, in.Close())
}

// move takes a file away under a name that nothing has there.
func (d Drop) move(name, to string) error {
	folder := filepath.Join(d.Results, to)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("keep a result file: %w", err)
	}
	as := filepath.Join(folder, name)
	for n := 2; ; n++ {
		if _, err := os.Lstat(as); errors.Is(err, fs.ErrNotExist) {
			break
		}
		as = filepath.Join(folder, fmt.Sprint(name, ".", n))
	}
	return cmp.Or(os.Rename(filepath.Join(d.Results, name), as), syncFolder(folder), syncFolder(d.Results))
}
