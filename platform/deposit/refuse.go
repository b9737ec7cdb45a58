package deposit

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a refusal means to whoever asked. The zero Kind is Internal: an error that nobody
// classified is our fault until shown otherwise.
type Kind int

// The six kinds. api maps them to HTTP, cmd to exit codes; nothing else looks at them.
const (
	Internal    Kind = iota // our fault; the text stays inside
	Invalid                 // the request can never succeed as it is
	Denied                  // not for this caller
	NotFound                // no such thing
	Conflict                // somebody was faster, or the state does not allow it
	Unavailable             // try again later
)

// A Refusal is an error with a meaning: a stable code for machines and a Chinese text for people that says what to do.
// It never holds a name or an account number that the asker did not send.
type Refusal struct {
	Kind Kind
	Code string
	Text string
}

// Error prints the code and the text.
func (r *Refusal) Error() string { return r.Code + ": " + r.Text }

// Refuse makes a Refusal; the text is joined without blanks.
func Refuse(kind Kind, code string, text ...any) error {
	var b strings.Builder
	for _, t := range text {
		fmt.Fprint(&b, t)
	}
	return &Refusal{Kind: kind, Code: code, Text: b.String()}
}

// AsRefusal finds the Refusal in an error's chain. What holds none is Internal, code "internal".
func AsRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return &Refusal{Kind: Internal, Code: "internal", Text: "内部错误，请稍后重试；如仍出现请联系信息技术科"}
}

// IsKind reports whether an error is a Refusal of that kind.
func IsKind(err error, kind Kind) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Kind == kind
}
