package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// gbkReader is a way to read a statement in GBK; it gives the number of its rows.
type gbkReader struct {
	what string
	read func(context.Context, *os.File) (int, error)
	row  benchRow
}

// gbk measures the reading of a statement in GBK, by rows a second: as a check reads it, and as an import does, beside what
// one would write with the libraries, x/text before encoding/csv – only its fields, and with days, times and amounts read.
func (k *benchCmd) gbk(ctx context.Context, b *bench, statement string) error {
	adapter, err := bank.AdapterOf("csv")
	if err != nil {
		return err
	}
	ours := &bank.Bank{Code: "csv", StatementAdapter: adapter, Charset: bank.GB18030}
	all := []*gbkReader{{what: "读 GBK", read: scanGBK(ours)}, {what: "同,逐笔", read: importGBK(ours)},
		{what: "x/text+csv", read: byLibraries(func([]string) error { return nil })}, {what: "同,并解析", read: byLibraries(parseFields)}}
	for range k.Runs {
		for _, one := range all {
			if err := one.run(ctx, b, statement); err != nil {
				return err
			}
		}
	}
	rows := make([]benchRow, len(all))
	for i, one := range all {
		rows[i] = one.row
		rows[i].Section, rows[i].What = "check", one.what
		if rows[i].N != all[0].row.N {
			return fmt.Errorf("%s 读到 %d 行，%s 读到 %d 行", one.what, one.row.N, all[0].what, all[0].row.N)
		}
	}
	b.tell(rows...)
	return nil
}

// run reads the file once.
func (one *gbkReader) run(ctx context.Context, b *bench, statement string) error {
	file, err := os.Open(statement)
	if err != nil {
		return err
	}
	begun, before := time.Now(), worked()
	n, err := one.read(ctx, file)
	row := benchRow{Seconds: time.Since(begun).Seconds(), CPU: (worked() - before).Seconds()}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s：%w", one.what, err)
	}
	one.row.best(row)
	one.row.N = n
	fmt.Fprintf(b.stderr, "  %s %s %d：%s\n", time.Now().Format(time.TimeOnly), one.what, n, time.Duration(row.Seconds*float64(time.Second)).Round(time.Millisecond))
	return nil
}

func scanGBK(b *bank.Bank) func(context.Context, *os.File) (int, error) {
	return func(ctx context.Context, file *os.File) (n int, err error) {
		count := func() error { n++; return interruptedAt(ctx, n) }
		s := bank.CSVScan{Bank: b, Credit: func(*bank.BareCredit) error { return count() }, Entry: func(int, *bank.Entry) error { return count() },
			Fault: func(f bank.Fault) error { return errors.New(f.Text) }}
		err = s.Read(file)
		return n, err
	}
}

func importGBK(b *bank.Bank) func(context.Context, *os.File) (int, error) {
	return func(ctx context.Context, file *os.File) (n int, err error) {
		err = b.StatementAdapter.Statement(b, file, &entriesOnly{take: func(*bank.Entry) error { n++; return interruptedAt(ctx, n) },
			bad: func(f bank.Fault) error { return errors.New(f.Text) }})
		return n, err
	}
}

// byLibraries reads the fields of the rows, and does something with them.
func byLibraries(row func([]string) error) func(context.Context, *os.File) (int, error) {
	return func(ctx context.Context, file *os.File) (n int, err error) {
		r := csv.NewReader(bank.GB18030.Reader(file))
		r.ReuseRecord = true
		if _, err := r.Read(); err != nil { // the header
			return 0, err
		}
		for {
			fields, err := r.Read()
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			if err == nil {
				n++
				err = errors.Join(row(fields), interruptedAt(ctx, n))
			}
			if err != nil {
				return n, err
			}
		}
	}
}

// parseFields makes of a row's fields what nobody can do without.
func parseFields(fields []string) error {
	_, day := deposit.ParseDay(fields[1])
	_, at := deposit.ParseWall(fields[2])
	_, amount := deposit.ParseYuan(fields[6])
	return errors.Join(day, at, amount)
}
