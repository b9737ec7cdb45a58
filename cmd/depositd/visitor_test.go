package main

import (
	"net/http"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

// visitor is everybody who comes in over HTTP: the trading platform with its token, and a person with a session. Both come with
// every request; the service looks at the token first, so that it is shown only where machines come in.
type visitor struct {
	token string
	db    *sqldb.DB
	t     testing.TB
}

// visit is a client of a test's own that may all that can be in one hand.
func visit(t testing.TB, db *sqldb.DB) *http.Client {
	t.Helper()
	peopletest.Person(t, db, "全能", "", people.FinanceMaker, people.FinanceChecker, people.Leader)
	return &http.Client{Transport: &visitor{token: peopletest.Token(t, db, people.Scopes...), db: db, t: t}}
}

// RoundTrip implements http.RoundTripper.
func (v *visitor) RoundTrip(request *http.Request) (*http.Response, error) {
	shown := request.Clone(request.Context())
	switch path := request.URL.Path; {
	case request.Method == http.MethodPut, strings.HasPrefix(path, "/v1/bids"), strings.HasPrefix(path, "/v1/platform"), strings.HasSuffix(path, "/statements"):
		shown.Header.Set("Authorization", "Bearer "+v.token)
	case strings.HasPrefix(path, "/v1/banks"):
	default: // a session of its own, since a test's clock passes hours between two questions
		shown.AddCookie(&http.Cookie{Name: "__Host-sid", Value: peopletest.Cookie(v.t, v.db, "全能")})
	}
	return http.DefaultTransport.RoundTrip(shown)
}
