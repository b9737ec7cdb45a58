package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/refund"
)

// demoBack is a lot that is shown from the numbers of its bidders to their money back: the bank that is called opens each number, and
// pays the losers.
type demoBack struct {
	lot  *demoLot
	list refund.ListOrder
}

// What befalls the losers' payments. The first bidder wins.
var paymentFates = []banksim.Fate{banksim.Pays, banksim.Pays, banksim.Pays, banksim.Refuses, banksim.Unclear, banksim.ComesBack}

// The one who is refused is paid at the second try.
const refused = 3

// How long the bank takes over what it leaves open, and until money comes back: both are known by the next working day.
const (
	decidesWithin = 20 * time.Hour
	comesBackIn   = 26 * time.Hour
)

// payBack plans it all. It is planned last, so that the rest of the month is what it would be without it.
func (m *demoMonth) payBack() {
	lot := m.lot(&departments[0], m.last-5, "09:30:00")
	m.lots = m.lots[:len(m.lots)-1] // its numbers are not the platform's
	lot.name, lot.deposit, lot.basic, lot.single, lot.announced = "湖南路雨污分流改造工程施工", 800_000_00, false, false, m.clock(m.last-8, "09:05:00")
	m.back = &demoBack{lot: lot, list: refund.ListOrder{Eyes: deposit.SightOfAll(), Department: lot.department.name, Reference: "JS-2026-031", Note: "未中标人退还"}}
	m.at(m.clock(0, "07:30:00"), m.play.openCalledBank)
	m.at(lot.announced, func(ctx context.Context) error { return m.play.putLot(ctx, lot) })
	for i := range len(paymentFates) + 1 {
		b := &demoBid{company: m.names.company(lot.department, ""), lot: lot, bank: called}
		b.BankCode = "402471000009"
		lot.bids = append(lot.bids, b)
		m.at(m.clock(m.last-7, "09:15:00").Add(time.Duration(i)*7*time.Minute), func(ctx context.Context) error { return m.play.askNumber(ctx, b) })
		m.at(m.clock(m.last-6, "10:02:00").Add(time.Duration(i)*11*time.Minute), func(ctx context.Context) error {
			e := m.play.sims[called].Credit(b.whole())
			if i > 0 {
				m.back.list.Lines = append(m.back.list.Lines, refund.Order{Bank: e.Bank, Day: e.BookingDate, Serial: e.Serial, PayeeBank: b.Bank, PayeeBankCode: b.BankCode})
			}
			return m.play.deliver(ctx, called)
		})
	}
	m.event(lot.opensAt, "opened", lot, "")
	m.event(m.clock(m.last-4, "15:20:00"), "award_notice", lot, lot.bids[0].Name)
	m.at(m.clock(m.last-3, "10:15:00"), func(ctx context.Context) error { return m.play.refund(ctx, m.back.list) })
	asks := func(ctx context.Context) error {
		m.play.pays.Tick()
		return errors.Join(m.play.deliver(ctx, called), m.play.carry(ctx))
	}
	m.at(m.clock(m.last-2, "08:40:00"), asks)
	m.at(m.clock(m.last-2, "10:20:00"), m.play.watched) // a day after they were sent: what were still unclear would be an incident, and stop payments
	m.at(m.clock(m.last-2, "15:00:00"), asks)
	m.at(m.clock(m.last-1, "09:40:00"), func(ctx context.Context) error {
		again := m.back.list
		again.Reference, again.Note, again.Lines = again.Reference+"-2", "核对户名后重新提交", again.Lines[refused:refused+1]
		return m.play.refund(ctx, again)
	})
}

// openCalledBank gives the bank that is called its numbers, and says how it pays.
func (p *player) openCalledBank(context.Context) error {
	for i := range 200 {
		p.sims[called].Stock("", fmt.Sprintf("%s-%06d", demoBanks[called].parent, i+1))
	}
	fates, tried := map[string]banksim.Fate{}, 0
	p.pays = p.sims[called].Paying(banksim.PayRules{Later: decidesWithin, Return: comesBackIn, Dice: func(_ *rand.Rand, l bank.PayLine) banksim.Fate {
		if _, known := fates[l.PayeeAccount]; known || tried >= len(paymentFates) {
			return banksim.Pays
		}
		tried++
		fates[l.PayeeAccount] = paymentFates[tried-1]
		return fates[l.PayeeAccount]
	}})
	return nil
}

// askNumber registers a bid and asks for a number, which the bank opens meanwhile.
func (p *player) askNumber(ctx context.Context, b *demoBid) error {
	var bid struct{ ID string }
	if err := p.ask(ctx, http.MethodPost, "/v1/bids", map[string]any{"lot": b.lot.number, "bidder": b.Name, "bidder_account": b.Account}, &bid); err != nil {
		return err
	}
	var got struct {
		SubAccount string `json:"sub_account"`
	}
	err := p.ask(ctx, http.MethodPost, "/v1/bids/"+bid.ID+"/sub-account", map[string]any{"bank": demoBanks[called].code}, &got)
	b.number = got.SubAccount
	return err
}

