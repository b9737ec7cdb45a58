package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/platform/deposit"
	"depositd/platform/people"
)

// cookieName is the session's cookie. By its prefix a browser takes it only with Secure and Path=/ and without Domain, so that
// no other host can plant one (RFC 6265bis §4.1.3.2); browsers take Secure cookies from loopback without TLS too.
const cookieName = "__Host-sid"

// admit finds out who calls and holds them to the route's roles. It tells nobody without the role whether there is what the
// path names, since it looks at the role alone.
func (s *server) admit(c *gin.Context, r *Route) error {
	if slices.Contains(r.Roles, Public) || len(r.Roles) == 1 && r.Roles[0] == BankPeer {
		return nil
	}
	who, err := s.identify(c)
	if deposit.IsKind(err, deposit.Denied) {
		return s.stranger(c)
	}
	if err != nil {
		return err
	}
	c.Set(callerKey, who)
	switch {
	case who.Kind == Nobody && slices.Contains(r.Roles, BankPeer): // its handler holds it to the bank's seal
		return nil
	case who.Kind == Nobody:
		return s.stranger(c)
	case who.Kind == Person && slices.Contains(r.Roles, LoggedIn):
		return nil
	case !who.Has(r.Roles...):
		return roleMissing(r.Roles)
	case len(who.must()) > 0:
		return problem(http.StatusForbidden, "setup_needed", setupText(who.must()[0]))
	}
	return nil
}

// stranger is the answer to nobody.
func (s *server) stranger(c *gin.Context) error {
	c.Header("WWW-Authenticate", "Bearer")
	return people.Stranger()
}

// identify reads a token or a session's cookie; one that is there and does not hold is no way to be nobody.
func (s *server) identify(c *gin.Context) (Caller, error) {
	if said := c.GetHeader("Authorization"); said != "" {
		text, ok := strings.CutPrefix(said, "Bearer ")
		if !ok {
			return Caller{}, people.Stranger()
		}
		token, err := s.People.Machine(c.Request.Context(), text)
		if err != nil {
			return Caller{}, err
		}
		return Caller{Kind: Machine, ID: token.ID, Name: "token:" + token.Name, Roles: token.Scopes}, nil
	}
	cookie := cookieOf(c)
	if cookie == "" {
		return Caller{}, nil
	}
	session, err := s.People.Who(c.Request.Context(), cookie)
	if err != nil {
		return Caller{}, err
	}
	return Caller{Kind: Person, ID: session.User.ID, Name: session.User.Name, Department: session.User.Department, Roles: session.User.Roles, session: session}, nil
}

// cookieOf is the session's cookie of a request, "" where there is none or more than one.
func cookieOf(c *gin.Context) string {
	if all := c.Request.CookiesNamed(cookieName); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

func roleMissing(roles []Role) *Problem {
	return problem(http.StatusForbidden, "role_missing", "您的角色不能进行此操作；需要的角色："+rolesInChinese(roles))
}

func rolesInChinese(roles []Role) string {
	var names []string
	for _, r := range roles {
		if name := r.Chinese(); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, "、")
}

func setupText(must people.Must) string {
	if must == people.SetPassword {
		return "密码已过期，请先修改密码（POST /v1/session/password）"
	}
	return "您的角色须使用动态口令，请先启用（POST /v1/session/factor）"
}

func stepUpNeeded() *Problem {
	return problem(http.StatusForbidden, "step_up_needed", "此操作须再次验证身份：请输入新的动态口令（POST /v1/session/step-up）后重试；尚未启用动态口令的请先启用")
}

// freshly holds a signature – a release, an opening – and a reveal to a proof by second factor that its person gave within the last minutes
// (ASVS 5, 7.5.3): whoever finds a session open cannot sign with it, nor read what is masked.
func (s *server) freshly(handle func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if !provingOf(s.caller(c), s.DB.Now()).Fresh {
			return stepUpNeeded()
		}
		return handle(c)
	}
}
