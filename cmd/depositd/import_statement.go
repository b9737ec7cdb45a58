package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"depositd/bank"
	"depositd/platform/deposit"
)

type importStatement struct {
	Bank  string   `placeholder:"CODE" help:"银行代码；只有一家银行时可省略"`
	JSON  bool     `name:"json" help:"以 JSON 打印结果"`
	Files []string `arg:"" name:"file" help:"对账文件"`
}

// Run imports a bank's end-of-day files one after the other and says of each day whether its figures hold. A file that
// holds unreadable records is imported without them; that too is exit code 2.
func (s *importStatement) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		b, err := a.bankNamed(s.Bank)
		if err != nil {
			return err
		}
		var results []imported
		faults := 0
		for _, name := range s.Files {
			result, err := a.importStatement(ctx, c, b, name)
			if err != nil {
				return fmt.Errorf("%s：%w", name, err)
			}
			faults += result.Faults
			results = append(results, imported{name, statementJSON(result)})
		}
		if err := a.judgeNow(ctx, c); err != nil {
			return err
		}
		if s.JSON {
			if err := printJSON(c.stdout, results); err != nil {
				return err
			}
		}
		if faults > 0 {
			return usageError{fmt.Errorf("%d 条记录无法识别，已记入差异，请向银行索取更正的文件", faults)}
		}
		return nil
	})
}

func (a *app) importStatement(ctx context.Context, c *call, b *bank.Bank, name string) (bank.ImportResult, error) {
	file, err := os.Open(name)
	if err != nil {
		return bank.ImportResult{}, usageError{err}
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return bank.ImportResult{}, err
	}
	if info.Size() > a.config.maxStatementSize {
		return bank.ImportResult{}, deposit.Refuse(deposit.Invalid, "file_too_large", "文件超过 --max-statement-size（", a.config.maxStatementSize, " 字节）")
	}
	shown := c.progress(filepath.Base(name), 3*info.Size()) // it is hashed, kept and read
	result, err := a.bank.Import(ctx, c.author(), b, filepath.Base(name), watchedFile{file, shown})
	if err != nil {
		shown.end("导入失败")
		return result, err
	}
	shown.end(statementText(result))
	for i := range result.Statements {
		fmt.Fprintln(c.stderr, "  "+statementLine(&result.Statements[i]))
	}
	return result, nil
}

func statementText(r bank.ImportResult) string {
	if r.Known {
		return "同一文件已导入过，没有变化"
	}
	return fmt.Sprintf("对账单 %d 份，无法识别的记录 %d 条", len(r.Statements), r.Faults)
}

// proofName is what a proof means for people.
var proofName = map[bank.Proof]string{bank.ProofOK: "平", bank.ProofGap: "不平", bank.ProofNone: "余额未给全，无法核对"}

func statementLine(s *bank.StatementRow) string {
	line := fmt.Sprintf("%s %s 第 %d 版：收 %d 笔 %s，付 %d 笔 %s，%s", s.Day, s.ParentAccount, s.Revision,
		s.CreditCount, s.CreditSum.Grouped(), s.DebitCount, s.DebitSum.Grouped(), proofName[s.Proof])
	if s.Gap != 0 {
		line += "，差额 " + s.Gap.Grouped()
	}
	return line
}

// statementJSON is an import's result for machines.
func statementJSON(r bank.ImportResult) map[string]any {
	list := make([]map[string]any, len(r.Statements))
	for i := range r.Statements {
		s := &r.Statements[i]
		list[i] = map[string]any{"bank": s.Bank, "parent_account": s.ParentAccount, "day": s.Day, "revision": s.Revision, "state": s.State, "proof": s.Proof,
			"credits": s.CreditSum, "debits": s.DebitSum, "credit_entries": s.CreditCount, "debit_entries": s.DebitCount, "gap": s.Gap, "faults": s.FaultCount}
	}
	return map[string]any{"message": r.MessageID, "known": r.Known, "faults": r.Faults, "statements": list}
}
