package refund

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Side is where the cause of a failure lies, by what is on record.
type Side string

// The sides. "" is where nothing has failed.
const (
	SideBank Side = "BANK" // the bank was away, gave no answer or none that can be read, or refused
	SideOurs Side = "OURS" // it never left the house, or our sending broke off
	SideData Side = "DATA" // the payee's name, account or bank is not what his bank knows
)

var sideNames = map[Side]string{SideBank: "银行侧", SideOurs: "平台侧", SideData: "数据"}

// Chinese is the side's name for people.
func (s Side) Chinese() string { return sideNames[s] }

// Diagnosis is all that is on record of a batch, and what follows from it (plan 4.6.3, case 2).
type Diagnosis struct {
	Batch    string             `json:"number"`
	Bank     string             `json:"bank"`
	State    string             `json:"state"`
	Count    int                `json:"count"`
	Total    deposit.Fen        `json:"total"`
	Faults   []bank.PayFault    `json:"faults"` // of our own validation, as the bank's format has it now
	Messages []DiagnosedMessage `json:"messages"`
	Lines    []DiagnosedLine    `json:"lines"`
	Unpaid   int                `json:"unpaid_count"` // lines that are proven unpaid
	Again    []CorrectedList    `json:"corrected_lists"`
}

// DiagnosedMessage is what was sent, and all that came back of it, decoded; payees' accounts and persons' names are masked in it.
type DiagnosedMessage struct {
	Number  string            `json:"number"`
	SHA256  string            `json:"sha256"`
	MadeAt  string            `json:"made_at"`
	Request string            `json:"request"`
	Answers []DiagnosedAnswer `json:"answers"`
}

// DiagnosedAnswer is one answer, or one result the bank sent by itself.
type DiagnosedAnswer struct {
	Kind   string `json:"kind"`
	At     string `json:"at"`
	SHA256 string `json:"sha256"`
	Text   string `json:"text"`
	Fault  string `json:"fault"` // why it cannot be read; "" when it can
}

// DiagnosedLine is one line: how it stands, why, and what its receipt says.
type DiagnosedLine struct {
	Serial   string          `json:"serial"`
	Message  string          `json:"message"` // the number of the message that it went out in
	State    State           `json:"state"`
	Amount   deposit.Fen     `json:"amount"`
	Code     string          `json:"code"`    // the bank's
	Meaning  string          `json:"meaning"` // what we take it for
	Said     string          `json:"said"`    // the bank's own words
	Side     Side            `json:"side"`
	Evidence string          `json:"evidence"`
	Unpaid   bool            `json:"proven_unpaid"`
	Receipt  DiagnosedCredit `json:"receipt"`
}

// DiagnosedCredit is what stands of the credit that a line pays back.
type DiagnosedCredit struct {
	Serial      string         `json:"bank_serial"`
	Day         deposit.Day    `json:"booking_date"`
	Amount      deposit.Fen    `json:"amount"`
	Verdict     reconcile.Code `json:"verdict"`
	OnStatement bool           `json:"on_statement"`
	Left        deposit.Fen    `json:"left"` // neither refunded, nor on its way, nor kept
}

// CorrectedList is the failed lines of one department, ready to be submitted again once what is to be corrected is.
type CorrectedList struct {
	Department string          `json:"department"`
	Lines      []CorrectedLine `json:"lines"`
	Faults     []Fault         `json:"faults"` // what submitting it as it stands would be refused for
}

// CorrectedLine is one line of it.
type CorrectedLine struct {
	Credit        sqldb.ID        `json:"credit"`
	Bank          string          `json:"bank"`
	Day           deposit.Day     `json:"booking_date"`
	Serial        string          `json:"bank_serial"`
	Lot           string          `json:"lot"`
	Bidder        deposit.Name    `json:"bidder"`
	Amount        deposit.Fen     `json:"amount"`
	Cause         Cause           `json:"cause"`
	PayeeName     deposit.Name    `json:"payee_name"`
	PayeeAccount  deposit.Account `json:"payee_account"`
	PayeeBank     string          `json:"payee_bank"`
	PayeeBankCode string          `json:"payee_bank_code"`
	Replaces      string          `json:"replaces"` // the serial of the line that failed
	Correct       string          `json:"correct"`  // what has to be corrected first; "": nothing
}

