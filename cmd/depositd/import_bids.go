package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// The columns of the two tables; they may stand in any order, and others beside them are not read.
var (
	lotColumns = []string{"number", "name", "department", "opening_at", "deposit", "single_payment", "basic_account_required"}
	bidColumns = []string{"lot", "department", "opening_at", "deposit", "sub_account", "bidder", "bidder_account", "lease_from", "lease_to",
		"single_payment", "basic_account_required"}
)

// bidRow is one row of bids.csv: a bid, and what the row says of its lot.
type bidRow struct {
	Line int
	Lot  platform.LotOrder
	Bid  platform.BidOrder // without its bank
}

// readBids reads bids.csv as it streams by. A row that cannot be read goes to fault. Two rows that say different things of
// one lot are told by whoever stores them.
func readBids(file io.Reader, row func(bidRow) error, fault func(bank.Fault) error) error {
	f := fields{columns: bidColumns, at: -1}
	return bank.ReadTable(file, bank.GB18030, bidColumns, func(r *bank.Row) error {
		bid := f.bid(r)
		if f.fault != nil {
			return fault(*f.fault)
		}
		return row(bid)
	}, fault)
}

// bid reads a row of bids.csv.
func (f *fields) bid(r *bank.Row) bidRow {
	f.row, f.fault = r, nil
	lot := platform.LotOrder{Number: f.text("lot"), Department: f.text("department"), OpensAt: f.time("opening_at"), Deposit: f.yuan("deposit"),
		SinglePayment: f.bool("single_payment"), BasicAccountRequired: f.bool("basic_account_required")}
	bid := platform.BidOrder{Lot: lot.Number, Bidder: f.text("bidder"), BidderAccount: f.any("bidder_account"), SubAccount: f.text("sub_account"),
		LeaseFrom: f.time("lease_from"), LeaseTo: f.timeOrNever("lease_to")}
	return bidRow{r.Line, lot, bid}
}

// readLots reads lots.csv.
func readLots(file io.Reader, row func(line int, lot platform.LotOrder) error, fault func(bank.Fault) error) error {
	f := fields{columns: lotColumns, at: -1}
	return bank.ReadTable(file, bank.GB18030, lotColumns, func(r *bank.Row) error {
		f.row, f.fault = r, nil
		lot := platform.LotOrder{Number: f.text("number"), Name: f.any("name"), Department: f.text("department"), OpensAt: f.time("opening_at"),
			Deposit: f.yuan("deposit"), SinglePayment: f.bool("single_payment"), BasicAccountRequired: f.bool("basic_account_required")}
		if f.fault != nil {
			return fault(*f.fault)
		}
		return row(r.Line, lot)
	}, fault)
}

// fields reads the fields of a row by their columns' names and keeps the first fault.
type fields struct {
	row     *bank.Row
	columns []string
	at      int         // of the column looked up last
	times   [4]struct { // the last ones read: those of a table are few
		text string
		time time.Time
	}
	fault *bank.Fault
}

// index is the column's place among those asked for, which are asked for in their order, more or less.
func (f *fields) index(name string) int {
	for range f.columns {
		if f.at++; f.at >= len(f.columns) {
			f.at = 0
		}
		if f.columns[f.at] == name {
			return f.at
		}
	}
	return -1
}

func (f *fields) wrong(i int, code string, text ...any) {
	if f.fault == nil {
		fault := f.row.Fault(i, code, append([]any{f.columns[i], "："}, text...)...)
		f.fault = &fault
	}
}

// scientific is what a spreadsheet makes of a long number: 3.70502E+18 is nobody's account any more.
var scientific = regexp.MustCompile(`^[0-9](\.[0-9]+)?[Ee]\+[0-9]+$`)

func (f *fields) any(name string) string {
	i := f.index(name)
	if value := f.row.Fields[i]; strings.Contains(value, "+") && scientific.MatchString(value) {
		f.wrong(i, "number_scientific", "已被表格软件改写，请把该列设为文本格式后重新导出：", f.row.Fields[i])
	}
	return f.row.Fields[i]
}

