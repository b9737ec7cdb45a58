package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"depositd/platform/people"
)

// demoPassword opens every account of the demonstration. Its clock is not an authenticator's, so that a password is all that is
// asked for; nobody but this machine reaches it, and nothing in it is true.
const demoPassword = "Yanshi-2026-Baozheng" //nolint:gosec // printed for everybody who looks on

// demoPeople are who works at the centre of the demonstration.
var demoPeople = []struct {
	name       string
	department int // of departments; -1: none
	roles      []people.Role
}{
	{"周敏", -1, []people.Role{people.FinanceMaker}},
	{"吴刚", -1, []people.Role{people.FinanceChecker}},
	{"郑宏", -1, []people.Role{people.Leader}},
	{"孙洁", 0, []people.Role{people.Department}},
	{"钱诚", -1, []people.Role{people.Auditor}},
	{"冯远", -1, []people.Role{people.SystemAdmin}},
	{"韩静", -1, []people.Role{people.SecurityAdmin}},
	{"何磊", -1, []people.Role{people.ITOperator, people.Head}},
	{"石坚", -1, []people.Role{people.Leader}},
}

// letIn makes the accounts, and the token with which the trading platform and the banks' files come in.
func (p *player) letIn(ctx context.Context, a *app) error {
	a.config.doors.PasswordAlone = true
	if err := a.letIn(); err != nil {
		return err
	}
	for i := range departments {
		if err := a.people.AddDepartment(ctx, "demo", departments[i].name); err != nil {
			return err
		}
	}
	for i, who := range demoPeople {
		order := people.Order{Name: who.name, Staff: fmt.Sprintf("YS%03d", i+1), Roles: who.roles}
		if who.department >= 0 {
			order.Department = departments[who.department].name
		}
		u, invitation, err := a.people.Add(ctx, "demo", order)
		if err != nil {
			return err
		}
		if _, err := a.people.Grant(ctx, "demo-second", u.ID, u.Version); err != nil {
			return err
		}
		if _, _, err := a.people.Accept(ctx, invitation, demoPassword, people.NetworkOf("127.0.0.1")); err != nil {
			return err
		}
	}
	token, _, err := a.people.AddToken(ctx, "demo", "demo", people.Scopes)
	p.client = &http.Client{Transport: bearer(token)}
	return err
}

// bearer shows a token with every request.
type bearer string

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	shown := request.Clone(request.Context())
	shown.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(shown)
}

// demoLogins lists who can log in.
func demoLogins() string {
	var b strings.Builder
	for _, who := range demoPeople {
		line := "  " + who.name + "（" + rolesText(who.roles)
		if who.department >= 0 {
			line += "，" + departments[who.department].name
		}
		b.WriteString(line + "）\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
