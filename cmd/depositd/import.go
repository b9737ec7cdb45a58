package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/platform/deposit"
)

type importCmd struct {
	Lots      importLots      `cmd:"" help:"标段表（CSV）"`
	Bids      importBids      `cmd:"" help:"投标与子账号表（CSV），同时建立其中的标段"`
	Notices   importNotices   `cmd:"" help:"到账通知原文：文件，或装有这些文件的文件夹"`
	Statement importStatement `cmd:"" help:"银行日终对账文件"`
}

// imported is what one file came to, for --json.
type imported struct {
	File   string `json:"file"`
	Result any    `json:"result"`
}

// bankNamed is the bank of the flag, or the only one there is.
func (a *app) bankNamed(code string) (*bank.Bank, error) {
	if code != "" {
		return a.banks.Bank(code)
	}
	if only := a.banks.Only(); only != nil {
		return only, nil
	}
	return nil, usageError{fmt.Errorf("银行清单中有 %d 家银行，请用 --bank 指定一家", len(a.banks.All()))}
}

// judgeNow gives what was imported its verdicts, so that a report right after an import is whole.
func (a *app) judgeNow(ctx context.Context, c *call) error {
	n, err := a.reconcile.JudgeAll(ctx)
	if err == nil && n > 0 {
		fmt.Fprintf(c.stderr, "判定：%d 笔\n", n)
	}
	return err
}

type importNotices struct {
	Bank  string   `placeholder:"CODE" help:"银行代码；只有一家银行时可省略"`
	JSON  bool     `name:"json" help:"以 JSON 打印结果"`
	Paths []string `arg:"" name:"file" help:"报文文件或文件夹"`
}

// noticeTally counts how the notices of one path fared.
type noticeTally struct {
	Messages  int      `json:"messages"`
	New       int      `json:"new"`
	Duplicate int      `json:"duplicate"`
	Conflict  int      `json:"conflict"`
	Refused   int      `json:"refused"`
	Entries   int      `json:"entries"` // new ones
	Errors    []string `json:"errors,omitempty"`
}

// Run receives notices from files as if the bank had sent them. Whoever imports vouches for them: no signature is asked
// for, since it is over by the time a file is found again. One that is not understood is kept and told, and the others go on.
func (n *importNotices) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		b, err := a.bankNamed(n.Bank)
		if err != nil {
			return err
		}
		vouched := *b
		vouched.Seal = bank.SealWith(bank.NoSeal)
		var results []imported
		refused := 0
		for _, path := range n.Paths {
			tally, err := a.importNotices(ctx, c, &vouched, path)
			if err != nil {
				return err
			}
			refused += tally.Refused
			results = append(results, imported{path, tally})
		}
		if err := a.judgeNow(ctx, c); err != nil {
			return err
		}
		if n.JSON {
			if err := printJSON(c.stdout, results); err != nil {
				return err
			}
		}
		if refused > 0 {
			return usageError{fmt.Errorf("%d 份报文未能识别，已原样保存", refused)}
		}
		return nil
	})
}

func (a *app) importNotices(ctx context.Context, c *call, b *bank.Bank, path string) (noticeTally, error) {
	files, err := noticeFiles(path)
	if err != nil {
		return noticeTally{}, usageError{err}
	}
	shown := c.progress(path, int64(len(files)))
	var t noticeTally
	for _, file := range files {
		raw, err := readNotice(file)
		if err != nil {
			return t, usageError{err}
		}
		if err := a.importNotice(ctx, b, file, raw, &t); err != nil {
			return t, err
		}
		shown.add(1)
	}
	shown.end(fmt.Sprintf("报文 %d 份，新 %d，重复 %d，矛盾 %d，拒收 %d；新增 %d 笔", t.Messages, t.New, t.Duplicate, t.Conflict, t.Refused, t.Entries))
	for _, problem := range t.Errors {
		fmt.Fprintln(c.stderr, "  "+problem)
	}
	return t, nil
}

func (a *app) importNotice(ctx context.Context, b *bank.Bank, file string, raw []byte, t *noticeTally) error {
	t.Messages++
	m, err := b.Open(bank.Sealed{Raw: raw, Source: byFile, At: a.db.Now()})
	var receipt bank.Receipt
	if err == nil {
		receipt, err = a.bank.Receive(ctx, m)
	}
	if deposit.IsKind(err, deposit.Invalid) || deposit.IsKind(err, deposit.Conflict) {
		t.Refused++
		t.Errors = append(t.Errors, file+"："+explain(err))
		return a.bank.Refuse(ctx, m, err)
	}
	if err != nil {
		return err
	}
	t.Entries += receipt.Entries
	switch receipt.Outcome {
	case bank.Duplicate:
		t.Duplicate++
	case bank.Conflicts:
		t.Conflict++
	default:
		if receipt.Replayed {
			t.Duplicate++
		} else {
			t.New++
		}
	}
	return nil
}

// byFile is the way of a message that a person brought.
const byFile = "FILE"

// noticeFiles is the file itself, or the files of a folder in the order of their names.
func noticeFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("文件夹 %s 中没有文件", path)
	}
	slices.Sort(files)
	return files, err
}

// readNotice reads a message, and of what is too long for one only enough to show that.
func readNotice(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, bank.MaxMessage+1))
}
