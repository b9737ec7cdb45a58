package deposit

import (
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzPlainWall holds the plain readings to package time: what they read, it reads alike, and they read whatever it reads
// in exactly that form.
func FuzzPlainWall(f *testing.F) {
	for _, seed := range []string{"2026-06-12 09:00:00", "2024-02-29 23:59:59", "2026-02-29 00:00:00", "1900-02-29 00:00:00", "2000-02-29 12:00:00", "2026-06-31 09:00:00",
		"2026-13-01 09:00:00", "2026-00-10 09:00:00", "2026-06-12 24:00:00", "2026-06-12 09:60:00", "2026-06-12 09:00:60", "2026-06-12 9:00:000", "2026/06/12 09:00:00", "0000-01-01 00:00:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := time.ParseInLocation(WallTime, s, Shanghai)
		got, ok := plainWall(s)
		exact := err == nil && len(s) == len(WallTime) && want.Format(WallTime) == s
		if ok != exact || ok && !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v %v", s, got, ok, want, err)
		}
		day := s[:min(len(s), len(time.DateOnly))]
		_, err = time.Parse(time.DateOnly, day)
		if _, ok := plainDay(day); ok != (err == nil) {
			t.Errorf("%q: %v, want %v", day, ok, err)
		}
	})
}

// FuzzPlainName holds the plain reading of names to the runes, and the keys made of it to those of all names.
func FuzzPlainName(f *testing.F) {
	for _, seed := range []string{"东昌", "一", "\u9fa5", "\u9fa6", "\u4dff", "东a昌", "东\xe4\xb8", "", "\xe4\xb8\x00", "éa", "（集团）"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want := utf8.ValidString(name)
		for _, r := range name {
			want = want && r >= 0x4E00 && r <= 0x9FA5
		}
		if got := isPlainName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
		if got, want := NameKey(name), anyKey(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	})
}
