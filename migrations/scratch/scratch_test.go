package scratch

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"testing/iotest"
)

// What is written in pieces of any length is read in pieces of any other, at any place; the disk holds none of it.
func TestFile(t *testing.T) {
	folder := t.TempDir()
	f, err := Create(folder)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("its name is there: %v %v", left, err)
	}
	dice := rand.New(rand.NewPCG(1, 2))
	want := bytes.Repeat([]byte("聊城某公司6217"), 3000)
	for rest := want; len(rest) > 0; {
		n := min(1+dice.IntN(5000), len(rest))
		if _, err := f.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := iotest.TestReader(f, want); err != nil {
		t.Error(err)
	}
	for range 200 {
		at := dice.IntN(len(want))
		b := make([]byte, dice.IntN(300))
		n, err := f.ReadAt(b, int64(at))
		if !bytes.Equal(b[:n], want[at:at+n]) || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("at %d: %q %v", at, b[:n], err)
		}
	}
	disk := make([]byte, len(want))
	if n, err := f.disk.ReadAt(disk, 0); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	for _, part := range []string{"聊城", "公司", "6217"} {
		if bytes.Contains(disk, []byte(part)) {
			t.Errorf("the disk holds %s", part)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// Pages that are written out of order are read where they belong.
func TestWriteAt(t *testing.T) {
	f, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, at := range []int64{37, 5, 0} {
		if _, err := f.WriteAt([]byte{byte(at), 1, 2, 3, 4}, at); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, 5)
	if _, err := f.ReadAt(got, 37); err != nil || !bytes.Equal(got, []byte{37, 1, 2, 3, 4}) {
		t.Errorf("%v %v", got, err)
	}
}
