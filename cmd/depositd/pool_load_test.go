package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"depositd/bank"
)

// A list of numbers is read whatever it was written with.
func TestReadNumbers(t *testing.T) {
	gbk := func(s string) string {
		raw, err := bank.GB18030.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, c := range []struct{ name, file, want string }{
		{"one a line", "101\n102\n", "1:101 2:102"},
		{"no end of the last line, blanks, CRLF", " 101 \r\n\r\n102", "1:101 3:102"},
		{"byte order mark and header", "\xef\xbb\xbf子账号\n101\n", "2:101"},
		{"header in GBK", gbk("序号,账号\n1,101\n2,102\n"), "2:101 3:102"},
		{"a header that is no header's name", "number list\n101\n", "2:101"},
		{"tabs and quotes", "name\tsub_account\nx\t\"101\"\n", "2:101"},
		{"the first column without a header", "101,甲\n102,乙\n", "1:101 2:102"},
		{"a mistake", "101\n1 2\n103\nx_y\n", "有 2 行不对，没有导入：\n  第 2 行：子账号应为 1 到 40 个字母、数字或连字符\n  第 4 行：子账号应为 1 到 40 个字母、数字或连字符"},
		{"too long", strings.Repeat("1", 41), "有 1 行不对，没有导入：\n  第 1 行：子账号应为 1 到 40 个字母、数字或连字符"},
		{"nothing", "\n\n", "文件中没有子账号"},
		{"no text", "101\n\xff\xff\n", "应为 UTF-8 或 GBK 编码的文字"},
	} {
		file := filepath.Join(t.TempDir(), "numbers")
		if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := readNumbers(file)
		var got []string
		for _, n := range list {
			got = append(got, fmt.Sprint(n.line, ":", n.text))
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if told := strings.Join(got, " "); told != c.want {
			t.Errorf("%s: got %q, want %q", c.name, told, c.want)
		}
	}
}
