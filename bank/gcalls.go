package bank

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"depositd/platform/deposit"
)

// gCalls are the questions of the G series. The link test goes both ways.
var gCalls = &Calls{
	ContentType: gContentType,
	Link:        &Question[LinkTest, Linked]{gLinkTest, askLinkG, readLinkG},
	Open:        &Question[Opening, Opened]{gOpen, askOpenG, readOpenG},
	Close:       &Question[OfNumber, Closed]{gClose, askCloseG, readCloseG},
	Credit:      &Question[OfNumber, Credited]{gCredits, askCreditsG, readCreditsG},
	Left:        &Question[OfParent, Left]{gLeft, askLeftG, readLeftG},
}

// The messages we send a bank.
const (
	gOpen    = "G00003" // 申请子账号
	gClose   = "G00004" // 注销子账号
	gCredits = "G00005" // 到账明细查询
	gLeft    = "G00013" // 子账号剩余情况
)

var (
	gInstSeq = regexp.MustCompile(`^[0-9A-Za-z-]{1,12}$`) // C12 in the narrowest form seen
	gSeqNo   = regexp.MustCompile(`^[0-9A-Za-z]{1,20}$`)
)

// askG writes a request; fields are name and text in turn.
func askG(code string, h CallHead, fields ...string) ([]byte, error) {
	if !gSeqNo.MatchString(h.Serial) {
		return nil, deposit.Refuse(deposit.Invalid, "call_serial_malformed", "报文流水号 SeqNo 应为 1 到 20 个字母或数字：", clip(h.Serial))
	}
	return gDocument(code, h.Serial, h.At, func(doc *strings.Builder) {
		for i := 0; i+1 < len(fields); i += 2 {
			gElement(doc, fields[i], fields[i+1])
		}
	}), nil
}

func askLinkG(h CallHead, _ LinkTest) ([]byte, error) { return askG(gLinkTest, h) }

func askOpenG(h CallHead, o Opening) ([]byte, error) {
	if err := checkNumber("InstCode", o.Parent); err != nil {
		return nil, err
	}
	if !gInstSeq.MatchString(o.Key) {
		return nil, deposit.Refuse(deposit.Invalid, "call_key_malformed", "竞买号 InstSeq 应为 1 到 12 个字母、数字或连字符：", clip(o.Key))
	}
	if o.Until.Before(firstBooking.Start()) || !o.Until.Before(lastBooking.Add(1).Start()) {
		return nil, deposit.Refuse(deposit.Invalid, "until_range", "截止时间 MatuDay 应在 ", firstBooking, " 至 ", lastBooking, " 之间")
	}
	return askG(gOpen, h, "InstCode", o.Parent, "InstSeq", o.Key, "MatuDay", o.Until.In(deposit.Shanghai).Format(gInstant))
}

func askCloseG(h CallHead, n OfNumber) ([]byte, error) {
	if err := checkNumber("InMemo", n.Number); err != nil {
		return nil, err
	}
	return askG(gClose, h, "InMemo", n.Number)
}

func askLeftG(h CallHead, p OfParent) ([]byte, error) {
	if err := checkNumber("InstCode", p.Parent); err != nil {
		return nil, err
	}
	return askG(gLeft, h, "InstCode", p.Parent)
}

// gTold is an answer taken apart: the fields of head and body, and the rows of its list.
type gTold struct {
	gMessage
	rows []gMessage // the fields of each element within the body that holds fields, by their names, in the answer's order
}

// toldG takes the answer to a request apart.
func toldG(code string, raw []byte) (gTold, error) {
	t, err := takeApartG(raw)
	if said := t.head("TransCode"); err == nil && said != code {
		err = deposit.Refuse(deposit.Invalid, "answer_to_another", "应答的交易码应为 ", code, "，收到的是：", clip(said))
	}
	return t, err
}

