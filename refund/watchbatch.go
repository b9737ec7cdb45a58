package refund

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/incident"
	"depositd/reconcile"
)

// watchBatches looks at batches of which lines failed, or that cannot be sent.
func (d *Desk) watchBatches(ctx context.Context, c watchedNow) ([]incident.Sign, error) {
	suspects, err := batches.All(ctx, d.db, "WHERE id IN (SELECT l.batch_id FROM refunds AS l WHERE l.state = 'FAILED' AND l.batch_id <> 0 AND NOT EXISTS (SELECT 1 FROM refunds AS n WHERE n.replaces = l.id AND n.state <> 'CANCELLED')) "+
		"OR state = 'RELEASED' AND released_at < ? OR state = 'STARTED' AND released_at < ? AND id IN (SELECT l.batch_id FROM refunds AS l WHERE l.state = 'RELEASED') "+
		"ORDER BY made_at DESC, id LIMIT ?", sqldb.At(c.now.Add(-unsentFor)), sqldb.At(c.now.Add(-unsentFor)), mostWatched)
	if err != nil {
		return nil, err
	}
	var signs []incident.Sign
	for i := range suspects {
		x, err := d.diagnose(ctx, suspects[i])
		if err != nil {
			return nil, err
		}
		sealed, err := d.sealedLines(ctx, suspects[i].ID)
		if err != nil {
			return nil, err
		}
		w := watchedBatch{Batch: suspects[i], diagnosis: x, sealed: sealed}
		if w.bank, err = d.banks.Bank(w.Bank); err != nil {
			return nil, err
		}
		if w.faults() {
			signs = append(signs, w.sign(c))
		}
	}
	return signs, nil
}

// sealedLines are the serials of a batch's lines whose lot is not opened.
func (d *Desk) sealedLines(ctx context.Context, batch sqldb.ID) (map[string]bool, error) {
	all, err := sqldb.Select(ctx, d.db, func(s *string) []any { return []any{s} },
		"SELECT l.serial FROM refunds AS l JOIN lots AS t ON t.id = l.lot_id WHERE l.batch_id = ? AND t.state = 'ANNOUNCED' ORDER BY l.serial", batch)
	sealed := map[string]bool{}
	for _, serial := range all {
		sealed[serial] = true
	}
	return sealed, err
}

// watchedBatch is a batch that may have failed.
type watchedBatch struct {
	Batch
	bank      *bank.Bank
	diagnosis *Diagnosis
	sealed    map[string]bool // serials of lines of lots that are not opened
}

// failed are the lines whose failure is the bank's or ours.
func (w *watchedBatch) failed(side Side) (all []DiagnosedLine) {
	for _, l := range w.diagnosis.Lines {
		if l.Side == side && (l.State == Failed || l.State == Released) {
			all = append(all, l)
		}
	}
	return all
}

func (w *watchedBatch) faults() bool { return len(w.failed(SideBank))+len(w.failed(SideOurs)) > 0 }

// told gives the serials of lines that may be told, and how many may not.
func (w *watchedBatch) told(lines []DiagnosedLine) (serials []string, sealed int) {
	for _, l := range lines {
		if w.sealed[l.Serial] {
			sealed++
		} else {
			serials = append(serials, l.Serial)
		}
	}
	return serials, sealed
}

// sign is what a batch shows. It is pure.
func (w *watchedBatch) sign(c watchedNow) incident.Sign {
	s := incident.Sign{Scenario: incident.Unrefundable, Branch: "2", Code: SignBatchFailed, Subject: w.Number, Bank: w.Bank, ParentAccount: w.ParentAccount, Department: string(reconcile.Finance),
		Title: "批次 " + w.Number + "：批量退付不成功", Scope: incident.Part, Since: w.ReleasedAt}
	theirs, ours := w.failed(SideBank), w.failed(SideOurs)
	s.Detail = fmt.Sprint(w.bank.Name, "；银行侧原因 ", c.veil.Count(len(theirs)), " 笔，本系统原因 ", c.veil.Count(len(ours)), " 笔")
	unreached := false
	for _, l := range theirs {
		unreached = unreached || l.State == Released
	}
	f := incident.Fault{Side: incident.SideOpen, For: []string{}, Against: []string{}}
	switch {
	case len(ours) > 0 && len(theirs) == 0:
		f.Side = incident.SideOurs
		f.For = causes(ours)
	case len(theirs) > 0 && len(ours) == 0 && unreached:
		f.Side = incident.SideLink
		f.For = causes(theirs)
	case len(theirs) > 0 && len(ours) == 0:
		f.Side = incident.SideBank
		f.For = append(causes(theirs), "本系统按银行格式的校验没有发现问题")
	default:
		f.For = append(causes(theirs), causes(ours)...)
	}
	if w.answered() {
		f.Against = append(f.Against, "银行对该批次有可识别的应答，线路在工作")
	}
	s.Fault = &f
	s.Evidence = w.prove(c, theirs, ours)
	return s
}

