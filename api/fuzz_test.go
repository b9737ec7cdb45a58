package api

import (
	"encoding/json"
	"errors"
	"testing"
)

// Whatever bytes come as a body, they are read as one JSON object or refused with a 400 that says where.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{lot, bid, event, "", "{", "[]", `{"a":{"b":[1,{"c":null}]}}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, "null", "{}{}",
		`{"a":[[[[[[[[[[]]]]]]]]]]}`, `{"":{"~/":true}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		form, err := parseForm(raw)
		if err == nil {
			if !json.Valid(raw) {
				t.Fatalf("taken, and yet no JSON: %q", raw)
			}
			form.done()
			_ = form.err()
			return
		}
		var p *Problem
		if !errors.As(err, &p) || p.Status != 400 || p.Code == "" || p.Detail == "" {
			t.Fatalf("refused with %v", err)
		}
	})
}
