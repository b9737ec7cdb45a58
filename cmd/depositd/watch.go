package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/reconcile"
	"depositd/refund"
)

// The watch goes its rounds every minute; what is judged, tended, paid or closed wakes it sooner, but not more often than a
// round may take. What is overdue changes with the day.
const (
	watchJob     = "watch"
	watchEvery   = time.Minute
	watchPause   = 10 * time.Second
	overdueEvery = time.Hour
)

// wakeTheWatch says that there may be something to see. It never waits.
func (a *app) wakeTheWatch() { wake(a.wakeWatch) }

// watchAlways looks for troubles whenever it is woken and every minute. A failure is logged and tried again.
func (a *app) watchAlways(ctx context.Context, jobs *jobMetrics) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		_, opened, err := a.watch(ctx, watchJob)
		switch {
		case ctx.Err() != nil, errors.Is(err, errHeld):
		case err != nil:
			jobs.failed(watchJob)
			a.log.Warn("looking for troubles failed; it will be tried again", "error", err)
		default:
			jobs.succeeded(watchJob, a.db.Now())
		}
		for i := range opened {
			a.log.Warn("incident opened", "number", opened[i].Name(), "scenario", opened[i].Scenario, "code", opened[i].Code, "bank", opened[i].Bank)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchPause):
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wakeWatch:
		case <-tick.C:
		}
	}
}

// watch goes one round, on one of the replicas: it looks, and keeps incidents of what it sees.
func (a *app) watch(ctx context.Context, by string) (signs []incident.Sign, opened []incident.Incident, err error) {
	err = a.holding(ctx, watchJob, "", func(ctx context.Context) error {
		signs, opened = nil, nil
		var failed []error
		for _, look := range a.lookouts(by) {
			if look.every > 0 && a.db.Now().Sub(a.looked) < look.every {
				continue
			}
			seen, err := look.see(ctx)
			if err != nil { // what it saw may not be all there is
				failed = append(failed, err)
				continue
			}
			fresh, err := a.incident.Survey(ctx, by, look.codes, seen)
			signs, opened, failed = append(signs, seen...), append(opened, fresh...), append(failed, err)
			if look.every > 0 {
				a.looked = a.db.Now()
			}
		}
		return errors.Join(failed...)
	})
	return signs, opened, err
}

// lookout is a detector, and the codes of which it sees everything there is.
type lookout struct {
	codes []string
	every time.Duration // at most so often; 0: each round
	see   func(context.Context) ([]incident.Sign, error)
}

func (a *app) lookouts(by string) []lookout {
	return []lookout{
		{reconcile.WatchedCodes(), 0, func(ctx context.Context) ([]incident.Sign, error) {
			off, err := a.clockOff(ctx)
			if err != nil {
				return nil, err
			}
			return a.keeper.Watch(ctx, by, off)
		}},
		{refund.WatchedCodes(), 0, a.refund.Watch},
		{refund.OverdueCodes(), overdueEvery, a.refund.WatchOverdue},
	}
}

// clockOff is how far the database's clock is ahead of this machine's, by which an hour's signatures are held to their time.
func (a *app) clockOff(ctx context.Context) (time.Duration, error) {
	there, err := a.db.Clock(ctx)
	return time.Until(there), err
}

// beatAlways gives signs of life until ctx ends, and then the last one. What it finds was a time in which nobody heard the
// banks: the watch asks them.
func (a *app) beatAlways(ctx context.Context) {
	tick := time.NewTicker(reconcile.BeatEvery)
	defer tick.Stop()
	failed := false
	for {
		found, err := reconcile.Beat(ctx, a.db, watchJob, failed, false)
		failed = err != nil
		switch {
		case ctx.Err() != nil:
		case err != nil:
			a.log.Warn("the sign of life is not noted", "error", err)
		case found != nil:
			a.log.Warn("the service was deaf", "from", deposit.Wall(found.Began), "to", deposit.Wall(found.Ended), "cause", string(found.Cause))
			a.wakeTheWatch()
		}
		select {
		case <-ctx.Done():
			a.beatLast(context.WithoutCancel(ctx), failed)
			return
		case <-tick.C:
		}
	}
}

