package main

import (
	"context"
	"fmt"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/webhook"
)

type webhookCmd struct {
	List   webhookListCmd   `cmd:"" help:"外发通知的接收方与发送情况，新的在前"`
	Resend webhookResendCmd `cmd:"" help:"重新发送：指定编号，或全部未送达的（--dead）；内容与 webhook-id 不变"`
	Test   webhookTestCmd   `cmd:"" help:"向一个接收方立即试发一条测试通知，不入队"`
}

type webhookListCmd struct {
	State    string `enum:",waiting,delivered,dead" default:"" placeholder:"waiting|delivered|dead" help:"只列这一状态"`
	Endpoint string `placeholder:"NAME" help:"只列这一接收方"`
	Number   string `placeholder:"YJ-2026-0007" help:"只列这一应急事件"`
	Limit    int    `default:"50" placeholder:"N" help:"最多列多少条"`
	JSON     bool   `name:"json" help:"以 JSON 打印"`
}

// delivered is a delivery as it is printed.
type delivered struct {
	ID       sqldb.ID        `json:"id"`
	Endpoint string          `json:"endpoint"`
	Number   string          `json:"number"`
	Event    string          `json:"event"`
	State    webhook.State   `json:"state"`
	Attempts int             `json:"attempts"`
	Answer   int             `json:"answer"`
	Failure  webhook.Failure `json:"failure"`
	MadeAt   string          `json:"made_at"`
	DueAt    string          `json:"due_at"`
}

// Run prints who is told, and how it fared.
func (l *webhookListCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		page, _, err := a.webhook.Page(ctx, webhook.Query{State: webhook.State(strings.ToUpper(l.State)), Endpoint: l.Endpoint, Number: l.Number, Limit: max(l.Limit, 1)})
		if err != nil {
			return err
		}
		all := []delivered{}
		for _, x := range page {
			all = append(all, delivered{x.ID, x.Endpoint, x.Number, x.Event, x.State, x.Attempts, x.Answer, x.Failure, deposit.Wall(x.MadeAt), deposit.Wall(x.DueAt)})
		}
		if l.JSON {
			return printJSON(c.stdout, map[string]any{"deliveries": all})
		}
		var text strings.Builder
		for _, e := range a.webhook.Settings().Endpoints {
			fmt.Fprintf(&text, "接收方 %s  %s  密钥 %d 把\n", e.Name, e.URL, len(e.Secrets()))
		}
		if len(a.webhook.Settings().Endpoints) == 0 {
			text.WriteString("没有设置接收方（--webhooks）\n")
		}
		var t table
		t.add("编号", "接收方", "应急事件", "事项", "状态", "次数", "说明", "登记于", "下次发送")
		for _, x := range all {
			t.add(x.ID.String(), x.Endpoint, x.Number, x.Event, x.State.Chinese(), fmt.Sprint(x.Attempts), said(x), x.MadeAt, nextTry(x))
		}
		if len(all) > 0 {
			text.WriteString("\n")
			t.write(&text, "  ", 5)
		}
		_, err = fmt.Fprint(c.stdout, text.String())
		return err
	})
}

func said(x delivered) string {
	text := x.Failure.Chinese()
	if x.Answer != 0 {
		text = strings.TrimSpace(fmt.Sprintf("%s %d", text, x.Answer))
	}
	return text
}

func nextTry(x delivered) string {
	if x.State != webhook.Waiting {
		return ""
	}
	return x.DueAt
}

type webhookResendCmd struct {
	ID   []string `arg:"" optional:"" placeholder:"ID" help:"外发通知的编号"`
	Dead bool     `help:"全部未送达的"`
}

// Run has deliveries sent again by the server.
func (r *webhookResendCmd) Run(ctx context.Context, c *call) error {
	if (len(r.ID) == 0) == !r.Dead {
		return usageError{fmt.Errorf("请写明编号，或用 --dead 重发全部未送达的，二者选一")}
	}
	return c.use(ctx, asIs, func(a *app) error {
		var all []webhook.Delivery
		for _, text := range r.ID {
			id, err := sqldb.ParseID(text)
			if err != nil {
				return usageError{err}
			}
			x, err := webhook.ByID(ctx, a.db, id)
			if err != nil {
				return err
			}
			all = append(all, x)
		}
		for more := r.Dead; more; {
			page, rest, err := a.webhook.Page(ctx, webhook.Query{State: webhook.Dead, Limit: 200, Before: lastOf(all)})
			if err != nil {
				return err
			}
			all, more = append(all, page...), rest
		}
		for _, x := range all {
			if _, err := a.webhook.Resend(ctx, c.author(), x.ID, x.Version); err != nil {
				return fmt.Errorf("%s：%w", x.ID, err)
			}
		}
		fmt.Fprintf(c.stdout, "%d 条将由服务重新发送\n", len(all))
		return nil
	})
}

func lastOf(all []webhook.Delivery) sqldb.ID {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].ID
}

type webhookTestCmd struct {
	Endpoint string `arg:"" placeholder:"NAME" help:"接收方"`
}

// Run sends a test notice at once; exit code 1 when it is not taken.
func (t *webhookTestCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		e := a.webhook.Settings().Endpoint(t.Endpoint)
		if e == nil {
			return usageError{fmt.Errorf("没有名为“%s”的接收方，见 depositd webhook list", t.Endpoint)}
		}
		client := newHookClient()
		defer client.CloseIdleConnections()
		o := postHook(ctx, client, e, "msg_"+sqldb.NewID().String(), a.db.Now(), webhook.Test(a.db.Now()))
		if o.Failure != "" {
			return fmt.Errorf("%s 没有接收：%s", e.Name, said(delivered{Failure: o.Failure, Answer: o.Answer}))
		}
		fmt.Fprintf(c.stdout, "%s 已接收（%d）\n", e.Name, o.Answer)
		return nil
	})
}
