package banksim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// payWords are how each dialect says how a payment stands. "RCVD" is in nobody's table, on purpose.
var payWords = map[string]map[payState]string{
	"gseries":   {payTaken: "10", payUnclear: "99", payPaid: "00", payRefused: "09"},
	"delimited": {payTaken: "SUBMIT_SUCC", payUnclear: "PENDING", payPaid: "PAYOUT", payRefused: "FAIL"},
	"pain":      {payTaken: "ACSP", payUnclear: "RCVD", payPaid: "ACSC", payRefused: "RJCT"},
}

var payTexts = map[payState]string{payTaken: "处理中", payUnclear: "系统繁忙", payPaid: "交易成功", payRefused: "账号户名不符"}

// payTold is what the bank says of one line at a moment. A serial that came again with other content is told as refused
// without a word on the payment that has it.
type payTold struct {
	*payment
	state payState
	other bool
}

// Take takes the bytes of a payout file or message and gives the bank's answer; answered is false when none ever comes.
func (p *Payments) Take(raw []byte) (answer []byte, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, err := p.readOrder(raw)
	if err != nil {
		return p.refuse(o), true
	}
	answered = p.take(o)
	if !answered {
		return nil, false
	}
	return p.answer(o), true
}

// Handlers are the messages of the G series that the bank answers, by TransCode.
func (p *Payments) Handlers() map[string]func(raw []byte) (answer []byte, answered bool) {
	return map[string]func([]byte) ([]byte, bool){"G00010": p.Take, "G00011": p.Query}
}

// answer names every line of an order that the bank will own up to.
func (p *Payments) answer(o *order) []byte {
	var lines []payTold
	for _, l := range o.lines {
		known := p.payments[l.Serial]
		switch {
		case slices.Contains(o.refused, l.Serial):
			lines = append(lines, payTold{known, payRefused, true})
		case known != nil && known.fate != Unnamed && !p.asleep(known):
			lines = append(lines, payTold{known, known.state, false})
		}
	}
	return p.render("G00010", o.number, o.bankBatch, o.lines, lines)
}

// asleep says that the bank has a payment and does not know it yet.
func (p *Payments) asleep(known *payment) bool {
	return known.fate == Sleeps && !known.decides.IsZero()
}

// Query answers a G00011: for one line by our serial or by account, amount and original serial, for a batch by its number.
// A payment that is asleep is not found.
func (p *Payments) Query(raw []byte) (answer []byte, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rules.LostQueries > 0 && p.sim.rand.IntN(100) < p.rules.LostQueries {
		return nil, false
	}
	m, err := readG(raw)
	if err != nil || m.Head.TransCode != "G00011" {
		return p.gDocument("G00011", m.Head.SeqNo, "", "09", "报文有误", nil), true
	}
	var lines []payTold
	for _, serial := range p.order {
		known := p.payments[serial]
		asked := func(said, is string) bool { return said == "" || said == is }
		if !p.asleep(known) && asked(m.Body.BatchNo, known.bankBatch) && asked(m.Body.InMemo, known.line.FromSub) && asked(m.Body.InstSeq, serial) &&
			asked(m.Body.InAcct, known.line.PayeeAccount) && asked(m.Body.InBankFLCode, known.line.OriginSerial) && asked(m.Body.InAmount, known.line.Amount.String()) {
			lines = append(lines, payTold{known, known.state, false})
		}
	}
	return p.gDocument("G00011", m.Head.SeqNo, m.Body.BatchNo, "00", "", lines), true
}