// beatLast notes that the service stops because it was told to.
func (a *app) beatLast(ctx context.Context, failed bool) {
	ctx, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	if _, err := reconcile.Beat(ctx, a.db, watchJob, failed, true); err != nil {
		a.log.Warn("the stop is not noted", "error", err)
	}
}

type watchCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// seen is a sign as it is printed as JSON.
type seen struct {
	Scenario string          `json:"scenario"`
	Branch   string          `json:"branch"`
	Code     string          `json:"code"`
	Subject  string          `json:"subject"`
	Incident string          `json:"incident"`
	Title    string          `json:"title"`
	Detail   string          `json:"detail"`
	Since    string          `json:"since,omitempty"`
	Fault    *incident.Fault `json:"fault,omitempty"`
	Evidence []seenEvidence  `json:"evidence"`
}

type seenEvidence struct {
	Step string `json:"step"`
	Text string `json:"text"`
}

// Run goes one round now, as the service does by itself every minute, and prints what it sees; exit code 3 when there is
// something, 4 when another process is looking.
func (w *watchCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		signs, _, err := a.watch(ctx, c.author())
		if errors.Is(err, errHeld) {
			return err
		}
		all, described := a.describe(ctx, signs)
		if w.JSON {
			err = errors.Join(err, described, printJSON(c.stdout, map[string]any{"signs": all}))
		} else {
			_, printed := io.WriteString(c.stdout, watchText(all))
			err = errors.Join(err, described, printed)
		}
		if err == nil && len(all) > 0 {
			return errMismatches
		}
		return err
	})
}

// describe puts the number of its incident beside each sign.
func (a *app) describe(ctx context.Context, signs []incident.Sign) ([]seen, error) {
	all := make([]seen, len(signs))
	for i := range signs {
		s := &signs[i]
		of, err := incident.Latest(ctx, a.db, s.Key())
		if err != nil {
			return nil, err
		}
		all[i] = seen{Scenario: s.Scenario, Branch: s.Branch, Code: s.Code, Subject: s.Subject, Incident: of.Name(), Title: s.Title, Detail: s.Detail, Fault: s.Fault, Evidence: []seenEvidence{}}
		if !s.Since.IsZero() {
			all[i].Since = deposit.Wall(s.Since)
		}
		for _, e := range s.Evidence {
			all[i].Evidence = append(all[i].Evidence, seenEvidence{e.Step, e.Text})
		}
	}
	return all, nil
}

func watchText(all []seen) string {
	var b strings.Builder
	fmt.Fprintf(&b, "发现的故障（%d 项）\n", len(all))
	if len(all) == 0 {
		b.WriteString("\n  （没有）\n")
	}
	for i := range all {
		s := &all[i]
		fmt.Fprintf(&b, "\n%d. %s %s  %s（%s）\n   %s\n", i+1, s.Incident, s.Title, s.Scenario, s.Code, s.Detail)
		if s.Since != "" {
			fmt.Fprintf(&b, "   自 %s\n", s.Since)
		}
		if f := s.Fault; f != nil {
			fmt.Fprintf(&b, "   故障所在：%s\n", f.Side.Chinese())
			for _, fact := range f.For {
				fmt.Fprintf(&b, "     支持：%s\n", fact)
			}
			for _, fact := range f.Against {
				fmt.Fprintf(&b, "     反对：%s\n", fact)
			}
		}
		for _, e := range s.Evidence {
			fmt.Fprintf(&b, "   步骤 %s\n     %s\n", e.Step, strings.ReplaceAll(e.Text, "\n", "\n     "))
		}
	}
	return b.String()
}
