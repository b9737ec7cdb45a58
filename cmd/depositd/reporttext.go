package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// writeReport prints a day's report for people: the proof of the balances on top, then how many credits are what, then
// what somebody has to look at. Columns are aligned by display width, two for a Chinese character.
func writeReport(w io.Writer, r *reconcile.Report, banks *bank.Set) error {
	var b strings.Builder
	fmt.Fprintf(&b, "投标保证金对账报告  %s\n\n", r.Day)
	b.WriteString("一、余额核对（期初 ＋ 收入 － 支出 ＝ 期末）\n\n")
	for i := range r.Banks {
		if i > 0 {
			b.WriteString("\n")
		}
		writeProof(&b, &r.Banks[i], bankName(banks, r.Banks[i].Bank))
	}
	if len(r.Banks) == 0 {
		b.WriteString("  （没有银行）\n")
	}
	if r.Sealed != nil {
		fmt.Fprintf(&b, "\n  未开标的标段 %d 个：其缴纳情况开标前保密，不在以下各项之内；需投标人处理的差异：%s\n", r.Sealed.Lots, bandText(r.Sealed.Attention))
	}
	b.WriteString("\n二、笔数\n\n")
	writeCounts(&b, r)
	fmt.Fprintf(&b, "\n三、差异（%d 条，待处理 %d 条）\n\n", len(r.Findings), pending(r.Findings))
	writeFindingTable(&b, r, banks)
	_, err := io.WriteString(w, b.String())
	return err
}

func bankName(banks *bank.Set, code string) string {
	if banks != nil {
		if b, err := banks.Bank(code); err == nil {
			return b.Name
		}
	}
	return code
}

// bandText says a band to people.
func bandText(band reconcile.Band) string {
	switch band {
	case reconcile.BandUntil:
		return "不公开（未开标的标段少于 3 个）"
	case reconcile.BandNone:
		return "没有"
	case reconcile.BandSome:
		return "1 至 9 条"
	}
	return "10 条以上"
}

// unknown stands for a balance that the bank does not tell, and for the gap that cannot be known without it.
const unknown = "未知"

// writeProof prints one account: the sum as a sum, and beside the statement what was pushed.
func writeProof(b *strings.Builder, r *reconcile.BankReport, name string) {
	fmt.Fprintf(b, "  %s（%s）%s", plain(name), r.Bank, r.ParentAccount)
	if r.Sealed {
		verdict := "不符，请核对对账单与通知是否齐全；仍不符的，启动应急预案"
		switch {
		case !r.Compared:
			verdict = "尚未日终对账"
		case r.Agrees:
			verdict = "相符"
		}
		fmt.Fprintf(b, "：%s\n    金额和笔数待当日涉及的标段全部开标后可见\n", verdict)
		return
	}
	if !r.Arrived {
		fmt.Fprintf(b, "：对账单未到\n    已推送通知 %d 笔，收 %s，付 %s\n", r.Notices.Entries, r.Notices.Credits.Grouped(), r.Notices.Debits.Grouped())
		writeCap(b, r)
		return
	}
	gap := r.Gap.Grouped()
	if r.Proof == bank.ProofNone {
		gap = unknown
	}
	fmt.Fprintf(b, "：%s\n    %s ＋ %s － %s ＝ %s    差额 %s\n", verdictOn(r), balanceText(r.Opening), r.Credits.Grouped(), r.Debits.Grouped(),
		balanceText(r.Closing), gap)
	var t table
	t.add("", "笔数", "收入", "支出")
	for _, line := range []struct {
		name string
		reconcile.Sides
	}{{"对账单", r.Statement}, {"通知", r.Notices}, {"通知短少", reconcile.Sides{
		Entries: r.Statement.Entries - r.Notices.Entries, Credits: r.Shortfall.Credits, Debits: r.Shortfall.Debits}}} {
		t.add(line.name, strconv.FormatInt(line.Entries, 10), line.Credits.Grouped(), line.Debits.Grouped())
	}
	t.write(b, "    ", 1, 2, 3)
	writeDifferences(b, r.Differences)
	writeCap(b, r)
}

// writeDifferences tells what the comparison found on the account, a line for each kind.
func writeDifferences(b *strings.Builder, differences []reconcile.Difference) {
	var t table
	for _, d := range differences {
		t.add(codeName(d.Code), strconv.FormatInt(d.Entries, 10), d.Amount.Grouped())
	}
	t.write(b, "    ", 1, 2)
}

func writeCap(b *strings.Builder, r *reconcile.BankReport) {
	if r.AtRoundCap {
		fmt.Fprintf(b, "    注意：通知恰为 %d 笔，可能被银行系统截断，请与银行核对\n", r.Notices.Entries)
	}
}

func balanceText(yuan string) string {
	fen, err := deposit.ParseBalance(yuan)
	if err != nil {
		return unknown
	}
	return fen.Grouped()
}

var chainName = map[reconcile.Chain]string{reconcile.ChainOK: "期初与上日期末衔接", reconcile.ChainIsBroken: "期初与上日期末不符", reconcile.ChainFirst: "首份对账单"}

func verdictOn(r *reconcile.BankReport) string {
	text := proofName[r.Proof] + "，" + chainName[r.Chain]
	switch r.State {
	case reconcile.DayClosed:
		return text + "，已日终关闭"
	case reconcile.DayOpen:
		return text + "，未关闭"
	}
	return text + "，尚未日终对账"
}

