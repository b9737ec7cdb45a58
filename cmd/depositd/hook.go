package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"depositd/bank"
	"depositd/platform/webhook"
)

// Notices to other systems go out when something changed, and every few seconds for those whose turn comes by the schedule.
const (
	webhooksJob = "webhooks"
	tellEvery   = 5 * time.Second
)

// How long a receiver may take, and how much of its answer is read: nothing of it is kept.
const (
	hookDial   = 5 * time.Second
	hookTime   = 15 * time.Second
	hookAnswer = 4 << 10
)

// wakeTheHooks says that something may wait to be told. It never waits.
func (a *app) wakeTheHooks() { wake(a.wakeHooks) }

// tellAlways sends what is due whenever it is woken and every few seconds. A failure is logged and tried again.
func (a *app) tellAlways(ctx context.Context, jobs *jobMetrics) {
	if len(a.webhook.Settings().Endpoints) == 0 {
		return
	}
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	client := newHookClient()
	defer client.CloseIdleConnections()
	for {
		err := a.tell(ctx, client)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errHeld): // another replica tells
		case err != nil:
			jobs.failed(webhooksJob)
			a.log.Warn("telling by webhook failed; it will be tried again", "error", err)
		default:
			jobs.succeeded(webhooksJob, a.db.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wakeHooks:
		case <-tick.C:
		}
	}
}

// tell sends what is due, each endpoint's in its order; one replica does so at a time. An endpoint that does not take one is left alone until the next
// round, so that it holds no other up for longer than its one answer takes.
func (a *app) tell(ctx context.Context, client *http.Client) error {
	due, err := a.webhook.Due(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	return a.holding(ctx, webhooksJob, "", func(ctx context.Context) error {
		if due, err = a.webhook.Due(ctx); err != nil { // another replica may have sent some
			return err
		}
		failed := map[string]bool{}
		for _, x := range due {
			if failed[x.Endpoint] {
				continue
			}
			o := a.deliver(ctx, client, &x)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed[x.Endpoint] = o.Failure != ""
			state, err := a.webhook.Tried(ctx, webhooksJob, x, o, rand.Float64()) //nolint:gosec // spreads retries, no secret hangs on it
			if err != nil {
				return err
			}
			if state == webhook.Dead {
				a.log.Error("a webhook was given up: depositd webhook list --state dead", "endpoint", x.Endpoint, "id", x.ID, "failure", o.Failure, "answer", o.Answer)
			}
		}
		return nil
	})
}

func (a *app) deliver(ctx context.Context, client *http.Client, x *webhook.Delivery) webhook.Outcome {
	e := a.webhook.Settings().Endpoint(x.Endpoint)
	if e == nil {
		return webhook.Outcome{Failure: webhook.Unknown}
	}
	return postHook(ctx, client, e, x.MessageID(), a.db.Now(), x.Body)
}

// newHookClient follows no redirect and keeps no cookie; it goes by the proxy of the environment, as centres without a way out of
// their own need it.
func newHookClient() *http.Client {
	return &http.Client{
		Timeout:       hookTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: hookDial}).DialContext, TLSHandshakeTimeout: hookDial,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: hookAnswer},
	}
}

// postHook sends one notice, signed with every key of the endpoint (Standard Webhooks 1.0.0), and says how it fared.
func postHook(ctx context.Context, client *http.Client, e *webhook.Endpoint, id string, now time.Time, body []byte) (o webhook.Outcome) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return webhook.Outcome{Failure: webhook.Unreachable}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "depositd/"+versionName())
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("webhook-signature", signatures(e, id, now, body))
	response, err := client.Do(request)
	if err != nil {
		return webhook.Outcome{Failure: notAnswered(err)}
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, hookAnswer)
	o.Answer = response.StatusCode
	switch o.Answer / 100 {
	case 2:
	case 3:
		o.Failure = webhook.Redirected
	default:
		o.Failure, o.Gone, o.Wait = webhook.Refused, o.Answer == http.StatusGone, retryAfter(response.Header.Get("Retry-After"), now)
	}
	return o
}

// signatures are those of all keys, so that a receiver that still has the old one, or already the new, believes the notice.
func signatures(e *webhook.Endpoint, id string, now time.Time, body []byte) string {
	var all []string
	for _, key := range e.Secrets() {
		all = append(all, bank.SignWebhook(key, id, now, body))
	}
	return strings.Join(all, " ")
}

// notAnswered tells a receiver that could not be dialled from one that was and gave no answer.
func notAnswered(err error) webhook.Failure {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return webhook.Unreachable
	}
	return webhook.NoAnswer
}

// retryAfter is how long a receiver asks to be left alone: seconds, or a time.
func retryAfter(said string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(said); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(said); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