// causes are the codes and reasons of lines, each once. The bank's own words stay out: they may name the payee.
func causes(lines []DiagnosedLine) []string {
	count := map[string]int{}
	for _, l := range lines {
		reason := l.Evidence
		if l.Code != "" {
			reason = "银行应答 " + l.Code + "（" + l.Meaning + "）"
		}
		count[reason]++
	}
	return slices.Sorted(maps.Keys(count))
}

// answered says whether any answer of the bank could be read.
func (w *watchedBatch) answered() bool {
	for _, m := range w.diagnosis.Messages {
		if slices.ContainsFunc(m.Answers, func(a DiagnosedAnswer) bool { return a.Fault == "" }) {
			return true
		}
	}
	return false
}

// prove collects the evidence of case 2.
func (w *watchedBatch) prove(c watchedNow, theirs, ours []DiagnosedLine) []incident.Evidence {
	bankSide := reconcile.Proof{Step: "2.1", Facts: append(w.messageFacts(), w.lineFacts("银行侧原因未付", theirs, c.veil)...)}
	ourSide := reconcile.Proof{Step: "2.2", Facts: append(w.messageFacts(), w.lineFacts("本系统原因未付", ours, c.veil)...)}
	for _, f := range w.diagnosis.Faults {
		ourSide.Facts = append(ourSide.Facts, "格式校验（长度、字符集、行号）："+f.Code)
	}
	if len(w.diagnosis.Faults) == 0 {
		ourSide.Facts = append(ourSide.Facts, "逐字段格式校验（GBK 长度、可编码性、行号）：未发现问题")
	}
	list := "已生成可重新提交的退款名单：GET /v1/refund-batches/" + w.ID.String() + "/diagnosis（含报文原文、逐笔应答与到账核对）"
	if len(theirs) > 0 {
		bankSide.Facts = append(bankSide.Facts, list)
		bankSide.Asks = []string{"致电" + w.bank.Name + "：按上列批次号与退付流水号检查退款报文，说明未付原因",
			"各业务科室核对并重新提交名单，综合科核对到账后再组批；只有已证明未付的才可重发，结果不明的不得重发"}
	}
	if len(ours) > 0 {
		ourSide.Facts = append(ourSide.Facts, list)
		ourSide.Asks = []string{"信息技术科按校验结果修正退款报文", "各业务科室重新提交名单，综合科核对到账后委托银行付款"}
	}
	changed := reconcile.Proof{Step: "2.3", Facts: c.changes(w.ReleasedAt)}
	return reconcile.Exhibits(incident.Unrefundable, "2", []reconcile.Proof{bankSide, ourSide, changed})
}

// messageFacts tells what was sent and whether it was answered, by number and hash: the bytes themselves name payees.
func (w *watchedBatch) messageFacts() (facts []string) {
	for _, m := range w.diagnosis.Messages {
		readable := 0
		for _, a := range m.Answers {
			if a.Fault == "" {
				readable++
			}
		}
		facts = append(facts, fmt.Sprint("报文 ", m.Number, "（", m.MadeAt, "，SHA-256 ", m.SHA256[:min(16, len(m.SHA256))], "…）：银行应答 ", len(m.Answers), " 次，可识别 ", readable, " 次"))
	}
	if len(facts) == 0 {
		facts = append(facts, "报文尚未生成，没有发送")
	}
	return facts
}

// lineFacts tells of lines by the serials under which the bank knows them, and which of them are proven unpaid.
func (w *watchedBatch) lineFacts(what string, lines []DiagnosedLine, veil reconcile.Veil) (facts []string) {
	if len(lines) == 0 {
		return []string{what + "：没有"}
	}
	byCause := map[string][]DiagnosedLine{}
	for _, l := range lines {
		why := causes([]DiagnosedLine{l})[0]
		byCause[why] = append(byCause[why], l)
	}
	var unpaid, onStatement int
	for _, why := range slices.Sorted(maps.Keys(byCause)) {
		serials, sealed := w.told(byCause[why])
		fact := what + "，" + why
		if len(serials) > 0 {
			fact += "：退付流水号 " + reconcile.Listed(serials)
		}
		facts = append(facts, fact)
		if note := veil.Note(sealed); note != "" {
			facts = append(facts, note)
		}
	}
	for _, l := range lines {
		if l.Unpaid {
			unpaid++
		}
		if l.Receipt.OnStatement {
			onStatement++
		}
	}
	return append(facts, fmt.Sprint("其中已证明未付 ", veil.Count(unpaid), " 笔；原到账已见于对账单 ", veil.Count(onStatement), " 笔"))
}
