package api

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"depositd/bank"
)

// MessagePage is some messages; Next, where there are more, is the cursor of the next page.
type MessagePage struct {
	Messages []bank.InboxRow `json:"messages"`
	Sealed   bool            `json:"sealed"` // notices are left out that came since a sealed lot was announced
	Next     string          `json:"next,omitempty"`
}

// The kinds and the outcomes of messages, with what people call them.
var (
	messageKinds    = map[string]string{bank.KindNotice: "到账通知", bank.KindStatement: "对账单", bank.KindLink: "链路测试", bank.KindResult: "退付结果"}
	messageOutcomes = map[bank.Outcome]string{bank.New: "已收", bank.Duplicate: "重复", bank.Conflicts: "矛盾", bank.Refused: "拒收"}
)

func inboxQuery(c *gin.Context) (q bank.InboxQuery, err error) {
	if err := onlyParameters(c, "bank", "kind", "outcome", "day", "limit", "cursor"); err != nil {
		return q, err
	}
	q = bank.InboxQuery{Bank: c.Query("bank"), Kind: c.Query("kind"), Outcome: bank.Outcome(c.Query("outcome")), After: c.Query("cursor")}
	if q.Kind != "" && messageKinds[q.Kind] == "" {
		return q, badParameter("kind", "kind_unknown", "kind 应为 NOTICE、STATEMENT、LINK 或 RESULT")
	}
	if q.Outcome != "" && messageOutcomes[q.Outcome] == "" {
		return q, badParameter("outcome", "outcome_unknown", "outcome 应为 NEW、DUPLICATE、CONFLICT 或 REFUSED")
	}
	if q.Day, err = dayIf(c, "day"); err != nil {
		return q, err
	}
	q.Limit, err = limit(c)
	return q, err
}

func (s *server) inbox(c *gin.Context) (p MessagePage, err error) {
	q, err := inboxQuery(c)
	if err != nil {
		return p, err
	}
	p.Messages, p.Next, p.Sealed, err = s.Reconcile.Inbox(c.Request.Context(), s.sight(c), q)
	p.Messages = append([]bank.InboxRow{}, p.Messages...)
	return p, err
}

func (s *server) getMessages(c *gin.Context) error {
	p, err := s.inbox(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, p)
	return nil
}

func (s *server) getMessage(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	v, err := s.Reconcile.Message(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, v)
	return nil
}

// messageInbox is the inbox as its page shows it.
type messageInbox struct {
	MessagePage
	Query    url.Values
	Banks    []bankChoice
	Kinds    []bankChoice
	Outcomes []bankChoice
}

func (s *server) pageMessages(c *gin.Context) error {
	p, err := s.inbox(c)
	if err != nil {
		return err
	}
	b := messageInbox{MessagePage: p, Query: c.Request.URL.Query(), Banks: s.bankChoices()}
	for _, kind := range []string{bank.KindNotice, bank.KindStatement, bank.KindResult, bank.KindLink} {
		b.Kinds = append(b.Kinds, bankChoice{kind, messageKinds[kind]})
	}
	for _, outcome := range []bank.Outcome{bank.New, bank.Duplicate, bank.Conflicts, bank.Refused} {
		b.Outcomes = append(b.Outcomes, bankChoice{string(outcome), messageOutcomes[outcome]})
	}
	return s.show(c, "messages", "", view{Title: "银行报文", Menu: "/messages", Body: b})
}

func (s *server) bankChoices() (all []bankChoice) {
	for _, one := range s.Banks.All() {
		all = append(all, bankChoice{one.Code, one.Name})
	}
	return slices.Clip(all)
}

func (s *server) pageMessage(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	v, err := s.Reconcile.Message(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	return s.show(c, "message", "", view{Title: messageKinds[v.Kind], Menu: "/messages", Body: v})
}
