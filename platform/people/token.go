package people

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Token lets a machine in, within its scopes.
type Token struct {
	ID      sqldb.ID
	Name    string
	Scopes  []Role
	MadeAt  time.Time
	State   string
	Version int64

	hash, scopes string
}

// Revoked is the last state of a token; the first is Active.
const Revoked = "REVOKED"

// TokenMoves is how a token's state changes; whoever needs one again gets another.
var TokenMoves = deposit.Machine{Active: {"revoke": Revoked}, Revoked: {}}

// tokenMark begins every token, so that one that lies about is recognised.
const tokenMark = "depositd_"

var tokens = sqldb.NewTable("tokens", "id, name, hash, scopes, made_at, state, version", func(t *Token) []any {
	return []any{&t.ID, &t.Name, &t.hash, &t.scopes, sqldb.Wall(&t.MadeAt), &t.State, &t.Version}
})

var tokenName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,58}$`)

// AddToken makes a token; its text is told once.
func (d *Desk) AddToken(ctx context.Context, by, name string, scopes []Role) (text string, t Token, err error) {
	if !tokenName.MatchString(name) {
		return "", t, deposit.Refuse(deposit.Invalid, "token_malformed", "令牌名称应为小写字母开头的小写字母、数字和连字符，最多 59 个")
	}
	if err := checkRoles(scopes, Scopes, ""); err != nil {
		return "", t, err
	}
	if len(scopes) == 0 {
		return "", t, deposit.Refuse(deposit.Invalid, "role_missing", "请写明令牌的用途：", Join(Scopes))
	}
	text, _ = secret()
	text = tokenMark + text
	t = Token{Name: name, Scopes: scopes, State: Active, Version: 1, hash: hashOf(text), scopes: Join(scopes)}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM tokens WHERE name = ?", name)
		if err != nil {
			return err
		}
		if there > 0 {
			return deposit.Refuse(deposit.Conflict, "token_exists", "已有同名令牌；名称不能再用，请另取一个")
		}
		t.ID, t.MadeAt = tx.NewID(), tx.Now
		if err := tokens.Insert(ctx, tx, t); err != nil {
			return err
		}
		return tx.Note(ctx, "tokens", t.ID, "ADDED", t.scopes)
	})
	return text, t, err
}

// RevokeToken ends a token; it holds from the next request on.
func (d *Desk) RevokeToken(ctx context.Context, by, name string) error {
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		t, err := tokens.One(ctx, tx, "WHERE name = ?", name)
		if err != nil {
			return known(err, "token_unknown", "没有这个令牌")
		}
		next, err := TokenMoves.Next(t.State, "revoke")
		if err != nil {
			return err
		}
		return tx.Move(ctx, sqldb.Move{Table: "tokens", ID: t.ID, Version: t.Version, From: t.State, To: next})
	})
}

// Tokens are all of them by name, without what they open with.
func (d *Desk) Tokens(ctx context.Context) ([]Token, error) {
	all, err := tokens.All(ctx, d.db, "ORDER BY name")
	for i := range all {
		all[i].Scopes = Split(all[i].scopes)
	}
	return all, err
}

// Machine is the token of a request; Stranger where it is none, or no longer.
func (d *Desk) Machine(ctx context.Context, text string) (Token, error) {
	if !strings.HasPrefix(text, tokenMark) {
		return Token{}, Stranger()
	}
	t, err := tokens.One(ctx, d.db, "WHERE hash = ?", hashOf(text))
	if err != nil {
		return Token{}, strange(err)
	}
	t.Scopes = slices.DeleteFunc(Split(t.scopes), func(r Role) bool { return !slices.Contains(Scopes, r) })
	if t.State != Active {
		return Token{}, Stranger()
	}
	return t, nil
}
