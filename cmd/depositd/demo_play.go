package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// demoClock is the time of the demonstration: it stands still at each step, and runs on when the month is over.
type demoClock struct {
	mu   sync.Mutex
	at   time.Time
	runs time.Time // since when, by this machine's clock; zero while it stands
}

func (c *demoClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs.IsZero() {
		return c.at
	}
	return c.at.Add(time.Since(c.runs))
}

// advance sets the clock to a time, never back.
func (c *demoClock) advance(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.After(c.at) {
		c.at = to
	}
}

func (c *demoClock) run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs = time.Now()
}

// player is the world outside: the trading platform and the banks, who talk to the service over HTTP only, and the night.
type player struct {
	app    *app
	clock  *demoClock
	client *http.Client
	base   string // "http://127.0.0.1:8080"
	sims   [3]*banksim.Sim
	sends  [3]banksim.Send
	keys   [3][]byte         // nil: the bank does not sign
	line   net.Listener      // on which a bank is called
	pays   *banksim.Payments // its payments

	events   int
	messages int // notices that were pushed
	wants    []expected
	report   *reconcile.Report // of the last day, once it may be seen
}

// expected is something that the last day's report has to find.
type expected struct {
	code        reconcile.Code
	serial      string // of a credit, or
	lot, bidder string // of a bid
}

// meet makes the banks.
func (p *player) meet(a *app, seed uint64) error {
	p.app = a
	for i := range demoBanks {
		b, err := a.banks.Bank(demoBanks[i].code)
		if err != nil {
			return err
		}
		p.sims[i] = banksim.New(b, rand.New(rand.NewPCG(seed, uint64(i))), p.clock.now) //nolint:gosec // the demonstration is to be the same each time
	}
	return nil
}

// reach tells the banks where the service is.
func (p *player) reach(base string) {
	p.base = base
	for i := range demoBanks {
		p.sends[i] = p.sims[i].OverHTTP(p.client, base, p.keys[i])
	}
}

// run plays the steps. The service has judged what each of them brought before the next comes, so that no verdict hangs
// on how fast this machine is.
func (p *player) run(ctx context.Context, steps []demoStep, shown *progress) error {
	for _, s := range steps {
		p.clock.advance(s.at)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", deposit.Wall(s.at), err)
		}
		if err := p.judged(ctx); err != nil {
			return err
		}
		shown.add(1)
	}
	return nil
}

// How long the service may take over a step, and when it is asked for first; each time after that the pause is twice as long.
const (
	stepLasts = 2 * time.Minute
	stepAsked = 500 * time.Microsecond
)

// until waits for the service to have done something.
func until(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, stepLasts)
	defer cancel()
	for pause := stepAsked; ; pause *= 2 {
		if yes, err := done(); err != nil || yes {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// judged waits until the service, which judges by itself, has nothing left to judge.
func (p *player) judged(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		credits, err := bank.Unjudged(ctx, p.app.db, 1)
		if err != nil {
			return false, err
		}
		touches, err := platform.Touched(ctx, p.app.db, 1)
		return len(credits)+len(touches) == 0, err
	})
}

// watched has the service's watch go a round, which it else goes by this machine's clock.
func (p *player) watched(ctx context.Context) error {
	return until(ctx, func() (bool, error) {
		_, _, err := p.app.watch(ctx, watchJob)
		if errors.Is(err, errHeld) { // by a round that it goes by itself
			return false, nil
		}
		return true, err
	})
}

// tell sends JSON to the service.
func (p *player) tell(ctx context.Context, method, path string, body any) error {
	return p.ask(ctx, method, path, body, new(any))
}

// ask sends JSON to the service and reads what it answers.
func (p *player) ask(ctx context.Context, method, path string, body, answered any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, answered)
}

// lotBody is a lot as PUT /v1/lots wants it; in bulk it also bears its number.
func lotBody(lot *demoLot) map[string]any {
	return map[string]any{"name": lot.name, "department": lot.department.name, "deposit": lot.deposit, "opening_at": lot.opensAt,
		"single_payment": lot.single, "basic_account_required": lot.basic}
}

func bidBody(b *demoBid) map[string]any {
	return map[string]any{"lot": b.lot.number, "bidder": b.Name, "bidder_account": b.Account, "bank": demoBanks[b.bank].code, "sub_account": b.number,
		"lease_from": b.registered, "lease_to": b.leaseTo}
}

func (p *player) putLot(ctx context.Context, lot *demoLot) error {
	return p.tell(ctx, http.MethodPut, "/v1/lots/"+url.PathEscape(lot.number), lotBody(lot))
}

func (p *player) postBid(ctx context.Context, b *demoBid) error {
	return p.tell(ctx, http.MethodPost, "/v1/bids", bidBody(b))
}

// sync is the platform's bulk delivery.
func (p *player) sync(ctx context.Context, lots []*demoLot, bids []*demoBid) error {
	lotList, bidList := []any{}, []any{}
	for _, lot := range lots {
		body := lotBody(lot)
		body["number"] = lot.number
		lotList = append(lotList, body)
	}
	for _, b := range bids {
		bidList = append(bidList, bidBody(b))
	}
	return p.tell(ctx, http.MethodPost, "/v1/platform/sync", map[string]any{"lots": lotList, "bids": bidList})
}

// event tells what happened to a lot just now.
func (p *player) event(ctx context.Context, kind string, lot *demoLot, bidder string, opensAt time.Time) error {
	p.events++
	body := map[string]any{"number": fmt.Sprintf("EV-2026-%05d", p.events), "kind": kind, "lot": lot.number, "happened_at": p.clock.now()}
	if bidder != "" {
		body["bidder"] = bidder
	}
	if !opensAt.IsZero() {
		body["opening_at"] = opensAt
	}
	return p.tell(ctx, http.MethodPost, "/v1/platform/events", body)
}

// deliver lets a bank push what it has to push, seconds after it booked it.
func (p *player) deliver(ctx context.Context, bank int) error {
	p.clock.advance(p.clock.now().Add(2 * time.Second))
	n, err := p.sims[bank].Deliver(ctx, p.sends[bank])
	p.messages += n
	return err
}

// statement lets a bank deliver its end-of-day file.
func (p *player) statement(ctx context.Context, bank int, day deposit.Day) error {
	return p.sims[bank].SendStatement(ctx, p.client, p.base, p.keys[bank], demoBanks[bank].parent, day)
}

// night runs the nightly reconciliation of a day.
func (p *player) night(ctx context.Context, day deposit.Day) error {
	return p.app.closeDay(ctx, nightlyJob, day)
}

// look reads the report of a day.
func (p *player) look(ctx context.Context, day deposit.Day) (err error) {
	p.report, err = p.app.reconcile.Report(ctx, deposit.SightOfAll(), day)
	return err
}

// check holds the last day's report to what was planned: the demonstration shows nothing that was not found, and hides nothing.
func (p *player) check() error {
	var missed []string
	for _, want := range p.wants {
		found := slices.ContainsFunc(p.report.Findings, func(f reconcile.FindingRow) bool {
			return f.Code == want.code && (want.serial != "" && f.Serial == want.serial || want.serial == "" && f.Lot == want.lot && f.Bidder.Full() == want.bidder)
		})
		if !found {
			missed = append(missed, string(want.code)+" "+want.serial+want.lot)
		}
	}
	if missed != nil {
		return errors.New("报告缺少演示中预设的差异：" + strings.Join(missed, "、"))
	}
	return nil
}
