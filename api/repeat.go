package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/api/once"
	"depositd/platform/people"
)

const idempotencyKey = "Idempotency-Key"

// keyForm is what a key may be: a UUID, or whatever else is unlikely to be chosen twice; with or without the quotes of a
// structured header.
var keyForm = regexp.MustCompile(`^(?:"([A-Za-z0-9._:-]{16,64})"|([A-Za-z0-9._:-]{16,64}))$`)

// onlyOnce says whether a route's requests bear an Idempotency-Key: each POST of a person does. A machine's repeats are
// known by what they say – a bank's message by its signed id, the platform's lots, bids and events by their numbers –
// whoever is nobody yet cannot have sent anything before, what a person does about their own session may be done again, and a
// page's form bears the version that it shows.
func (r *Route) onlyOnce() bool {
	known := slices.Concat([]Role{Public, BankPeer, LoggedIn}, people.Scopes)
	return r.Method == http.MethodPost && strings.HasPrefix(r.Path, "/v1/") && !slices.ContainsFunc(r.Roles, func(role Role) bool { return slices.Contains(known, role) })
}

// answerOnce runs a handler whose request must not take effect twice. Its answer goes out when it is kept.
func (s *server) answerOnce(c *gin.Context, r Route) error {
	asked, err := s.keyed(c, r)
	if err != nil {
		return err
	}
	ticket, before, err := s.once.Begin(c.Request.Context(), asked)
	if err != nil {
		return err
	}
	if before != nil {
		c.Header("Idempotency-Replayed", "true")
		for name, value := range before.Header {
			c.Header(name, value)
		}
		c.Data(before.Status, before.Header["Content-Type"], before.Body)
		return nil
	}
	held := &heldAnswer{ResponseWriter: c.Writer, status: http.StatusOK}
	c.Writer = held
	done := false
	defer func() { // also when the handler panics
		c.Writer = held.ResponseWriter
		if !done {
			s.settle(c, func(ctx context.Context) error { return s.once.Release(ctx, ticket) })
		}
	}()
	if err := r.Handle(c); err != nil || held.status >= http.StatusMultipleChoices {
		if err == nil {
			held.send()
		}
		return err
	}
	done = true
	s.settle(c, func(ctx context.Context) error { return s.once.Finish(ctx, ticket, held.answer()) })
	held.send()
	return nil
}

// settle writes down what became of a request. The answer does not depend on it: where it fails, the key is held for the
// request's time and the same request may be sent again then.
func (s *server) settle(c *gin.Context, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), keepTime)
	defer cancel()
	if err := write(ctx); err != nil {
		s.Log.Warn("the answer is not kept", "request", c.GetString(requestID), "cause", err)
	}
}

// keyed reads the key and takes the fingerprint of all that the request says.
func (s *server) keyed(c *gin.Context, r Route) (once.Request, error) {
	said := c.Request.Header.Values(idempotencyKey)
	if len(said) == 0 {
		return once.Request{}, problem(http.StatusBadRequest, "idempotency_key_missing", "请在 Idempotency-Key 请求头中写一个不重复的值（如 UUID）；重发同一请求时用同一个值")
	}
	found := keyForm.FindStringSubmatch(said[0])
	if len(said) > 1 || found == nil {
		return once.Request{}, problem(http.StatusBadRequest, "idempotency_key_malformed", "Idempotency-Key 应为 16 到 64 个字母、数字或 . _ : -")
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return once.Request{}, err
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	digest := sha256.New()
	for _, part := range [][]byte{[]byte(r.Method), []byte(c.Request.URL.RequestURI()), []byte(c.GetHeader("If-Match")), []byte(c.GetHeader("Content-Type")), body} {
		_, _ = io.WriteString(digest, strconv.Itoa(len(part))+":") // a hash never fails
		_, _ = digest.Write(part)
	}
	return once.Request{Caller: author(c), Key: found[1] + found[2], Says: digest.Sum(nil), Within: r.Within}, nil
}

// heldAnswer holds an answer back until it is kept.
type heldAnswer struct {
	gin.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int)               { h.status = status }
func (h *heldAnswer) WriteHeaderNow()                      {}
func (h *heldAnswer) Write(b []byte) (int, error)          { return h.body.Write(b) }
func (h *heldAnswer) WriteString(text string) (int, error) { return h.body.WriteString(text) }
func (h *heldAnswer) Status() int                          { return h.status }
func (h *heldAnswer) Size() int                            { return h.body.Len() }
func (h *heldAnswer) Written() bool                        { return h.body.Len() > 0 }
func (h *heldAnswer) Flush()                               {}

// Unwrap gives the connection to http.ResponseController.
func (h *heldAnswer) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *heldAnswer) answer() once.Answer {
	a := once.Answer{Status: h.status, Header: map[string]string{}, Body: h.body.Bytes()}
	for _, name := range []string{"Content-Type", "Content-Disposition", "Etag", "Location"} {
		if value := h.Header().Get(name); value != "" {
			a.Header[name] = strings.ToValidUTF8(value, "")
		}
	}
	if a.Body == nil {
		a.Body = []byte{}
	}
	return a
}

func (h *heldAnswer) send() {
	h.ResponseWriter.WriteHeader(h.status)
	h.ResponseWriter.WriteHeaderNow()             // of an answer without a body too
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // a caller who is gone asks again
}
