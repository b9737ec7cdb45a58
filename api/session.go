package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// Session is who has come in, as they are told.
type Session struct {
	ID         sqldb.ID      `json:"id"` // of the user
	Name       string        `json:"name"`
	Department string        `json:"department"`
	Roles      []Role        `json:"roles"`
	Must       []people.Must `json:"must"`   // what has to be done before anything else
	Factor     bool          `json:"factor"` // a second factor is set up
	Fresh      bool          `json:"fresh"`  // a signature may be given now
	StartedAt  time.Time     `json:"started_at"`
}

// mostSecret is how long a password, a code or a token may be, in characters.
const mostSecret = 200

func (s *server) tellSession(c *gin.Context, status int, session *people.Session) error {
	u := session.User
	c.JSON(status, Session{ID: u.ID, Name: u.Name, Department: u.Department, Roles: append([]Role{}, u.Roles...), Must: append([]people.Must{}, session.Must...),
		Factor: u.HasFactor(), Fresh: session.Fresh(s.DB.Now()), StartedAt: inShanghai(session.StartedAt)})
	return nil
}

// setCookie gives the session's cookie, or takes it with "". It lasts as long as the browser; when the session ends is the server's to say.
func setCookie(c *gin.Context, value string) {
	age := 0
	if value == "" {
		age = -1
	}
	http.SetCookie(c.Writer, &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// enters answers with the session that somebody has now, and its cookie.
func (s *server) enters(c *gin.Context, status int, cookie string, session *people.Session) error {
	setCookie(c, cookie)
	return s.tellSession(c, status, session)
}

func network(c *gin.Context) string { return people.NetworkOf(c.ClientIP()) }

// secretText is a field that is taken as it is: a blank may belong to a password.
func (f *form) secretText(name string) string {
	text, ok := f.fieldIf(name)
	if !ok || text == "" || len(text) > mostSecret*4 {
		f.fault(true, name, "field_missing", "缺少必填项或过长："+name)
	}
	return text
}

// fieldIf is a string as it is.
func (f *form) fieldIf(name string) (string, bool) {
	value, ok := f.take(name)
	text, isText := value.(string)
	return text, ok && isText
}

func (s *server) postSession(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	p := people.Proof{Name: strings.TrimSpace(f.text("name", mostSecret)), Password: f.secretText("password"), Code: f.textIf("code", mostSecret), Network: network(c)}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	cookie, session, err := s.People.Login(c.Request.Context(), p, cookieOf(c))
	if err != nil {
		return err
	}
	return s.enters(c, http.StatusCreated, cookie, session)
}

// postInvitation takes up an invitation: its person sets the password and is in.
func (s *server) postInvitation(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	token, password := f.text("token", mostSecret), f.secretText("password")
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	cookie, session, err := s.People.Accept(c.Request.Context(), token, password, network(c))
	if err != nil {
		return err
	}
	return s.enters(c, http.StatusCreated, cookie, session)
}

func (s *server) getSession(c *gin.Context) error {
	return s.tellSession(c, http.StatusOK, s.caller(c).session)
}

func (s *server) deleteSession(c *gin.Context) error {
	if err := s.People.Logout(c.Request.Context(), s.caller(c).session); err != nil {
		return err
	}
	setCookie(c, "")
	c.Status(http.StatusNoContent)
	return nil
}

// postStepUp proves the person anew: by a code, or by the password where no second factor is set up.
func (s *server) postStepUp(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	p := people.Proof{Code: f.textIf("code", mostSecret), Network: network(c)}
	p.Password, _ = f.fieldIf("password")
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	cookie, session, err := s.People.StepUp(c.Request.Context(), s.caller(c).session, p)
	if err != nil {
		return err
	}
	return s.enters(c, http.StatusOK, cookie, session)
}

func (s *server) postPassword(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	old, password := f.secretText("old"), f.secretText("password")
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	cookie, session, err := s.People.ChangePassword(c.Request.Context(), s.caller(c).session, old, password, network(c))
	if err != nil {
		return err
	}
	return s.enters(c, http.StatusOK, cookie, session)
}

// Factor is a second factor to be put into an authenticator app; it is told once.
type Factor struct {
	Secret string `json:"secret"` // base 32
	URI    string `json:"uri"`    // for a QR code
}

func (s *server) postFactor(c *gin.Context) error {
	factor, err := s.People.Enrol(c.Request.Context(), s.caller(c).session)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, Factor(factor))
	return nil
}

func (s *server) confirmFactor(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	code := f.text("code", mostSecret)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	cookie, session, err := s.People.Confirm(c.Request.Context(), s.caller(c).session, code, network(c))
	if err != nil {
		return err
	}
	return s.enters(c, http.StatusOK, cookie, session)
}
