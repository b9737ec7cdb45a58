package bank

import "time"

// AnswerSilent is the code of a line of which an answer says nothing at all.
const AnswerSilent = "answer_silent"

// Why else a line is unknown although an answer came.
const (
	answerUnreadable  = "answer_unreadable"  // nothing of it could be read, or a row could not
	answerContradicts = "answer_contradicts" // it says two things of the line, or names it with other money
)

var unknownTexts = map[string]string{
	answerUnreadable:  "银行的应答无法完整读取",
	AnswerSilent:      "银行的应答没有提到这一笔",
	answerContradicts: "银行的应答前后矛盾，或账号、金额与我方不同",
}

// Results holds an answer against the lines it should be about and gives a result for each, in their order. A line is
// known by its serial; where the dialect does not echo that, by all else that the row says, if that fits one line only.
// A row that contradicts its line, or another row, makes it unknown.
//
// A line without a row has the batch's status, as ISO 20022 says, or is not found by a query. But where a row fits no
// line, or could not be read, or the batch is told to be another or of another size, nobody can say which line was
// meant: then such lines are unknown. p is the batch that was answered; of a query for one line it holds that line alone.
// Of an answer that came by itself, p is any batch it may be about: the lines of others are unknown, answer_silent.
func (a *PayAnswer) Results(p *Payout) []PayResult {
	rows := make(map[int][]*PayRow, len(p.Lines))
	astray := false // a row fits no line
	bySerial := map[string]int{}
	for i := range p.Lines {
		bySerial[p.Lines[i].Serial] = i
	}
	for i := range a.Rows {
		row := &a.Rows[i]
		at, known := bySerial[row.Serial]
		if row.Serial == "" && (row.OriginSerial != "" || !a.Unasked) {
			at, known = onlyLine(p, row)
		}
		if !known {
			astray = true
			continue
		}
		rows[at] = append(rows[at], row)
	}
	others := a.ofOthers(p, astray)
	results := make([]PayResult, len(p.Lines))
	for i := range p.Lines {
		results[i] = others
		if said := rows[i]; len(said) > 0 {
			results[i] = a.ofRows(&p.Lines[i], said, others)
		}
		results[i].Serial = p.Lines[i].Serial
	}
	return results
}

// onlyLine finds the one line that has all that a row says.
func onlyLine(p *Payout, row *PayRow) (at int, found bool) {
	fits := func(said, is string) bool { return said == "" || said == is }
	for i := range p.Lines {
		l := &p.Lines[i]
		if row.PayeeAccount != l.PayeeAccount || !fits(row.PayeeName, l.PayeeName) || !fits(row.OriginSerial, l.OriginSerial) || row.Amount != 0 && row.Amount != l.Amount {
			continue
		}
		if found {
			return 0, false
		}
		at, found = i, true
	}
	return at, found
}

// ofOthers is the result of the lines that have no row.
func (a *PayAnswer) ofOthers(p *Payout, astray bool) PayResult {
	switch {
	case len(a.Faults) > 0:
		return unknownFor(answerUnreadable, a.At)
	case astray, !a.Found && (a.Each || a.Status == "" || a.Status == PayPartial):
		return unknownFor(AnswerSilent, a.At)
	case a.Batch != "" && a.Batch != p.Number, a.Count >= 0 && a.Count != len(p.Lines), a.Sum != nil && *a.Sum != p.Total():
		return unknownFor(answerContradicts, a.At)
	case a.Found:
		return PayResult{Status: PayNotFound, Code: a.Code, Text: a.Text, At: a.At}
	}
	return PayResult{Status: a.Status, Code: a.Code, Text: a.Text, At: a.At}
}

// ofRows is the result of a line of which rows speak. A row without a status leaves it at the batch's.
func (a *PayAnswer) ofRows(l *PayLine, rows []*PayRow, others PayResult) PayResult {
	result := PayResult{}
	for _, row := range rows {
		said := row.PayResult
		switch {
		case row.PayeeAccount != "" && row.PayeeAccount != l.PayeeAccount, row.Amount != 0 && row.Amount != l.Amount,
			row.OriginSerial != "" && row.OriginSerial != l.OriginSerial:
			return unknownFor(answerContradicts, a.At)
		case said.Status == "" && others.Status != PayNotFound:
			said.Status, said.Code, said.Text = others.Status, others.Code, others.Text
		case said.Status == "" || said.Status == PayPartial:
			said.Status = PayUnknown
		}
		if said.At.IsZero() {
			said.At = a.At
		}
		if result.Status != "" && result.Status != said.Status {
			return unknownFor(answerContradicts, a.At)
		}
		if result.BankSerial == "" {
			result = said
		}
	}
	return result
}

func unknownFor(code string, at time.Time) PayResult {
	return PayResult{Status: PayUnknown, Code: code, Text: unknownTexts[code], At: at}
}