// Results are the messages (G00012) or files by which the bank reports by itself what was decided since it was last asked
// for them: in parts, out of order, and some of them twice.
func (p *Payments) Results() (messages [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.sim.rand
	waiting := slices.Clone(p.changed)
	p.changed = nil
	r.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	byBatch := map[string][]payTold{}
	var batches []string
	for _, serial := range waiting {
		known := p.payments[serial]
		key := known.batch
		if len(byBatch[key]) == 0 {
			batches = append(batches, key)
		}
		byBatch[key] = append(byBatch[key], payTold{known, known.state, false})
	}
	for _, batch := range batches {
		lines := byBatch[batch]
		for len(lines) > 0 {
			n := 1 + r.IntN(len(lines))
			message := p.render("G00012", batch, lines[0].bankBatch, p.batch(batch), lines[:n])
			lines = lines[n:]
			for range 1 + r.IntN(2) {
				messages = append(messages, message)
			}
		}
	}
	r.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	return messages
}

// ResultFile tells how every line of a batch stands that the bank knows of; nil when it knows none.
func (p *Payments) ResultFile(number string) []byte {
	var lines []payTold
	for _, serial := range p.order {
		if known := p.payments[serial]; known.batch == number && !p.asleep(known) {
			lines = append(lines, payTold{known, known.state, false})
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return p.render("G00012", number, lines[0].bankBatch, p.batch(number), lines)
}

// batch is all that the bank has taken of a batch.
func (p *Payments) batch(number string) (lines []bank.PayLine) {
	for _, serial := range p.order {
		if known := p.payments[serial]; known.batch == number {
			lines = append(lines, known.line)
		}
	}
	return lines
}

// render says it in the bank's dialect. whole is the batch as the bank has it.
func (p *Payments) render(code, number, bankBatch string, whole []bank.PayLine, lines []payTold) []byte {
	switch p.dialect {
	case "gseries":
		result := "00"
		if code == "G00012" {
			result = ""
		}
		return p.gDocument(code, number, bankBatch, result, "", lines)
	case "delimited":
		return p.delimitedResult(number, whole, lines)
	}
	return p.pain002(number, len(whole), lines)
}

// refuse answers an order that cannot be read: nothing of it was taken.
func (p *Payments) refuse(o *order) []byte {
	number := ""
	if o != nil {
		number = o.number
	}
	switch p.dialect {
	case "gseries":
		return p.gDocument("G00010", number, "", "02", "报文有误", nil)
	case "delimited":
		raw, _ := bank.GB18030.Encode(fmt.Sprintf("XFERINFOTEXT|%s|||%s|0|0.00||FAIL|文件有误|\n", number, p.stamp()))
		return raw
	}
	doc := p.openPain002(number)
	doc.leaf("GrpSts", "RJCT")
	doc.path("StsRsnInf/Rsn/Cd", "FF01")
	doc.WriteString("</OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>\n")
	return doc.Bytes()
}

func (p *Payments) stamp() string {
	return p.sim.now().In(deposit.Shanghai).Format("20060102150405")
}

// words are what is said of a line: the bank's word and its text.
func (p *Payments) words(t *payTold) (word, text string) {
	if t.other {
		return payWords[p.dialect][payUnclear], "流水号重复且内容不一致"
	}
	return payWords[p.dialect][t.state], payTexts[t.state]
}

func (p *Payments) gDocument(code, seqNo, batchNo, result, text string, lines []payTold) []byte {
	doc, at := &markup{}, p.stamp()
	doc.WriteString(`<?xml version="1.0" encoding="GBK"?>`)
	doc.in("root", func() {
		doc.in("head", func() {
			doc.leaf("TransCode", code)
			doc.leaf("TransDate", at[:8])
			doc.leaf("TransTime", at[8:])
			doc.leaf("SeqNo", seqNo)
		})
		doc.in("body", func() {
			doc.leaf("Result", result)
			doc.leaf("AddWord", text)
			doc.leaf("batchNo", batchNo)
			doc.in("listEntity", func() {
				for i := range lines {
					doc.in("Entity", func() { p.gEntity(doc, &lines[i], code) })
				}
			})
		})
	})
	raw, _ := bank.GB18030.Encode(doc.String()) // GB18030 has every character
	return raw
}

// gEntity is one refund; the answer to a G00010 says less of it than a query's.
func (p *Payments) gEntity(doc *markup, t *payTold, code string) {
	doc.leaf("InAcct", t.line.PayeeAccount)
	doc.leaf("InName", t.line.PayeeName)
	if code != "G00010" {
		doc.leaf("InAmount", t.line.Amount.String())
		doc.leaf("InBankFLCode", t.line.OriginSerial)
	}
	if !p.rules.NoEcho {
		doc.leaf("InstSeq", t.line.Serial)
	}
	word, text := p.words(t)
	doc.leaf("Result", word)
	doc.leaf("AddWord", text)
}

// delimitedResult repeats the lines as they came, each with how it stands.
func (p *Payments) delimitedResult(number string, whole []bank.PayLine, lines []payTold) []byte {
	var file bytes.Buffer
	var sum deposit.Fen
	word, mode := "", map[bool]string{true: "0", false: "1"}[p.sim.bank.Posting == bank.PostSummary]
	for i := range whole {
		sum += whole[i].Amount
	}
	for i := range lines {
		if said, _ := p.words(&lines[i]); word == "" || word == said {
			word = said
		} else {
			word = "PART_PAYOUT"
		}
	}
	if len(lines) == 0 || len(lines) < len(whole) {
		word = "PENDING"
	}
	parent := p.sim.bank.Parent()
	if len(lines) > 0 {
		parent = lines[0].parent
	}
	fmt.Fprintf(&file, "XFERINFOTEXT|%s|%s||%s|%d|%s|%s|%s||\n", number, parent, p.stamp(), len(whole), sum, mode, word)
	for i := range lines {
		l := &lines[i].line
		same := map[bool]string{true: "Y", false: "N"}[l.SameBank]
		word, text := p.words(&lines[i])
		fmt.Fprintln(&file, strings.Join([]string{fmt.Sprint(i + 1), l.PayeeAccount, l.PayeeName, same, "N", l.PayeeBankCode, l.PayeeBank, "",
			l.Amount.String(), l.Purpose, l.Serial, word, text, ""}, "|"))
	}
	raw, _ := bank.GB18030.Encode(file.String()) // GB18030 has every character
	return raw
}

// openPain002 writes the beginning of a pain.002, up to the group's references.
func (p *Payments) openPain002(number string) *markup {
	doc := &markup{}
	doc.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>`)
	doc.in("GrpHdr", func() {
		doc.leaf("MsgId", "R"+number)
		doc.leaf("CreDtTm", p.sim.now().In(deposit.Shanghai).Format(time.RFC3339))
	})
	doc.WriteString("<OrgnlGrpInfAndSts>")
	doc.leaf("OrgnlMsgId", number)
	doc.leaf("OrgnlMsgNmId", "pain.001.001.09")
	return doc
}

// pain002 has a status for each line it names, and for the group one that leaves the others open.
func (p *Payments) pain002(number string, count int, lines []payTold) []byte {
	doc := p.openPain002(number)
	doc.leaf("OrgnlNbOfTxs", fmt.Sprint(count))
	doc.leaf("GrpSts", "PART")
	doc.WriteString("</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>")
	doc.leaf("OrgnlPmtInfId", number)
	for i := range lines {
		t := &lines[i]
		word, text := p.words(t)
		doc.WriteString("\n")
		doc.in("TxInfAndSts", func() {
			doc.leaf("OrgnlEndToEndId", t.line.Serial)
			doc.leaf("TxSts", word)
			if t.state == payRefused && !t.other {
				doc.in("StsRsnInf", func() {
					doc.path("Rsn/Cd", "AC01")
					doc.leaf("AddtlInf", text)
				})
			}
			doc.leaf("AcctSvcrRef", t.serial)
			doc.in("OrgnlTxRef", func() {
				doc.in("Amt", func() { doc.leaf("InstdAmt", t.line.Amount.String(), "Ccy", "CNY") })
				doc.path("CdtrAcct/Id/Othr/Id", t.line.PayeeAccount)
			})
		})
	}
	doc.WriteString("</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>\n")
	return doc.Bytes()
}
