package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform/incident"
	"depositd/refund"
)

const payer = "ccb|" + paydayParent

// TestWatchRefunds: the troubles of plan 4.6.3, each caused by a bank, a line or a payee. What was sent and may have been paid
// freezes the account, what has to be paid again does not.
func TestWatchRefunds(t *testing.T) {
	for _, c := range []struct {
		name   string
		fate   banksim.Fate
		word   string // what a refusal says; "": that the payee is at fault
		away   bool   // the bank cannot be dialled
		after  time.Duration
		nights int // statements that come in between
		frozen bool
		want   wanted
	}{
		{"paid", banksim.Pays, "", false, 25 * time.Hour, 1, false, wanted{}},
		{"the bank refuses", banksim.Refuses, "系统处理失败", false, time.Minute, 0, true,
			wanted{"4.6.3", "2", refund.SignBatchFailed, "PC-20260613-01", incident.SideBank, map[string]string{"2/2.1": "已证明未付 2 笔", "2/2.2": "本系统原因未付：没有", "2/2.3": "没有变动"}}},
		{"the payee's name is wrong", banksim.Refuses, "", false, time.Minute, 0, false,
			wanted{"4.6.3", "1", refund.SignReturned, payer, incident.SideBidder, map[string]string{"1/1.2": "因收款人信息拒付的退付流水号"}}},
		{"the bank is away", "", "", true, 31 * time.Minute, 0, true,
			wanted{"4.6.3", "2", refund.SignBatchFailed, "PC-20260613-01", incident.SideLink, map[string]string{"2/2.1": "连接不上银行"}}},
		{"nothing is answered", banksim.LosesAnswer, "", false, 25 * time.Hour, 0, true,
			wanted{"4.6.3", "2", refund.SignUnknown, payer, incident.SideOpen, map[string]string{"2/2.1": "结果不明的退付流水号", "2/2.3": "没有变动"}}},
		{"the money comes back", banksim.ComesBack, "", false, 6 * 24 * time.Hour, 6, false,
			wanted{"4.6.3", "1", refund.SignReturned, payer, incident.SideBidder, map[string]string{"1/1.2": "已付后退汇的退付流水号"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			p := newPayday(t, "delimited", "call: {url: 'tcp://"+listener.Addr().String()+"', timeout: 1s}, notices: none", 2)
			p.pays = p.sim.Paying(banksim.PayRules{Dice: banksim.Always(c.fate)})
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() {
				served <- bank.ServeFrames(ctx, listener, 1<<20, time.Minute, func(_ context.Context, raw []byte) []byte {
					answer, _ := p.pays.Take(raw)
					return reworded(answer, c.word)
				})
			}()
			if c.away {
				stop()
				p.must(<-served)
				served <- nil
			}
			p.sees(wanted{})
			_, _ = p.app.pay(t.Context(), payerJob, p.app.banks.Only()) // that the bank fails is what the test is about
			p.days(c.nights, c.after)
			p.sees(c.want)
			if got := strings.Contains(p.state(), "stopped"); got != c.frozen {
				t.Errorf("the account is frozen: %v, want %v", got, c.frozen)
			}
			stop()
			p.must(<-served)
		})
	}
}

// reworded lets the bank give another reason for what it refuses.
func reworded(answer []byte, word string) []byte {
	text, err := bank.GB18030.Decode(answer)
	if err != nil || word == "" {
		return answer
	}
	again, err := bank.GB18030.Encode(strings.ReplaceAll(text, "账号户名不符", word))
	if err != nil {
		return answer
	}
	return again
}

// days lets time pass, with the statements and the closings of so many days.
func (p *payday) days(nights int, after time.Duration) {
	p.t.Helper()
	until := p.now().Add(after)
	for n := range nights {
		p.pays.Tick()
		day := yesterday(until).Add(n + 1 - nights)
		p.night(day, string(day.Add(1))+" 00:30:00")
	}
	p.passTo(until)
}

// sees goes a round of the watch and holds the one incident that it opens to what is wanted; none for the zero wanted.
func (p *payday) sees(w wanted) {
	p.t.Helper()
	_, opened, err := p.app.watch(p.t.Context(), watchJob)
	p.must(err)
	switch {
	case w.code == "" && len(opened) == 0:
		return
	case w.code == "" || len(opened) != 1:
		p.t.Fatalf("opened %+v, want %q", opened, w.code)
	}
	if _, again, err := p.app.watch(p.t.Context(), watchJob); err != nil || len(again) > 0 {
		p.t.Errorf("seen again it opens another one: %+v, %v", again, err)
	}
	if told := w.holds(p.t, p.app, opened[0].ID); strings.Contains(told, "聊城1公司") || strings.Contains(told, "62121") {
		p.t.Errorf("it tells of a payee: %s", told)
	}
}
