package banksim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"depositd/platform/deposit"
)

// CallFault is what goes wrong with the answer to one call.
type CallFault string

// The faults of answers.
const (
	Silent       CallFault = "silent"        // heard, not done, and never answered
	HungUp       CallFault = "hung up"       // not done; the connection ends without an answer
	AnswerLost   CallFault = "answer lost"   // done; the connection ends without an answer
	AnswerCut    CallFault = "answer cut"    // done; the connection ends in the middle of the answer
	Stalled      CallFault = "stalled"       // done; the answer stops in the middle
	Garbage      CallFault = "garbage"       // done; the answer is bytes that are no message
	Refuses02    CallFault = "02"            // not done: account unknown or field missing
	Refuses09    CallFault = "09"            // not done: other error
	Refuses99    CallFault = "99"            // not done: system error
	OddResult    CallFault = "odd result"    // not done; answered with a code that nobody agreed on
	Slow         CallFault = "slow"          // done; the answer comes byte by byte
	Padded       CallFault = "padded"        // done; NUL bytes and blanks follow the answer
	WrongCharset CallFault = "wrong charset" // done; the answer is UTF-8 and says that it is GBK
	CountLies    CallFault = "count lies"    // G00005, G00013: a count that is one too high
	StillLeased  CallFault = "still leased"  // G00003: a number that is open for somebody else
	Forgotten    CallFault = "forgotten"     // G00003: a number that is not in the pool; G00004, G00005: the number is said to be unknown
)

// Fail makes the next calls of a code go wrong, a fault each; "" lets one go well.
func (s *Sim) Fail(code string, faults ...CallFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[code] = append(s.faults[code], faults...)
}

// Heard is a call that the bank has heard.
type Heard struct {
	Code, Serial string
	Fault        CallFault
	Result       string // of the answer, whether it arrived or not; "" when there was none
}

// Heard gives the calls so far, in their order.
func (s *Sim) Heard() []Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// answers says who answers which message. Each is called with the Sim locked; a fault that it does not know is none of its business.
var answers = map[string]func(s *Sim, q *asked, fault CallFault) told{
	"G00003": (*Sim).answerOpen,
	"G00004": (*Sim).answerClose,
	"G00005": (*Sim).answerCredits,
	"G00009": func(*Sim, *asked, CallFault) told { return told{result: "00", word: "链路正常"} },
	"G00013": (*Sim).answerLeft,
}

// answer handles one request. It gives the answer's bytes and how they are to be delivered; nil is none at all.
func (s *Sim) answer(raw []byte) ([]byte, CallFault) {
	if pay := s.order(raw); pay != nil {
		answer, answered := pay(raw)
		return answer, map[bool]CallFault{false: HungUp}[answered]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := read(raw)
	if !ok {
		s.heard = append(s.heard, Heard{Result: "09"})
		return told{result: "09", word: "报文无法解析"}.write(&asked{}, s.now()), ""
	}
	fault := s.nextFault(q.code)
	t, done := s.refusal(q, fault), answers[q.code]
	switch {
	case fault == Silent || fault == HungUp:
		s.heard = append(s.heard, Heard{q.code, q.serial, fault, ""})
		return nil, fault
	case t.result != "":
	case done == nil:
		t = told{result: "09", word: "不支持的交易码"}
	default:
		t = done(s, q, fault)
	}
	s.heard = append(s.heard, Heard{q.code, q.serial, fault, t.result})
	return s.spoil(t.write(q, s.now()), fault), fault
}

// order is who takes a request that is about payments; nil where it is not, or the bank does not pay.
func (s *Sim) order(raw []byte) func([]byte) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pays == nil {
		return nil
	}
	m, err := readG(raw)
	if err != nil {
		return nil
	}
	return s.pays.Handlers()[m.Head.TransCode]
}

func (s *Sim) nextFault(code string) CallFault {
	waiting := s.faults[code]
	if len(waiting) == 0 {
		return ""
	}
	s.faults[code] = waiting[1:]
	return waiting[0]
}

// refusal is the answer of a bank that does not do what it is asked; none when it does.
func (s *Sim) refusal(_ *asked, fault CallFault) told {
	switch fault {
	case Refuses02, Refuses09, Refuses99:
		return told{result: string(fault), word: map[CallFault]string{Refuses02: "账号不存在", Refuses09: "处理失败", Refuses99: "系统异常"}[fault]}
	case OddResult:
		return told{result: "7X", word: "处理异常"}
	}
	return told{}
}

