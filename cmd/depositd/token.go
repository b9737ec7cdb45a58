package main

import (
	"context"
	"fmt"

	"depositd/platform/deposit"
	"depositd/platform/people"
)

type tokenCmd struct {
	Add    tokenAddCmd    `cmd:"" help:"增加令牌并打印；只打印这一次"`
	Revoke tokenRevokeCmd `cmd:"" help:"吊销令牌，立即生效"`
	List   tokenListCmd   `cmd:"" help:"列出令牌（不含其内容）"`
}

type tokenAddCmd struct {
	Name  string   `arg:"" help:"名称，将出现在审计记录中"`
	Scope []string `required:"" help:"用途，可重复：${token_scopes}"`
}

// Run prints the token alone, so that it can be piped into the file of whoever uses it.
func (t *tokenAddCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		text, _, err := desk.AddToken(ctx, c.author(), t.Name, rolesOf(t.Scope))
		if err == nil {
			fmt.Fprintln(c.stdout, text)
		}
		return err
	})
}

type tokenRevokeCmd struct {
	Name string `arg:"" help:"名称"`
}

// Run revokes a token.
func (t *tokenRevokeCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		err := desk.RevokeToken(ctx, c.author(), t.Name)
		if err == nil {
			fmt.Fprintf(c.stdout, "%s：已吊销\n", t.Name)
		}
		return err
	})
}

type tokenListCmd struct{}

// Run lists the tokens.
func (*tokenListCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		all, err := desk.Tokens(ctx)
		if err != nil {
			return err
		}
		var rows table
		rows.add("名称", "用途", "建立于", "状态")
		for _, t := range all {
			rows.add(t.Name, rolesText(t.Scopes), deposit.Wall(t.MadeAt), people.StateName[t.State])
		}
		return rows.print(c)
	})
}
