package bank

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

// allLines reads a file's lines as "number text", or "number !column" where a line is no text; blank lines are left out.
func allLines(file string, declared Charset) (got []string, charset Charset, err error) {
	in, err := newLines(strings.NewReader(file), declared)
	if err != nil {
		return nil, "", err
	}
	for {
		n, err := in.next()
		if errors.Is(err, io.EOF) {
			return got, in.charset, nil
		}
		if err != nil {
			return got, in.charset, err
		}
		if n.blank() {
			continue
		}
		text, bad := in.decode(n.record())
		if bad > 0 {
			text = fmt.Sprintf("!%d", bad)
		}
		got = append(got, fmt.Sprintf("%d %s", n.number, text))
	}
}

func TestLines(t *testing.T) {
	gbk := func(s string) string { return string(inGBK(t, s)) }
	ascii := strings.Repeat("0123456789abcde\n", maxLine/16)
	after := func(n int) string { return fmt.Sprint(maxLine/16 + n) }
	for _, x := range []struct {
		what, file string
		declared   Charset
		charset    Charset
		want       []string // the last lines
	}{
		{"LF", "a\nb\n", GB18030, "", []string{"1 a", "2 b"}},
		{"CRLF", "a\r\nb\r\n", GB18030, "", []string{"1 a", "2 b"}},
		{"no end of the last line", "a\nb", GB18030, "", []string{"1 a", "2 b"}},
		{"byte order mark", "\xef\xbb\xbfa\n聊\n", GB18030, UTF8, []string{"1 a", "2 聊"}},
		{"padding", "a\n\x00\x00  \x1a", GB18030, "", []string{"1 a"}},
		{"padding on the last line", "a\nb\x00 \x00", GB18030, "", []string{"1 a", "2 b"}},
		{"much padding", "a\nb" + strings.Repeat("\x00", 3*maxLine), GB18030, "", []string{"1 a", "2 b"}},
		{"GBK", gbk("聊城\n"), GB18030, GB18030, []string{"1 聊城"}},
		{"nothing declared", gbk("聊城\n"), "", GB18030, []string{"1 聊城"}},
		{"GBK declared UTF-8", gbk("聊城市\n"), UTF8, GB18030, []string{"1 聊城市"}},
		{"UTF-8 declared GBK", "聊城\n", GB18030, UTF8, []string{"1 聊城"}},
		{"one damaged line of UTF-8", "聊城市东昌建设\n\xe8东昌府区\n聊城市\n", GB18030, UTF8, []string{"1 聊城市东昌建设", "2 !1", "3 聊城市"}},
		{"one damaged line of GBK", gbk("聊城市\n") + "ab\xff东\n" + gbk("东昌\n"), GB18030, GB18030, []string{"1 聊城市", "2 !3", "3 东昌"}},
		{"a GBK name that is UTF-8 by chance", gbk("一\n聊城市东昌建设工程有限公司\n"), GB18030, GB18030, []string{"1 一", "2 聊城市东昌建设工程有限公司"}},
		{"first text behind the sample, GBK", ascii + gbk("聊城市\n东昌\n"), GB18030, GB18030, []string{after(1) + " 聊城市", after(2) + " 东昌"}},
		{"first text behind the sample, UTF-8", ascii + "聊城市\n东昌\n", GB18030, UTF8, []string{after(1) + " 聊城市", after(2) + " 东昌"}},
		{"a character across the sample's end", ascii[:len(ascii)-16] + "01234567890123聊城\n东昌\n", GB18030, UTF8, []string{after(0) + " 01234567890123聊城", after(1) + " 东昌"}},
		{"four bytes", gbk("𠮷㐂\n"), GB18030, GB18030, []string{"1 𠮷㐂"}},
		{"half a character at the end", gbk("聊城")[:3] + "\n", GB18030, GB18030, []string{"1 !3"}},
		{"ISO-8859-1", "M\xfcller\n", Latin1, Latin1, []string{"1 Müller"}},
	} {
		t.Run(x.what, func(t *testing.T) {
			got, charset, err := allLines(x.file, x.declared)
			if len(got) > len(x.want) && strings.Contains(x.what, "sample") {
				got = got[len(got)-len(x.want):]
			}
			if err != nil || charset != x.charset || !reflect.DeepEqual(got, x.want) {
				t.Errorf("%v, %s\n got %q\nwant %q", err, charset, got, x.want)
			}
		})
	}
}

func TestLineLimit(t *testing.T) {
	if got, _, err := allLines("a\n"+strings.Repeat("x", maxLine-1)+"\nb\n", GB18030); err != nil || len(got) != 3 {
		t.Errorf("the longest line allowed: %v, %d lines", err, len(got))
	}
	_, _, err := allLines("a\n"+strings.Repeat("x", maxLine)+"\nb\n", GB18030)
	checkCode(t, err, "line_too_long")
	if err == nil || !strings.Contains(err.Error(), "第 2 行") {
		t.Error(err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\r\nb\n\x00"))
	f.Add(inGBK(f, "聊城\n亅倈億|"))
	f.Add([]byte("\xef\xbb\xbf聊城\n\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, _, err := allLines(string(file), GB18030)
		for _, line := range got {
			if strings.ContainsRune(line, '\uFFFD') {
				t.Errorf("lost characters: %q", line)
			}
		}
		if err == nil && len(got) > strings.Count(string(file), "\n")+1 {
			t.Errorf("%d lines", len(got))
		}
	})
}
