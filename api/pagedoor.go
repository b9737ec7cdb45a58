package api

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/platform/people"
)

// doorPages are the ways in and out, and what a person keeps of their own.
func (s *server) doorPages() []Route {
	anybody, person := []Role{Public}, []Role{LoggedIn}
	return []Route{
		{"GET", "/login", anybody, s.pageLogin, "", 0, shortly},
		{"POST", "/login", anybody, s.login, formType, maxDoor, shortly},
		{"GET", "/invitation", anybody, s.pageInvitation, "", 0, shortly},
		{"POST", "/invitation", anybody, s.acceptInvitation, formType, maxDoor, shortly},
		{"POST", "/logout", person, s.logout, formType, maxDoor, shortly},
		{"GET", "/account", person, s.pageAccount, "", 0, shortly},
		{"POST", "/account/password", person, s.changePassword, formType, maxDoor, shortly},
		{"POST", "/account/factor", person, s.enrolFactor, formType, maxDoor, shortly},
		{"POST", "/account/factor/confirm", person, s.confirmCode, formType, maxDoor, shortly},
		{"POST", "/account/step-up", person, s.stepUp, formType, maxDoor, shortly},
	}
}

// door is a form at the door: where to go afterwards, and what was wrong the last time.
type door struct {
	Next    string
	Name    string
	Problem *Problem
}

// sendTo sends a browser elsewhere to do something first, and back afterwards.
func (s *server) sendTo(c *gin.Context, path string) {
	if c.Request.Method == http.MethodGet && !partial(c) {
		path += "?next=" + url.QueryEscape(c.Request.URL.RequestURI())
	}
	if partial(c) { // the whole page goes, not the part of it
		c.Header("HX-Redirect", path)
		c.Status(http.StatusOK)
		return
	}
	c.Redirect(http.StatusSeeOther, path)
}

// nextOf is where to go afterwards: a page of ours, whatever the address says.
func nextOf(said string) string {
	if !strings.HasPrefix(said, "/") || strings.HasPrefix(said, "//") || strings.ContainsAny(said, "\\\r\n\t") {
		return "/"
	}
	return said
}

func (s *server) pageLogin(c *gin.Context) error {
	return s.show(c, "login", "", view{Title: "登录", Body: door{Next: nextOf(c.Query("next"))}})
}

// atDoor shows a form again with what was wrong.
func (s *server) atDoor(c *gin.Context, page, title string, d door, err error) error {
	return s.showAgain(c, page, view{Title: title, Body: &d}, &d.Problem, err)
}

func (s *server) login(c *gin.Context) error {
	f, err := formOf(c)
	if err != nil {
		return err
	}
	d := door{Next: nextOf(c.PostForm("next")), Name: strings.TrimSpace(c.PostForm("name"))}
	p := people.Proof{Name: f.text("name", mostSecret), Password: c.PostForm("password"), Code: f.textIf("code", mostSecret), Network: network(c)}
	if err := f.err(); err != nil {
		return s.atDoor(c, "login", "登录", d, err)
	}
	cookie, session, err := s.People.Login(c.Request.Context(), p, cookieOf(c))
	if err != nil {
		return s.atDoor(c, "login", "登录", d, err)
	}
	setCookie(c, cookie)
	if len(session.Must) > 0 {
		return seeOther(c, "/account")
	}
	if d.Next == "/" {
		d.Next = s.entrance(Caller{Kind: Person, Roles: session.User.Roles})
	}
	return seeOther(c, d.Next)
}

// entrance is the first page that somebody may open; who may open none has an account of their own.
func (s *server) entrance(who Caller) string {
	for _, item := range s.menuOf(who) {
		return item.Path
	}
	return "/account"
}

func (s *server) pageInvitation(c *gin.Context) error {
	return s.show(c, "invitation", "", view{Title: "设置密码", Body: door{}})
}

// acceptInvitation takes up an invitation: its person sets the password and is in.
func (s *server) acceptInvitation(c *gin.Context) error {
	f, err := formOf(c)
	if err != nil {
		return err
	}
	token := f.text("token", mostSecret)
	err = f.err()
	if err == nil && c.PostForm("password") != c.PostForm("again") {
		err = passwordsDiffer()
	}
	if err != nil {
		return s.atDoor(c, "invitation", "设置密码", door{}, err)
	}
	cookie, _, err := s.People.Accept(c.Request.Context(), token, c.PostForm("password"), network(c))
	if err != nil {
		return s.atDoor(c, "invitation", "设置密码", door{}, err)
	}
	setCookie(c, cookie)
	return seeOther(c, "/account")
}