// refund takes a list through three people's hands – each works at the desk –, and to the bank.
func (p *player) refund(ctx context.Context, list refund.ListOrder) error {
	desk := p.app.refund
	s, err := desk.Submit(ctx, "科室 马经办", list)
	if err == nil && len(s.Faults) > 0 {
		err = fmt.Errorf("第 %d 行 %s：%s", s.Faults[0].Row, s.Faults[0].Column, s.Faults[0].Text)
	}
	if err != nil {
		return err
	}
	var keys []sqldb.ID
	for i := range s.Lines {
		keys = append(keys, s.Lines[i].ID)
	}
	made, err := desk.Compose(ctx, "综合科 陈制单", keys)
	if err != nil {
		return err
	}
	for _, b := range made {
		if b, err = desk.Check(ctx, "综合科 李复核", signatureOf(b)); err == nil {
			_, err = desk.Release(ctx, "分管领导 王放行", signatureOf(b))
		}
		if err != nil {
			return err
		}
	}
	return p.carry(ctx)
}

// carry has the server send and ask, and waits until it has.
func (p *player) carry(ctx context.Context) error {
	p.app.wakeThePayer()
	return until(ctx, func() (bool, error) {
		lines, err := refund.LinesOfAccount(ctx, p.app.db, demoBanks[called].code, demoBanks[called].parent)
		lately := p.clock.now().Add(-askEvery)
		return !slices.ContainsFunc(lines, func(l refund.Line) bool {
			return l.State == refund.Released || l.State == refund.Sending || (l.State == refund.Unknown || l.State == refund.Accepted) && !l.AskedAt.After(lately)
		}), err
	})
}

// demoPaid is what became of the money.
type demoPaid struct {
	lines   []refund.LineView
	names   string // where it was paid from
	numbers int    // leased from the pool
	frozen  int
	states  map[refund.State]int
	proven  map[refund.State]int
}

func (p *player) paidBack(ctx context.Context, back *demoBack) (*demoPaid, error) {
	lines, _, err := p.app.refund.Lines(ctx, deposit.SightOfAll(), refund.LineQuery{})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(lines, func(a, b refund.LineView) int {
		return cmp.Or(a.SentAt.Compare(b.SentAt), cmp.Compare(a.SubAccount, b.SubAccount))
	})
	found := &demoPaid{lines: lines, names: bankName(p.app.banks, demoBanks[called].code) + "，标段 " + back.lot.number, states: map[refund.State]int{}, proven: map[refund.State]int{}}
	tallies, err := p.app.refund.Tallies(ctx)
	for _, t := range tallies {
		found.states[t.State] += t.Count
		if t.Waiting == "" {
			found.proven[t.State] += t.Count
		}
	}
	if err != nil {
		return nil, err
	}
	state, err := p.app.refundState(ctx)
	found.frozen = len(state.Freezes)
	if err != nil {
		return nil, err
	}
	pools, err := p.app.keeper.Pools(ctx)
	for _, pool := range pools {
		if pool.Bank == demoBanks[called].code && pool.Counts != nil {
			found.numbers = pool.Counts.Leased
		}
	}
	return found, err
}

func (d *demoPaid) write(w io.Writer) {
	var text strings.Builder
	fmt.Fprintf(&text, "\n号池与退付（%s）\n\n  投标时向银行逐个申请子账号 %d 个；开标后 %d 笔退付经制单、复核、放行三人签批，由银行专线付出\n\n", d.names, d.numbers, len(d.lines))
	var t table
	t.add("收款人", "金额", "结果", "银行最后答复")
	for i := range d.lines {
		l := &d.lines[i]
		result := l.State.Chinese()
		if l.State == refund.Returned {
			result += "，待核对账户后重新提交"
		}
		t.add(deposit.MaskName(l.PayeeName), l.Amount.Grouped(), result, l.Said)
	}
	t.write(&text, "  ", 1)
	fmt.Fprintf(&text, "\n  已付款 %d 笔，其中 %d 笔已由对账单借方流水证明；失败 %d 笔（已重新提交并付清），退汇 %d 笔\n",
		d.states[refund.Paid], d.proven[refund.Paid], d.states[refund.Failed], d.states[refund.Returned])
	_, _ = io.WriteString(w, text.String())
}

// check holds it to what was planned.
func (d *demoPaid) check() error {
	want := map[refund.State]int{refund.Paid: len(paymentFates) - 1, refund.Failed: 1, refund.Returned: 1}
	if !maps.Equal(d.states, want) || d.proven[refund.Paid] != want[refund.Paid] || d.numbers != len(paymentFates)+1 || d.frozen > 0 {
		return fmt.Errorf("退付与预设不符：%v，已证明 %v，号码 %d 个，停付 %d 项", d.states, d.proven, d.numbers, d.frozen)
	}
	return nil
}