func writeCounts(b *strings.Builder, r *reconcile.Report) {
	counts := r.Counts
	order := reconcile.Codes()
	place := func(c reconcile.Code) int {
		if i := slices.Index(order, c); i >= 0 {
			return i
		}
		return len(order)
	}
	codes := slices.SortedFunc(maps.Keys(counts), func(x, y reconcile.Code) int { return cmp.Or(place(x)-place(y), cmp.Compare(x, y)) })
	var t table
	for _, c := range codes {
		t.add(codeName(c), strconv.FormatInt(counts[c], 10), string(c))
	}
	switch {
	case len(codes) > 0:
	case r.Sealed != nil:
		b.WriteString("  （没有可以查看的入账）\n")
	default:
		b.WriteString("  （当日没有入账）\n")
	}
	t.write(b, "  ", 1)
}

func codeName(c reconcile.Code) string { return cmp.Or(c.Name(), string(c)) }

func pending(findings []reconcile.FindingRow) (n int) {
	for _, f := range findings {
		if f.State == reconcile.Open {
			n++
		}
	}
	return n
}

// writeFindingTable prints a line for each finding, and under it what else there is to say; bank by bank.
func writeFindingTable(b *strings.Builder, r *reconcile.Report, banks *bank.Set) {
	switch {
	case len(r.Findings) > 0:
	case r.Sealed != nil:
		b.WriteString("  （没有可以查看的差异）\n")
		return
	default:
		b.WriteString("  （没有差异）\n")
		return
	}
	var t table
	t.add("差异", "金额", "标段", "付款人或投标人", "责任科室", "状态")
	for i, f := range r.Findings {
		if i == 0 || f.Bank != r.Findings[i-1].Bank {
			t.head(cmp.Or(bankName(banks, f.Bank), "不属于某家银行"))
		}
		t.add(codeName(f.Code), amountText(f.Amount), f.Lot, whose(f), f.Department, reconcile.StateName[f.State])
		t.note(remarks(f))
	}
	t.write(b, "  ", 1)
}

// amountText leaves out the amount of what is not about one.
func amountText(fen deposit.Fen) string {
	if fen == 0 {
		return ""
	}
	return fen.Grouped()
}

func whose(f reconcile.FindingRow) string {
	if f.Payer != "" {
		return f.Payer.String()
	}
	return f.Bidder.String()
}

// remarks is what stands under a finding: which booking it is about, its further reasons, whose number was credited, which
// bid was probably meant.
func remarks(f reconcile.FindingRow) string {
	parts := booking(f)
	for _, reason := range f.Reasons {
		if reason != f.Code {
			parts = append(parts, codeName(reason))
		}
	}
	switch variant := slices.Contains(f.Reasons, reconcile.NameVariant); {
	case f.Payer == "" || f.Bidder == "" || f.Bidder == f.Payer:
	case variant:
		parts = append(parts, "投标人登记为 "+f.Bidder.String())
	default:
		parts = append(parts, "子账号属于 "+f.Bidder.String())
	}
	switch f.SuggestedBidder {
	case "":
	case f.Payer:
		parts = append(parts, "疑为标段 "+f.SuggestedLot+" 的保证金")
	default:
		parts = append(parts, "疑为标段 "+f.SuggestedLot+" 的 "+f.SuggestedBidder.String())
	}
	if f.Detail != "" {
		parts = append(parts, strings.TrimSuffix(f.Detail, "；"))
	}
	return strings.Join(parts, "；")
}

// booking tells a clerk where to find the entry that a finding is about.
func booking(f reconcile.FindingRow) []string {
	var parts []string
	if f.SubAccount != "" {
		parts = append(parts, "子账号 "+f.SubAccount)
	}
	if f.Serial != "" {
		parts = append(parts, "流水号 "+f.Serial)
	}
	if f.BookedAt != nil {
		parts = append(parts, deposit.Wall(*f.BookedAt)+" 入账")
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{strings.Join(parts, "，")}
}

// table is rows that are printed with aligned columns.
type table struct {
	rows  [][]string
	heads map[int]string // above a row
	notes map[int]string // under a row
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = plain(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// head sets what stands above the row that is added next.
func (t *table) head(text string) {
	if t.heads == nil {
		t.heads = map[int]string{}
	}
	t.heads[len(t.rows)] = plain(text)
}

// note sets what stands under the row that was added last.
func (t *table) note(text string) {
	if text == "" {
		return
	}
	if t.notes == nil {
		t.notes = map[int]string{}
	}
	t.notes[len(t.rows)-1] = plain(text)
}

// widest bounds a column: a longer name is cut on the line for people, never in JSON.
const widest = 36

// write prints the rows; the numbered columns stand at the right of theirs.
func (t *table) write(b *strings.Builder, indent string, right ...int) {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = min(widest, max(widths[i], displayWidth(cell)))
		}
	}
	for n, row := range t.rows {
		if head := t.heads[n]; head != "" {
			if n > 1 {
				b.WriteString("\n")
			}
			b.WriteString(indent + "【" + head + "】\n")
		}
		cells := make([]string, len(row))
		for i, cell := range row {
			if slices.Contains(right, i) {
				cells[i] = padLeft(cell, widths[i])
			} else {
				cells[i] = fit(cell, widths[i])
			}
		}
		b.WriteString(indent + strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
		if note := t.notes[n]; note != "" {
			b.WriteString(indent + "  └ " + note + "\n")
		}
	}
}

// print writes the rows to the terminal.
func (t *table) print(c *call) error {
	var b strings.Builder
	t.write(&b, "")
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

// plain takes out of a text what could move a terminal's cursor; names come from outside.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
}
