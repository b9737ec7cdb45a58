package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// payerJob is the sender's name in its claims and metrics.
const payerJob = "payer"

// How often the payer looks for what is released, and how long a message is left alone before the bank is asked about it again.
const (
	payEvery = time.Minute
	askEvery = 10 * time.Minute
)

// wakeThePayer says that something was released. It never waits.
func (a *app) wakeThePayer() {
	select {
	case a.wakePayer <- struct{}{}:
	default:
	}
}

// payAlways sends what is released and asks about what is open, whenever it is woken and every minute. A bank that fails is logged,
// tried again, and stops no other.
func (a *app) payAlways(ctx context.Context, jobs *jobMetrics) {
	tick := time.NewTicker(payEvery)
	defer tick.Stop()
	for {
		for _, b := range a.banks.All() {
			did, err := a.pay(ctx, payerJob, b)
			if err != nil || did.Sent+did.Asked+len(did.Taken) > 0 {
				a.wakeTheWatch()
			}
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, errHeld), errors.Is(err, errNoWay): // another replica has the bank; or a person has to carry the files
			case err != nil:
				jobs.failed(payerJob)
				a.log.Error("paying failed; it will be tried again", "bank", b.Code, "error", err)
			default:
				jobs.succeeded(payerJob, a.db.Now())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wakePayer:
		case <-tick.C:
		}
	}
}

// paid is what one run came to.
type paid struct {
	Bank    string   `json:"bank"`
	Sent    int      `json:"sent"`
	Asked   int      `json:"asked"`
	Again   int      `json:"sent_again"`
	Taken   []string `json:"result_files"`
	Refused []string `json:"refused_files"`
}

// errNoWay says that banks.yaml gives no way by which a bank could be paid.
var errNoWay = errors.New("banks.yaml 没有写明该银行的付款通道（call 或 payout_folder）")

// pay sends to one bank what is released, asks it about what is open and takes its result files. Only one run does so for
// a bank at a time; errHeld while another one does, errNoWay where the bank cannot be paid.
func (a *app) pay(ctx context.Context, by string, b *bank.Bank) (p paid, err error) {
	p.Bank = b.Code
	exchange, err := a.wayTo(b)
	if err != nil {
		return p, err
	}
	return p, a.holding(ctx, payerJob, payerOf(b), func(ctx context.Context) (err error) {
		p.Sent, err = a.refund.SendDue(ctx, by, b, exchange)
		asked, askErr := a.refund.AskDue(ctx, by, b, askEvery, exchange)
		again, againErr := a.refund.SendAgain(ctx, by, b, exchange)
		p.Asked, p.Again = asked, again
		return errors.Join(err, askErr, againErr, a.takeResults(ctx, b, &p))
	})
}

// payerOf is a bank in its claim, whose column holds ten characters: two banks that share them wait for each other, no more.
func payerOf(b *bank.Bank) string { return b.Code[:min(len(b.Code), 10)] }

// wayTo is how messages get to a bank: into its folder, or over its line.
func (a *app) wayTo(b *bank.Bank) (refund.Exchange, error) {
	drop := b.Drop.In(filepath.Dir(a.config.banksFile))
	switch {
	case !b.Pays():
		return nil, errNoWay
	case drop.Payouts != "":
		return func(_ context.Context, _ *bank.Bank, number string, raw []byte) ([]byte, error) {
			return nil, drop.Put(number, raw)
		}, nil
	case b.Reach.URL == "":
		return nil, errNoWay
	}
	line, err := bank.NewLine(b, a.db.Now, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ *bank.Bank, _ string, raw []byte) ([]byte, error) {
		return line.Exchange(ctx, raw)
	}, nil
}

// takeResults takes the result files that the bank laid into its folder. That one is of nobody is told and stops no other.
func (a *app) takeResults(ctx context.Context, b *bank.Bank, p *paid) (err error) {
	p.Taken, p.Refused, err = b.Drop.In(filepath.Dir(a.config.banksFile)).Take(a.db.Now(), func(_ string, raw []byte) error {
		_, err := a.refund.Result(ctx, b.Code, b, raw)
		return err
	})
	if len(p.Refused) > 0 {
		a.log.Warn("result files refused; they lie in the folder refused", "bank", b.Code, "files", strings.Join(p.Refused, " "))
	}
	return err
}

// settle holds the debits of a day against the refunds, on every account that is paid from; and again those of earlier days that
// did not fit then, since an order may have been entered by hand meanwhile.
func (a *app) settle(ctx context.Context, by string, day deposit.Day) error {
	frozen, err := platform.Freezes(ctx, a.db)
	if err != nil {
		return err
	}
	for _, b := range a.banks.All() {
		if !b.Pays() {
			continue
		}
		for _, parent := range b.ParentAccounts {
			for _, day := range append(refund.DaysInDoubt(frozen, b.Code, parent, day), day) {
				if _, err := a.refund.Settle(ctx, by, b, parent, day); err != nil {
					return fmt.Errorf("settle %s of %s: %w", day, b.Code, err)
				}
			}
		}
	}
	return nil
}

// payers are the banks of a flag: the one named, or all that can be paid.
func (a *app) payers(code string) ([]*bank.Bank, error) {
	if code == "" {
		return slices.DeleteFunc(a.banks.All(), func(b *bank.Bank) bool { return !b.Pays() }), nil
	}
	b, err := a.banks.Bank(code)
	return []*bank.Bank{b}, err
}
