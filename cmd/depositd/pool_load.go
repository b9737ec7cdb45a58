package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"depositd/bank"
	"depositd/platform/deposit"
)

type poolLoadCmd struct {
	Bank   string   `placeholder:"CODE" help:"银行代码；只有一家银行时可省略"`
	Parent string   `placeholder:"ACCOUNT" help:"母账户；银行只有一个母账户时可省略"`
	JSON   bool     `name:"json" help:"以 JSON 打印结果"`
	Files  []string `arg:"" name:"file" help:"子账号文件：每行一个，或 csv 的“子账号”列；UTF-8 或 GBK"`
}

// Run loads numbers into a pool. A file with a mistake in it loads nothing; loaded again, nothing changes.
func (l *poolLoadCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		b, err := a.bankNamed(l.Bank)
		if err != nil {
			return err
		}
		parent := l.Parent
		if parent == "" {
			parent = b.Parent()
		}
		if !slices.Contains(b.ParentAccounts, parent) {
			return usageError{fmt.Errorf("请用 --parent 指定母账户：%s", strings.Join(b.ParentAccounts, "、"))}
		}
		var results []imported
		for _, file := range l.Files {
			result, err := a.loadNumbers(ctx, c, b, parent, file)
			if err != nil {
				return err
			}
			results = append(results, imported{file, result})
		}
		if l.JSON {
			return printJSON(c.stdout, results)
		}
		return nil
	})
}

// loaded is what one file came to. How many of those who waited got a number is left out: it may tell how many bidders there are.
type loaded struct {
	Loaded int `json:"loaded"`
	Known  int `json:"known"`
}

func (a *app) loadNumbers(ctx context.Context, c *call, b *bank.Bank, parent, file string) (loaded, error) {
	list, err := readNumbers(file)
	if err != nil {
		return loaded{}, usageError{fmt.Errorf("%s：%w", file, err)}
	}
	var sum loaded
	for at := 0; at < len(list); at += numbersAtOnce {
		some := list[at:min(at+numbersAtOnce, len(list))]
		names := make([]string, len(some))
		for i, n := range some {
			names[i] = n.text
		}
		result, err := a.platform.LoadNumbers(ctx, c.author(), b.Code, parent, names)
		if err != nil {
			return sum, atLines(file, some, err)
		}
		sum.Loaded, sum.Known = sum.Loaded+result.Loaded, sum.Known+result.Known
	}
	fmt.Fprintf(c.stderr, "%s：新 %d，已有 %d\n", file, sum.Loaded, sum.Known)
	return sum, nil
}

// numbersAtOnce is what one call to the platform's desk takes.
const numbersAtOnce = 100_000

// numberLine is a number and the line of the file that it stands on.
type numberLine struct {
	line int
	text string
}

// mostNumberFile bounds the file: a million numbers fill it.
const mostNumberFile = 64 << 20

// numberColumns are what the column of the numbers is called, where the file has a header.
var numberColumns = []string{"sub_account", "number", "子账号", "子账户", "账号", "账户", "虚拟账号", "虚拟子账号"}

// readNumbers reads a number per line: the whole line, the first cell, or that of a column which the header names. A first
// line without a digit is a header. Every line with something else in it is told.
func readNumbers(file string) ([]numberLine, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, mostNumberFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > mostNumberFile {
		return nil, fmt.Errorf("文件超过 %d MiB，请分开导入", mostNumberFile>>20)
	}
	text, err := bank.Sniff(raw, bank.GB18030).Decode(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, fmt.Errorf("应为 UTF-8 或 GBK 编码的文字")
	}
	var list []numberLine
	var wrong []string
	column, line := 0, 0
	for row := range strings.Lines(text) {
		line++
		cells := cellsOf(row)
		if strings.Join(cells, "") == "" {
			continue
		}
		if len(list) == 0 && len(wrong) == 0 && !strings.ContainsAny(row, "0123456789") {
			column = max(0, slices.IndexFunc(cells, func(cell string) bool { return slices.Contains(numberColumns, strings.ToLower(cell)) }))
			continue
		}
		if column >= len(cells) || !numberText.MatchString(cells[column]) {
			wrong = append(wrong, fmt.Sprintf("第 %d 行：子账号应为 1 到 40 个字母、数字或连字符", line))
			continue
		}
		list = append(list, numberLine{line, cells[column]})
	}
	switch {
	case len(wrong) > 0:
		return nil, fmt.Errorf("有 %d 行不对，没有导入：\n  %s", len(wrong), strings.Join(wrong[:min(len(wrong), mostWrong)], "\n  "))
	case len(list) == 0:
		return nil, fmt.Errorf("文件中没有子账号")
	}
	return list, nil
}

// mostWrong is how many faulty lines are told.
const mostWrong = 20

var numberText = regexp.MustCompile(`^[0-9A-Za-z-]{1,40}$`)

// cellsOf takes a line apart at commas, semicolons and tabs; numbers hold none of them, and of quotes only the marks are dropped.
func cellsOf(row string) []string {
	cells := strings.Split(strings.NewReplacer("\t", ",", ";", ",").Replace(strings.TrimRight(row, "\r\n")), ",")
	for i, cell := range cells {
		cells[i] = strings.Trim(strings.TrimSpace(cell), `"'`)
	}
	return cells
}

var rowInText = regexp.MustCompile(`第 (\d+) 行`)

// atLines makes a refusal that counts numbers tell the lines of the file.
func atLines(file string, list []numberLine, err error) error {
	refusal := deposit.AsRefusal(err)
	if refusal.Code != "numbers_invalid" {
		return err
	}
	text := rowInText.ReplaceAllStringFunc(refusal.Text, func(found string) string {
		n, _ := strconv.Atoi(rowInText.FindStringSubmatch(found)[1])
		if n < 1 || n > len(list) {
			return found
		}
		return fmt.Sprintf("第 %d 行", list[n-1].line)
	})
	return usageError{fmt.Errorf("%s：%s", file, text)}
}