func (f *fields) text(name string) string {
	value := f.any(name)
	if value == "" {
		f.wrong(f.index(name), "field_missing", "不能为空")
	}
	return value
}

func (f *fields) timeOrNever(name string) time.Time {
	if f.any(name) == "" {
		return time.Time{}
	}
	return f.time(name)
}

func (f *fields) time(name string) time.Time {
	i := f.index(name)
	last := &f.times[i%len(f.times)]
	if text := f.row.Fields[i]; text != last.text || text == "" {
		t, err := deposit.ParseWall(text)
		if err != nil {
			refusal := deposit.AsRefusal(err)
			f.wrong(i, refusal.Code, refusal.Text)
			return t
		}
		last.text, last.time = strings.Clone(text), t
	}
	return last.time
}

func (f *fields) yuan(name string) deposit.Fen {
	i := f.index(name)
	fen, err := deposit.ParseYuan(f.row.Fields[i])
	if err != nil {
		refusal := deposit.AsRefusal(err)
		f.wrong(i, refusal.Code, refusal.Text)
	}
	return fen
}

func (f *fields) bool(name string) bool {
	i := f.index(name)
	switch f.row.Fields[i] {
	case "1":
		return true
	case "0", "":
		return false
	}
	f.wrong(i, "flag_malformed", "应为 0 或 1")
	return false
}

type importLots struct {
	JSON  bool     `name:"json" help:"以 JSON 打印结果"`
	Files []string `arg:"" name:"file" help:"标段表"`
}

// Help describes the table.
func (*importLots) Help() string { return tableHelp(lotColumns) }

// Run enters lots. A file with a bad row enters nothing.
func (l *importLots) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		return a.importTables(ctx, c, l.Files, l.JSON, func(file io.Reader, t *sheet, fault func(bank.Fault) error) error {
			return readLots(file, func(line int, lot platform.LotOrder) error {
				t.addLot(line, lot)
				return nil
			}, fault)
		})
	})
}

type importBids struct {
	Bank  string   `placeholder:"CODE" help:"子账号所属银行的代码；只有一家银行时可省略"`
	JSON  bool     `name:"json" help:"以 JSON 打印结果"`
	Files []string `arg:"" name:"file" help:"投标表"`
}

// Help describes the table.
func (*importBids) Help() string { return tableHelp(bidColumns) }

// Run enters bids, their leases and their lots. A file with a bad row enters nothing.
func (i *importBids) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		b, err := a.bankNamed(i.Bank)
		if err != nil {
			return err
		}
		return a.importTables(ctx, c, i.Files, i.JSON, func(file io.Reader, t *sheet, fault func(bank.Fault) error) error {
			return readBids(file, func(row bidRow) error {
				row.Bid.Bank = b.Code
				t.addBid(row)
				return nil
			}, fault)
		})
	})
}

func tableHelp(columns []string) string {
	return "CSV 表，UTF-8 或 GBK，首行为列名（次序不限，多余的列不读）：\n\n    " + strings.Join(columns, ",") +
		"\n\n时间为北京时间，如 2026-06-12 09:00:00；金额为元，最多两位小数；single_payment 与 basic_account_required 为 0 或 1；" +
		"账号列须设为文本格式。有一行不对则整个文件不导入，并逐行列出问题。重复导入不会改变任何内容。"
}

// sheet is a table on its way in, with the line that each order came from.
type sheet struct {
	lots     []platform.LotOrder
	bids     []platform.BidOrder
	lotLines []int
	bidLines []int
	known    map[platform.LotOrder]bool
}

func (t *sheet) addLot(line int, lot platform.LotOrder) {
	t.lots, t.lotLines = append(t.lots, lot), append(t.lotLines, line)
}

// addBid enters the bid, and its lot once.
func (t *sheet) addBid(row bidRow) {
	if t.known == nil {
		t.known = map[platform.LotOrder]bool{}
	}
	if !t.known[row.Lot] {
		t.known[row.Lot] = true
		t.addLot(row.Line, row.Lot)
	}
	t.bids, t.bidLines = append(t.bids, row.Bid), append(t.bidLines, row.Line)
}

// rowsAtOnce is how many rows share a transaction: all other writers wait for it.
const rowsAtOnce = 5000

