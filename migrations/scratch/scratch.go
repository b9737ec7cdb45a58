// Package scratch gives temporary files of which the disk never holds more than noise: what is written is encrypted under a key
// that only this process has and that ends with it. A file whose name is gone still lies in the blocks of the disk, and a
// process that dies leaves its files.
package scratch

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// File is a temporary file. No byte of it may be written twice: that would tell what they differ in. One goroutine
// writes; any number may read at places that are written.
type File struct {
	disk  *os.File
	named bool // the system keeps the name of an open file
	block cipher.Block
	room  []byte // for what is encrypted
	size  int64  // where Write goes on
	at    int64  // where Read goes on
}

// Create makes a file in a folder ("" is the system's for such files), and takes its name away at once where the system lets it.
func Create(folder string) (*File, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, by its contract
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	disk, err := os.CreateTemp(folder, ".scratch-*")
	if err != nil {
		return nil, err
	}
	return &File{disk: disk, named: os.Remove(disk.Name()) != nil, block: block}, nil
}

// stream is the key stream (AES-256-CTR) from a place on: no nonce is needed, since no two files have a key.
func (f *File) stream(at int64) cipher.Stream {
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(at/aes.BlockSize))
	s := cipher.NewCTR(f.block, counter[:])
	var skipped [aes.BlockSize]byte
	s.XORKeyStream(skipped[:at%aes.BlockSize], skipped[:at%aes.BlockSize])
	return s
}

// WriteAt writes b at a place; it is encrypted in a copy.
func (f *File) WriteAt(b []byte, at int64) (int, error) {
	f.room = slices.Grow(f.room[:0], len(b))[:len(b)]
	f.stream(at).XORKeyStream(f.room, b)
	return f.disk.WriteAt(f.room, at)
}

// Write adds to the end of what Write has written.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.size)
	f.size += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, at int64) (int, error) {
	n, err := f.disk.ReadAt(b, at)
	f.stream(at).XORKeyStream(b[:n], b[:n])
	return n, err
}

// Read implements io.Reader.
func (f *File) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil // the next Read says so
	}
	return n, err
}

// Seek says where Read goes on, from the beginning or from there.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return f.at, os.ErrInvalid
	}
	f.at = offset
	return offset, nil
}

// Close ends the file; nothing is left of it.
func (f *File) Close() error {
	err := f.disk.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.disk.Name()))
	}
	return err
}