// takeApartG takes a message with a list apart. What the list is called and how deep it stands differs from bank to bank
// (listEntity/Entity, list, Entity in the body itself): whatever holds fields is a row.
func takeApartG(raw []byte) (gTold, error) {
	t := gTold{gMessage: gMessage{}}
	rows := map[int]gMessage{}
	err := walkG(raw, func(path []string, element int, text string) bool {
		switch {
		case len(path) < 3:
			return true
		case len(path) == 3:
			return t.set(path[1]+"/"+path[2], text)
		case rows[element] == nil:
			rows[element] = gMessage{}
			t.rows = append(t.rows, rows[element])
		}
		return rows[element].set(path[len(path)-1], text)
	})
	return t, err
}

// gMeanings says what the result codes mean, as the code bases that speak the G series have them.
var gMeanings = map[string]string{"02": "账号不存在或缺少字段", "09": "其它错误", "99": "系统错误"}

// Result codes that can be a success.
const (
	gDone   = "00"
	gAgain  = "01" // the same was asked before
	gUnsaid = ""   // some answers that have what was asked for have no code
)

// saidG takes apart what all answers have in common: they answer this question, are about what was asked where they repeat
// it under the name echo, and say yes. A result code that nobody agreed on says neither yes nor no.
func saidG(code string, raw []byte, echo, asked string, successes ...string) (t gTold, result string, err error) {
	if t, err = toldG(code, raw); err != nil {
		return t, "", err
	}
	if about := t.body(echo); about != "" && about != asked {
		return t, "", deposit.Refuse(deposit.Invalid, "answer_to_another", "应答的 ", echo, " 与请求不符")
	}
	result = t.body("Result")
	meaning, refused := gMeanings[result]
	switch {
	case slices.Contains(successes, result):
		return t, result, nil
	case result == "":
		return t, "", missingG("Result")
	case refused:
		return t, result, refusedBy(result, meaning, t.body("AddWord"), result == "99")
	}
	return t, result, deposit.Refuse(deposit.Invalid, "result_unknown", "未约定的结果码 Result：", clip(result))
}

func readLinkG(_ *Bank, _ LinkTest, raw []byte) (Linked, string, error) {
	_, result, err := saidG(gLinkTest, raw, "", "", gDone)
	return Linked{}, result, err
}

func readOpenG(_ *Bank, o Opening, raw []byte) (Opened, string, error) {
	t, result, err := saidG(gOpen, raw, "InstSeq", o.Key, gDone, gAgain)
	if err != nil {
		return Opened{}, result, err
	}
	opened := Opened{Number: t.body("AcctNo"), Again: result == gAgain}
	if opened.Again && opened.Number == "" {
		return opened, result, nil
	}
	return opened, result, checkNumber("AcctNo", opened.Number)
}

func readCloseG(_ *Bank, n OfNumber, raw []byte) (Closed, string, error) {
	_, result, err := saidG(gClose, raw, "InMemo", n.Number, gDone, gAgain)
	return Closed{Again: result == gAgain}, result, err
}

func readLeftG(_ *Bank, p OfParent, raw []byte) (Left, string, error) {
	t, result, err := saidG(gLeft, raw, "InstCode", p.Parent, gDone, gUnsaid)
	if err != nil {
		return Left{}, result, err
	}
	free, err := t.count("InSurplus")
	if err != nil {
		return Left{}, result, err
	}
	total, err := t.count("TotalNum")
	if err == nil && free > total {
		err = deposit.Refuse(deposit.Invalid, "count_impossible", "剩余 InSurplus ", free, " 个，多于总数 TotalNum ", total, " 个")
	}
	return Left{Free: free, Total: total}, result, err
}

// maxCount is the most a bank may count: a pool of a million numbers would be open for a century.
const maxCount = 10_000_000

func (t gTold) count(name string) (int, error) {
	text := t.body(name)
	if text == "" {
		return 0, missingG(name)
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxCount {
		return 0, deposit.Refuse(deposit.Invalid, "count_malformed", "字段 ", name, " 应为 0 到 ", maxCount, " 的整数：", clip(text))
	}
	return int(n), nil
}