// Diagnose puts together what is on record of a batch, tells failures of the bank's from our own by it, and makes the list that
// can be submitted again. It changes nothing. Of a sealed batch nothing can be told: Conflict "batch_sealed".
func (d *Desk) Diagnose(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (*Diagnosis, error) {
	b, err := d.seenBatch(ctx, eyes, id)
	if err == nil && b.Sealed {
		err = deposit.Refuse(deposit.Conflict, "batch_sealed", "密封退付批次在标段开标后才能查看明细；进度见批次本身")
	}
	if err != nil {
		return nil, err
	}
	return d.diagnose(ctx, b)
}

func (d *Desk) diagnose(ctx context.Context, b Batch) (*Diagnosis, error) {
	payer, err := d.banks.Bank(b.Bank)
	if err != nil {
		return nil, err
	}
	g := diagnosing{desk: d, batch: b, bank: payer, out: &Diagnosis{Batch: b.Number, Bank: b.Bank, State: b.State, Count: b.Count, Total: b.Total,
		Faults: []bank.PayFault{}, Messages: []DiagnosedMessage{}, Lines: []DiagnosedLine{}, Again: []CorrectedList{}}}
	for _, step := range []func(context.Context) error{g.read, g.messages, g.lines, g.again} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return g.out, nil
}

// diagnosing is a batch that is looked into.
type diagnosing struct {
	desk     *Desk
	batch    Batch
	bank     *bank.Bank
	all      []Line
	receipts map[sqldb.ID]*reconcile.Receipt
	reserved map[sqldb.ID]reservation
	notes    map[sqldb.ID]string // the last step of each line, as the audit trail has it
	numbers  map[sqldb.ID]string // of messages
	out      *Diagnosis
}

func (g *diagnosing) read(ctx context.Context) (err error) {
	r := g.desk.db
	if g.all, err = LinesOf(ctx, r, g.batch.ID); err != nil {
		return err
	}
	entries := make([]sqldb.ID, len(g.all))
	for i := range g.all {
		entries[i] = g.all[i].EntryID
	}
	if g.receipts, err = reconcile.Receipts(ctx, r, entries); err != nil {
		return err
	}
	if g.reserved, err = reservationsOf(ctx, r, entries); err != nil {
		return err
	}
	g.notes, err = lastNotes(ctx, r, g.all)
	return err
}

// lastNotes are the notes of the lines' last steps, as the audit trail has them.
func lastNotes(ctx context.Context, r sqldb.Reader, all []Line) (map[sqldb.ID]string, error) {
	notes := map[sqldb.ID]string{}
	err := sqldb.Chunks(ids(all), func(in string, args []any) error {
		steps, err := sqldb.Select(ctx, r, func(e *sqldb.Event) []any { return []any{&e.Row, sqldb.SealedNote(e)} },
			"SELECT row_id, sealed FROM events WHERE table_name = 'refunds' AND was <> '' AND row_id IN "+in+" ORDER BY seq", args...)
		for _, s := range steps {
			notes[s.Row] = s.Note
		}
		return err
	})
	return notes, err
}

func (g *diagnosing) messages(ctx context.Context) error {
	sent, err := sends.All(ctx, g.desk.db, "WHERE batch_id = ? ORDER BY part", g.batch.ID)
	if err != nil {
		return err
	}
	g.numbers = map[sqldb.ID]string{}
	masked := g.masking()
	for _, m := range sent {
		g.numbers[m.ID] = messageNumber(g.batch.Number, m.Part)
		one := DiagnosedMessage{Number: g.numbers[m.ID], SHA256: m.SHA256, MadeAt: deposit.Wall(m.MadeAt), Request: masked(m.Body), Answers: []DiagnosedAnswer{}}
		came, err := answers.All(ctx, g.desk.db, "WHERE send_id = ? ORDER BY at, id", m.ID)
		if err != nil {
			return err
		}
		for _, a := range came {
			said := DiagnosedAnswer{Kind: a.Kind, At: deposit.Wall(a.At), SHA256: a.SHA256, Text: masked(a.Body)}
			if _, err := g.bank.ReadPayAnswer(a.Body); err != nil {
				said.Fault = deposit.AsRefusal(err).Text
			}
			one.Answers = append(one.Answers, said)
		}
		g.out.Messages = append(g.out.Messages, one)
	}
	return nil
}

// masking gives what makes of a message its text with the payees of the batch as people are shown them.
func (g *diagnosing) masking() func(raw []byte) string {
	var names, accounts []string
	for i := range g.all {
		names, accounts = append(names, g.all[i].PayeeName), append(accounts, g.all[i].PayeeAccount)
	}
	persons, numbers := deposit.Masks(names, deposit.MaskName), deposit.Masks(accounts, deposit.MaskAccount)
	return func(raw []byte) string { return persons.Replace(numbers.Replace(readable(raw))) }
}

// readable is a message's text, in whichever of the two charsets it is.
func readable(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	text, err := bank.GB18030.Decode(raw)
	if err != nil {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	return text
}

func (g *diagnosing) lines(context.Context) error {
	for i := range g.all {
		l := &g.all[i]
		pay := l.pay("")
		if receipt := g.receipts[l.EntryID]; receipt != nil {
			pay = l.pay(receipt.Entry.Serial)
		}
		faults := g.bank.CheckPay(&pay)
		g.out.Faults = append(g.out.Faults, faults...)
		line := DiagnosedLine{Serial: l.Serial, Message: g.numbers[l.SendID], State: l.State, Amount: l.Amount, Code: l.Code, Meaning: bank.PayStatusNames[l.Word], Said: l.Said,
			Unpaid: provenUnpaid[l.State], Receipt: g.credit(l)}
		line.Side, line.Evidence = g.cause(l, faults)
		if line.Unpaid {
			g.out.Unpaid++
		}
		g.out.Lines = append(g.out.Lines, line)
	}
	return nil
}

// provenUnpaid are the states in which no money of a line can have gone out.
var provenUnpaid = map[State]bool{Draft: true, Checked: true, Released: true, Failed: true, Cancelled: true}

func (g *diagnosing) credit(l *Line) (c DiagnosedCredit) {
	receipt := g.receipts[l.EntryID]
	if receipt == nil {
		return c
	}
	return DiagnosedCredit{Serial: receipt.Entry.Serial, Day: receipt.Entry.BookingDate, Amount: receipt.Entry.Amount, Verdict: receipt.Verdict, OnStatement: receipt.OnStatement,
		Left: receipt.Net() - g.reserved[l.EntryID].Reserved}
}

// What the desk notes of a message that did not fare well; the diagnosis tells by it what happened.
const (
	noteUnsent = "无法连接银行，未发出"
	noteLost   = "已发出，未得到应答："
	noteBroken = "发送中断，结果不明，待查询"
)

// cause says on which side a line's failure lies, and what shows it.
func (g *diagnosing) cause(l *Line, faults []bank.PayFault) (Side, string) {
	switch l.State {
	case Draft, Checked, Released:
		return g.unsent(l, faults)
	case Unknown:
		return g.unknown(l)
	case Failed:
		if aboutPayee(l) {
			return SideData, "银行以 " + l.Code + " 拒付：" + l.Said
		}
		return SideBank, orElse(l.Code, "人工认定未付") + "：" + orElse(l.Said, g.notes[l.ID])
	case Returned:
		return SideData, "已付款后退汇：" + g.notes[l.ID]
	}
	return "", g.notes[l.ID]
}

// unsent says why a line that did not go out did not.
func (g *diagnosing) unsent(l *Line, faults []bank.PayFault) (Side, string) {
	switch {
	case len(faults) > 0:
		return SideOurs, "本系统校验未通过，没有发出：" + faults[0].Text
	case l.State != Released:
		return "", "尚未放行"
	case g.notes[l.ID] == noteUnsent:
		return SideBank, "连接不上银行，报文没有发出"
	case g.desk.db.Now().Sub(g.batch.ReleasedAt) > g.desk.limits.ApprovalLasts:
		return SideOurs, "放行已过有效时间，没有发出，须重新签批"
	}
	return "", "尚未发出"
}

// unknown says why nobody knows what became of a line.
func (g *diagnosing) unknown(l *Line) (Side, string) {
	switch note := g.notes[l.ID]; {
	case l.Code == "" && note == noteBroken:
		return SideOurs, "发送时本系统中断，报文是否到达银行不明"
	case l.Code == "":
		return SideBank, note
	}
	return SideBank, "银行答复 " + l.Code + "，不能据以认定结果"
}

// payeeCodes are ISO 20022's reasons that blame the creditor's account, name or agent.
var payeeCodes = []string{"AC01", "AC03", "AC04", "AC06", "AC07", "BE01", "BE06", "BE22", "RC01", "RC04", "RC11"}

// payeeWords are how banks say so in Chinese.
var payeeWords = []string{"户名", "账号", "帐号", "收款人", "行号", "销户", "联行"}

// aboutPayee says whether the bank's reason for a refusal is the payee's data.
func aboutPayee(l *Line) bool {
	_, reason, _ := strings.Cut(l.Code, "/")
	return slices.Contains(payeeCodes, reason) || slices.ContainsFunc(payeeWords, func(w string) bool { return strings.Contains(l.Said, w) })
}

// again makes the lists that the failed lines come to.
func (g *diagnosing) again(ctx context.Context) error {
	lists := map[string]*ListOrder{}
	var departments []string
	for i := range g.all {
		l := &g.all[i]
		receipt := g.receipts[l.EntryID]
		if l.State != Failed && l.State != Returned || receipt == nil {
			continue
		}
		if lists[l.Department] == nil {
			lists[l.Department] = &ListOrder{Eyes: deposit.SightOfAll(), Department: l.Department, DryRun: true}
			departments = append(departments, l.Department)
			g.out.Again = append(g.out.Again, CorrectedList{Department: l.Department, Faults: []Fault{}})
		}
		list := lists[l.Department]
		list.Lines = append(list.Lines, Order{Row: len(list.Lines) + 1, Credit: l.EntryID, Amount: l.Amount, Cause: l.Cause,
			PayeeName: l.PayeeName, PayeeAccount: l.PayeeAccount, PayeeBank: l.PayeeBank, PayeeBankCode: l.PayeeBankCode})
		corrected := &g.out.Again[slices.Index(departments, l.Department)]
		corrected.Lines = append(corrected.Lines, correctedLine(l, receipt))
	}
	for i, department := range departments {
		x, err := g.desk.examine(ctx, g.desk.db, g.desk.db.Now(), g.desk.db.NewID, lists[department])
		if err != nil {
			return err
		}
		g.out.Again[i].Faults = append(g.out.Again[i].Faults, x.faults...)
	}
	return nil
}

func correctedLine(l *Line, receipt *reconcile.Receipt) CorrectedLine {
	c := CorrectedLine{Credit: l.EntryID, Bank: l.Bank, Day: receipt.Entry.BookingDate, Serial: receipt.Entry.Serial, Lot: receipt.Lot.Number, Bidder: deposit.Name(receipt.Bid.Bidder), Amount: l.Amount,
		Cause: l.Cause, PayeeName: deposit.Name(l.PayeeName), PayeeAccount: deposit.Account(l.PayeeAccount), PayeeBank: l.PayeeBank, PayeeBankCode: l.PayeeBankCode, Replaces: l.Serial}
	if l.State == Returned || aboutPayee(l) {
		c.Correct = "请与投标人核对收款户名、账号、开户行与联行号；与付款账户不同的，先办理收款账户变更审批，再按新账户提交"
	}
	return c
}