// spoil damages an answer's bytes.
func (s *Sim) spoil(answer []byte, fault CallFault) []byte {
	switch fault {
	case Garbage:
		noise := make([]byte, 40+s.rand.IntN(200))
		for i := range noise {
			noise[i] = byte(s.rand.Uint32())
		}
		return noise
	case Padded:
		return append(answer, "\x00\x00 \x00\r\n\x00"...)
	case WrongCharset:
		return asUTF8(answer)
	}
	return answer
}

// answerOpen hands a number out: the same key again has the number it had.
func (s *Sim) answerOpen(q *asked, fault CallFault) told {
	parent, key := q.body.text("InstCode"), q.body.text("InstSeq")
	_, err := time.ParseInLocation("20060102150405", q.body.text("MatuDay"), deposit.Shanghai)
	if s.books[parent] == nil || key == "" || err != nil {
		return told{result: "02", word: "账号不存在或缺少字段"}
	}
	p := s.pool(parent)
	number, again := p.keys[key]
	switch {
	case fault == StillLeased && len(p.open) > 0:
		open := slices.Sorted(maps.Keys(p.open))
		number, again = open[s.rand.IntN(len(open))], false
	case fault == Forgotten:
		number, again = fmt.Sprintf("%s-X%05d", parent, s.rand.IntN(100_000)), false
	case !again:
		var left bool
		if number, left = p.give(key); !left {
			return told{result: "09", word: "子账号已用完"}
		}
	}
	t := told{result: "00", word: "申请成功", body: func(doc *markup) { doc.leaf("AcctNo", number) }}
	if again {
		t.result, t.word = "01", "该竞买号已申请"
	}
	return t
}

// answerClose takes a number back, unless there is money on it.
func (s *Sim) answerClose(q *asked, fault CallFault) told {
	number := q.body.text("InMemo")
	parent, ok := s.holder(number)
	switch {
	case !ok || fault == Forgotten:
		return told{result: "02", word: "子账号不存在"}
	case s.standing(parent, number) != 0:
		return told{result: "09", word: "子账号余额不为零"}
	}
	s.pool(parent).take(number)
	return told{result: "00", word: "注销成功"}
}

// answerCredits lists what came in on a number, also on one that is closed by now.
func (s *Sim) answerCredits(q *asked, fault CallFault) told {
	parent, number := q.body.text("InstCode"), q.body.text("InMemo")
	if s.books[parent] == nil || !s.knows(parent, number) || fault == Forgotten {
		return told{result: "02", word: "子账号不存在"}
	}
	credits := s.creditsOf(parent, number)
	count := len(credits)
	if fault == CountLies {
		count++
	}
	return told{result: "00", word: "查询成功", body: func(doc *markup) {
		doc.leaf("InMemo", number)
		doc.leaf("Count", strconv.Itoa(count))
		doc.in("listEntity", func() {
			for i := range credits {
				fmt.Fprintf(doc, `<Entity rowNum="%d">`, i)
				gCredit(doc, &credits[i])
				doc.leaf("InBankFLCode", credits[i].Serial)
				doc.WriteString("</Entity>")
			}
		})
	}}
}

// knows says whether a number is in the pool or has ever had a booking.
func (s *Sim) knows(parent, number string) bool {
	p := s.pool(parent)
	_, open := p.open[number]
	return open || slices.Contains(p.free, number) || len(s.creditsOf(parent, number)) > 0
}

// answerLeft counts.
func (s *Sim) answerLeft(q *asked, fault CallFault) told {
	parent := q.body.text("InstCode")
	if s.books[parent] == nil {
		return told{result: "02", word: "账号不存在"}
	}
	p := s.pool(parent)
	free, total := len(p.free), len(p.free)+len(p.open)
	if fault == CountLies {
		free, total = free+1, total+1
	}
	return told{result: "00", word: "查询成功", body: func(doc *markup) {
		doc.leaf("InstCode", parent)
		doc.leaf("InSurplus", strconv.Itoa(free))
		doc.leaf("TotalNum", strconv.Itoa(total))
	}}
}
