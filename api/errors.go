package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/people"
)

// Problem is every error's answer, RFC 9457 application/problem+json. Machines look at Code, which is stable; people read
// Detail, which is Chinese and says what to do.
type Problem struct { //nolint:errname // RFC 9457's own word
	Type     string  `json:"type"` // always about:blank: Code says what a type's address would
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Code     string  `json:"code"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"` // the request's id, to be named in questions to the IT department
	Errors   []Fault `json:"errors,omitempty"`

	retryAfter time.Duration
}

// Fault is one of the things wrong with a request: where it stands in the JSON body, or the query's parameter.
type Fault struct {
	Pointer   string `json:"pointer,omitempty"` // RFC 6901
	Parameter string `json:"parameter,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
}

// Error is the code, for logs.
func (p *Problem) Error() string { return p.Code }

func problem(status int, code, detail string, faults ...Fault) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults}
}

// statusGone is what is logged when the asker hung up before the answer; nobody reads it.
const statusGone = 499

// retryAfter is when a caller may try again after a short outage: a database that restarts needs some seconds.
const retryAfter = 5 * time.Second

const changedMeanwhile = "已被他人修改，请刷新后重试"

// statuses maps the kinds of refusal to HTTP. It is the only place that does.
var statuses = map[deposit.Kind]int{
	deposit.Internal:    http.StatusInternalServerError,
	deposit.Invalid:     http.StatusUnprocessableEntity,
	deposit.Denied:      http.StatusForbidden,
	deposit.NotFound:    http.StatusNotFound,
	deposit.Conflict:    http.StatusConflict,
	deposit.Unavailable: http.StatusServiceUnavailable,
}

// codeStatuses are the codes for which HTTP has a word of its own.
var codeStatuses = map[string]int{
	"unauthenticated":   http.StatusUnauthorized, // all that a stranger learns: the reason is for our records alone
	"login_refused":     http.StatusUnauthorized,
	"message_too_large": http.StatusRequestEntityTooLarge,
	"cursor_malformed":  http.StatusBadRequest,
	"batch_changed":     http.StatusPreconditionFailed, // its version or digest is not the one that was seen
	"reveals_spent":     http.StatusTooManyRequests,
}

// problemOf says what an error means to the asker.
func problemOf(err error) *Problem {
	var made *Problem
	var large *http.MaxBytesError
	var refusal *deposit.Refusal
	var shut *people.Shut
	switch {
	case errors.As(err, &made):
		return made
	case errors.As(err, &shut):
		return tooManyTries(shut.For)
	case errors.As(err, &large):
		return problem(http.StatusRequestEntityTooLarge, "body_too_large", "请求内容超过 "+strconv.FormatInt(large.Limit, 10)+" 字节的上限，请分批发送")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, "body_too_slow", "请求内容没有在规定时间内传完，请检查网络后重发")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem(http.StatusBadRequest, "body_truncated", "请求内容比声明的长度短，请完整重发")
	case errors.As(err, &refusal) && refusal.Kind != deposit.Internal:
		status, ok := codeStatuses[refusal.Code]
		if !ok {
			status = statuses[refusal.Kind]
		}
		p := problem(status, refusal.Code, refusal.Text)
		if refusal.Kind == deposit.Unavailable {
			p.retryAfter = retryAfter
		}
		return p
	}
	return problemOfStorage(err)
}

// problemOfStorage is for what the storage or the clock says.
func problemOfStorage(err error) *Problem {
	switch {
	case errors.Is(err, sqldb.ErrUnavailable):
		return unavailable("database_unavailable", "数据库暂时不可用，请稍后原样重发")
	case errors.Is(err, sqldb.ErrTaken): // a replica stored the same thing just now: the next try finds it there
		return unavailable("stored_meanwhile", "同一内容正由另一请求写入，请稍后原样重发")
	case errors.Is(err, sqldb.ErrStale):
		return problem(http.StatusConflict, "changed_meanwhile", changedMeanwhile)
	case errors.Is(err, sqldb.ErrNone):
		return problem(http.StatusNotFound, "not_found", "没有这条记录，请核对编号")
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("too_slow", "没有在规定时间内处理完，请稍后原样重发")
	case errors.Is(err, context.Canceled):
		return problem(statusGone, "caller_gone", "")
	}
	internal := deposit.AsRefusal(nil) // whatever it says of itself stays inside
	return problem(http.StatusInternalServerError, internal.Code, internal.Text)
}

// tooManyTries says when the door opens again, and not whose it is.
func tooManyTries(wait time.Duration) *Problem {
	minutes := max(1, int(math.Ceil(wait.Minutes())))
	p := problem(http.StatusTooManyRequests, "too_many_tries", "尝试次数过多，请 "+strconv.Itoa(minutes)+" 分钟后再试")
	p.retryAfter = max(wait.Truncate(time.Second)+time.Second, time.Second)
	return p
}

func unavailable(code, detail string) *Problem {
	p := problem(http.StatusServiceUnavailable, code, detail)
	p.retryAfter = retryAfter
	return p
}

// fail answers an error and logs it once: ours as an error, an outage as a warning, the asker's not at all.
func (s *server) fail(c *gin.Context, err error) {
	p := problemOf(err)
	switch {
	case p.Status == http.StatusServiceUnavailable:
		s.Log.Warn("request refused", "request", c.GetString(requestID), "route", c.FullPath(), "code", p.Code, "cause", err)
	case p.Status >= http.StatusInternalServerError:
		s.Log.Error("request failed", "request", c.GetString(requestID), "route", c.FullPath(), "code", p.Code, "cause", err)
	}
	s.answerProblem(c, p)
}

func (s *server) answerProblem(c *gin.Context, p *Problem) {
	c.Abort()
	if c.Writer.Written() {
		return
	}
	if p.Status == statusGone {
		c.Status(statusGone)
		return
	}
	told := *p
	told.Instance = c.GetString(requestID)
	if told.retryAfter > 0 {
		c.Header("Retry-After", seconds(told.retryAfter))
	}
	if s.isPage(c) {
		s.showProblem(c, &told)
		return
	}
	body, _ := json.Marshal(told) // strings and numbers: never fails
	c.Data(told.Status, "application/problem+json", body)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