// tableTally is what one table came to: rows that are new or changed something, and those that changed nothing.
type tableTally struct {
	Lots      int `json:"lots"`
	Bids      int `json:"bids"`
	Unchanged int `json:"unchanged"`
}

func (a *app) importTables(ctx context.Context, c *call, files []string, asJSON bool, read func(io.Reader, *sheet, func(bank.Fault) error) error) error {
	var results []imported
	for _, name := range files {
		t, err := readSheet(c, name, read)
		if err == nil {
			err = a.keepNames(ctx, t)
		}
		if err != nil {
			return err
		}
		tally, err := a.enter(ctx, c, name, t)
		if err != nil {
			return fmt.Errorf("%s：%w", name, err)
		}
		results = append(results, imported{name, tally})
	}
	if err := a.judgeNow(ctx, c); err != nil || !asJSON {
		return err
	}
	return printJSON(c.stdout, results)
}

// readSheet reads a whole table and tells every bad row of it.
func readSheet(c *call, name string, read func(io.Reader, *sheet, func(bank.Fault) error) error) (*sheet, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = file.Close() }()
	t, bad := &sheet{}, 0
	err = read(file, t, func(f bank.Fault) error {
		bad++
		fmt.Fprintf(c.stderr, "%s:%d:%d: %s\n", name, f.Line, f.Column, f.Text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s：%w", name, err)
	}
	if bad > 0 {
		return nil, usageError{fmt.Errorf("%s 有 %d 行有误，未导入任何内容；改正后重新导入", name, bad)}
	}
	return t, nil
}

// keepNames lets a lot keep the name it has: a table of bids does not know it.
func (a *app) keepNames(ctx context.Context, t *sheet) error {
	for i := range t.lots {
		if t.lots[i].Name != "" {
			continue
		}
		lot, err := platform.LotByNumber(ctx, a.db, t.lots[i].Number)
		if err != nil && !errors.Is(err, sqldb.ErrNone) && !deposit.IsKind(err, deposit.NotFound) {
			return err
		}
		t.lots[i].Name = lot.Name
	}
	return nil
}

// enter stores a table, lots first, some thousands of rows a transaction.
func (a *app) enter(ctx context.Context, c *call, name string, t *sheet) (tableTally, error) {
	shown := c.progress(name, int64(len(t.lots)+len(t.bids)))
	var tally tableTally
	sync := func(order platform.SyncOrder, lines []int) error {
		result, err := a.platform.Sync(ctx, c.author(), order)
		if err != nil {
			return inLine(err, lines)
		}
		tally.Lots, tally.Bids, tally.Unchanged = tally.Lots+result.Lots, tally.Bids+result.Bids, tally.Unchanged+result.Unchanged
		shown.add(int64(len(lines)))
		return nil
	}
	for at := 0; at < len(t.lots); at += rowsAtOnce {
		end := min(at+rowsAtOnce, len(t.lots))
		if err := sync(platform.SyncOrder{Lots: t.lots[at:end]}, t.lotLines[at:end]); err != nil {
			return tally, err
		}
	}
	for at := 0; at < len(t.bids); at += rowsAtOnce {
		end := min(at+rowsAtOnce, len(t.bids))
		if err := sync(platform.SyncOrder{Bids: t.bids[at:end]}, t.bidLines[at:end]); err != nil {
			return tally, err
		}
	}
	shown.end(fmt.Sprintf("标段 %d，投标 %d，未变 %d", tally.Lots, tally.Bids, tally.Unchanged))
	return tally, nil
}

var element = regexp.MustCompile(`^(?:lots|bids)\[(\d+)\]\.?\s*`)

// inLine says which line of the file a refused element stands on.
func inLine(err error, lines []int) error {
	refusal := deposit.AsRefusal(err)
	found := element.FindStringSubmatch(refusal.Text)
	if found == nil {
		return err
	}
	i, _ := strconv.Atoi(found[1])
	if i >= len(lines) {
		return err
	}
	return deposit.Refuse(refusal.Kind, refusal.Code, "第 ", lines[i], " 行：", refusal.Text[len(found[0]):])
}