func passwordsDiffer() *Problem {
	return problem(http.StatusUnprocessableEntity, "passwords_differ", "两次输入的密码不同，请重新输入")
}

func (s *server) logout(c *gin.Context) error {
	if err := s.People.Logout(c.Request.Context(), s.caller(c).session); err != nil {
		return err
	}
	setCookie(c, "")
	return seeOther(c, "/login")
}

// account is a person's own page.
type account struct {
	Session *people.Session
	Roles   []string
	Must    map[string]bool
	Fresh   bool
	Factor  *people.Factor // to be put into an authenticator now
	Next    string
	Problem *Problem
}

func (s *server) pageAccount(c *gin.Context) error { return s.showAccount(c, nil, nil) }

func (s *server) showAccount(c *gin.Context, factor *people.Factor, failed error) error {
	session := s.caller(c).session
	a := account{Session: session, Must: map[string]bool{}, Fresh: session.Fresh(s.DB.Now()), Factor: factor, Next: nextOf(c.Query("next"))}
	for _, r := range session.User.Roles {
		a.Roles = append(a.Roles, r.Chinese())
	}
	for _, must := range session.Must {
		a.Must[string(must)] = true
	}
	return s.showAgain(c, "account", view{Title: "本人账户", Body: &a}, &a.Problem, failed)
}

func (s *server) changePassword(c *gin.Context) error {
	old, password := c.PostForm("old"), c.PostForm("password")
	if password != c.PostForm("again") {
		return s.showAccount(c, nil, passwordsDiffer())
	}
	cookie, _, err := s.People.ChangePassword(c.Request.Context(), s.caller(c).session, old, password, network(c))
	return s.proved(c, cookie, err)
}

// proved goes on with the session that somebody has now.
func (s *server) proved(c *gin.Context, cookie string, err error) error {
	if err != nil {
		return s.showAccount(c, nil, err)
	}
	setCookie(c, cookie)
	return seeOther(c, "/account")
}

func (s *server) enrolFactor(c *gin.Context) error {
	factor, err := s.People.Enrol(c.Request.Context(), s.caller(c).session)
	if err != nil {
		return s.showAccount(c, nil, err)
	}
	return s.showAccount(c, &factor, nil)
}

func (s *server) confirmCode(c *gin.Context) error {
	cookie, _, err := s.People.Confirm(c.Request.Context(), s.caller(c).session, strings.TrimSpace(c.PostForm("code")), network(c))
	return s.proved(c, cookie, err)
}

func (s *server) stepUp(c *gin.Context) error {
	if err := s.proveAnew(c); err != nil {
		return s.showAccount(c, nil, err)
	}
	return seeOther(c, "/account")
}

// proving is what a form that wants a fresh proof asks for: nothing of who has given one within the last minutes, else the code of
// their second factor, or the password where that alone is a proof.
type proving struct {
	Fresh, Factor bool
	Able          bool // can give one at all; who cannot has to set up a second factor first
}

func provingOf(who Caller, now time.Time) (p proving) {
	if session := who.session; session != nil {
		p = proving{session.Fresh(now), session.User.HasFactor(), session.Signs()}
	}
	return p
}

// proveIfStale holds a form to a fresh proof as freshly does a request: the last one, or the one that it bears.
func (s *server) proveIfStale(c *gin.Context) error {
	p := provingOf(s.caller(c), s.DB.Now())
	switch {
	case p.Fresh:
		return nil
	case !p.Able:
		return stepUpNeeded()
	}
	return s.proveAnew(c)
}

// proveAnew takes the code or the password that a form bears and gives the session's new cookie.
func (s *server) proveAnew(c *gin.Context) error {
	p := people.Proof{Code: strings.TrimSpace(c.PostForm("code")), Password: c.PostForm("password"), Network: network(c)}
	cookie, session, err := s.People.StepUp(c.Request.Context(), s.caller(c).session, p)
	if err != nil {
		return err
	}
	setCookie(c, cookie)
	who := s.caller(c)
	who.session = session
	c.Set(callerKey, who)
	return nil
}
