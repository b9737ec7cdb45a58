package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"depositd/platform"
	"depositd/platform/incident"
	"depositd/reconcile"
	"depositd/refund"
)

func TestDocumentIsValid(t *testing.T) {
	if err := document().Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Every way in stands in the document, and nothing else does. Pages are for people and stand in none.
func TestRoutesAndDocumentAgree(t *testing.T) {
	var served, documented []string
	pages := openTo((&server{}).pageRoutes(readers))
	for _, r := range (&server{}).routes() {
		if pages[r.Path] != nil {
			continue
		}
		served = append(served, r.Method+" "+openapiPath(r.Path))
	}
	for path, item := range document().Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served:\n%s\ndocumented:\n%s", strings.Join(served, "\n"), strings.Join(documented, "\n"))
	}
}

// The closed sets of the document are those of the program.
func TestDocumentedSets(t *testing.T) {
	enum := func(name string) (words []string) {
		for _, word := range document().Components.Schemas[name].Value.Enum {
			words = append(words, word.(string))
		}
		return words
	}
	for _, word := range enum("Code") {
		if reconcile.Code(word).Name() == "" {
			t.Errorf("the document's code %s is none", word)
		}
	}
	for _, word := range enum("FindingState") {
		if reconcile.StateName[word] == "" {
			t.Errorf("the document's state %s is none", word)
		}
	}
	kinds := enum("EventKind")
	for word, kind := range eventKinds {
		if !slices.Contains(kinds, word) || kind.Chinese() == "" {
			t.Errorf("event %s is not documented or has no name", word)
		}
	}
	if len(kinds) != len(eventKinds) {
		t.Errorf("%d kinds of events are documented, %d taken", len(kinds), len(eventKinds))
	}
	for _, word := range document().Components.Schemas["Lot"].Value.Properties["state"].Value.Enum {
		if platform.LotState(word.(string)).Chinese() == "" {
			t.Errorf("the document's lot state %s is none", word)
		}
	}
}

// So are those of the refunds, each with its name.
func TestDocumentedRefundSets(t *testing.T) {
	causes := map[string]bool{}
	for _, cause := range refund.Causes() {
		causes[string(cause)] = true
	}
	for _, set := range []struct {
		schema string
		name   func(word string) string
		size   int
	}{
		{"RefundState", func(w string) string { return refund.State(w).Chinese() }, len(refund.LineMoves)},
		{"BatchState", refund.BatchStateName, len(refund.BatchMoves)},
		{"DispositionState", func(w string) string { return dispositionStates[w] }, len(refund.DispositionMoves)},
		{"PayeeChangeState", func(w string) string { return refund.ChangeStates[w] }, len(refund.ChangeMoves)},
		{"Cause", func(w string) string {
			if !causes[w] {
				return ""
			}
			return refund.Cause(w).Chinese()
		}, len(causes)},
	} {
		words := document().Components.Schemas[set.schema].Value.Enum
		for _, word := range words {
			if set.name(word.(string)) == "" {
				t.Errorf("the document's %s %s is none or has no name", set.schema, word)
			}
		}
		if len(words) != set.size {
			t.Errorf("%d of %s are documented, there are %d", len(words), set.schema, set.size)
		}
	}
}

// And those of the emergency plan, each with its name.
func TestDocumentedIncidentSets(t *testing.T) {
	for _, set := range []struct {
		schema string
		name   func(word string) string
		size   int
	}{
		{"IncidentState", func(w string) string { return incident.State(w).Chinese() }, len(incident.Moves)},
		{"IncidentAct", func(w string) string { return incident.Act(w).Chinese() }, len(incident.Acts())},
		{"IncidentStepWord", incident.StepStateName, len(incident.StepMoves)},
		{"IncidentActionState", incident.ActionStateName, len(incident.ActionMoves)},
		{"FaultSide", func(w string) string { return incident.Side(w).Chinese() }, 5},
		{"EntryKind", func(w string) string { return incident.EntryKind(w).Chinese() }, len(incident.EntryKinds())},
	} {
		words := document().Components.Schemas[set.schema].Value.Enum
		for _, word := range words {
			if set.name(word.(string)) == "" {
				t.Errorf("the document's %s %s is none or has no name", set.schema, word)
			}
		}
		if len(words) != set.size {
			t.Errorf("%d of %s are documented, there are %d", len(words), set.schema, set.size)
		}
	}
}

// A route without a known role does not start: the default is no.
func TestRoutesNeedRoles(t *testing.T) {
	good := Route{Method: "GET", Path: "/x", Roles: []Role{Public}, Handle: func(*gin.Context) error { return nil }, Within: shortly}
	if err := checkRoutes([]Route{good}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Route){
		"no role":      func(r *Route) { r.Roles = nil },
		"unknown role": func(r *Route) { r.Roles = []Role{"king"} },
		"no handler":   func(r *Route) { r.Handle = nil },
		"no time":      func(r *Route) { r.Within = 0 },
	} {
		bad := good
		spoil(&bad)
		if checkRoutes([]Route{good, bad}) == nil {
			t.Errorf("%s: started", name)
		}
		if _, err := (&server{}).mount([]Route{bad}); err == nil {
			t.Errorf("%s: mounted", name)
		}
	}
}

// What a route refuses by what it is stands in the document: a body that is none, a thing that is not there, the same request at the
// same time, a database that is away.
func TestRefusalsAreDocumented(t *testing.T) {
	pages := openTo((&server{}).pageRoutes(readers))
	for _, r := range (&server{}).routes() {
		if pages[r.Path] != nil {
			continue
		}
		var wanted []string
		if r.Accepts == jsonType {
			wanted = append(wanted, "400", "413", "415", "422")
		}
		if strings.Contains(r.Path, ":id") {
			wanted = append(wanted, "400", "404")
		}
		if r.onlyOnce() {
			wanted = append(wanted, "409")
		}
		if !slices.Contains(r.Roles, Public) {
			wanted = append(wanted, "503")
		}
		responses := document().Paths.Value(openapiPath(r.Path)).GetOperation(r.Method).Responses
		for _, status := range wanted {
			if responses.Value(status) == nil {
				t.Errorf("%s %s: no %s", r.Method, r.Path, status)
			}
		}
	}
}

// The harness proves itself: an answer against the document is noticed.
func TestHoldNotices(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		request, _ := http.NewRequest(http.MethodGet, "/version", nil)
		got := h.play(request)
		got.Body.Reset()
		got.Body.WriteString(`{"version":7}`)
		if hold(request, nil, got) == nil {
			t.Error("a version that is a number went unnoticed")
		}
		got = h.play(request)
		got.Code = http.StatusTeapot
		if hold(request, nil, got) == nil {
			t.Error("a status that nobody has written down went unnoticed")
		}
		if !slices.Contains(unheld(&sync.Map{}), "GET /version 200") {
			t.Error("a success that was never had went unnoticed")
		}
	})
}

var document = sync.OnceValue(func() *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		panic(err)
	}
	return doc
})

// anywhere are the statuses that any route may answer with, whatever it is for, and that the document has as default: nobody, not for
// this role, too slow, too many, our fault, later.
var anywhere = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}

// hold compares one exchange with the document. A request that was refused need not fit it; its answer must.
func hold(request *http.Request, body []byte, got *answer) error {
	if got.Code == http.StatusNotFound && strings.Contains(got.Body.String(), `"route_unknown"`) || got.Code == http.StatusMethodNotAllowed {
		return nil
	}
	template, params := match(request)
	item := document().Paths.Value(template)
	if item == nil {
		return fmt.Errorf("openapi.yaml has no %s %s", request.Method, request.URL.Path)
	}
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: &routers.Route{Spec: document(), Path: template,
		PathItem: item, Method: request.Method, Operation: item.GetOperation(request.Method)}}
	input.Options = &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: request.Header.Get("Content-Type") != jsonType}
	request.Body = io.NopCloser(bytes.NewReader(body))
	if got.Code < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("%s %s was taken, against openapi.yaml: %w", request.Method, template, err)
		}
	}
	if operation := item.GetOperation(request.Method); operation.Responses.Value(strconv.Itoa(got.Code)) == nil && !slices.Contains(anywhere, got.Code) {
		return fmt.Errorf("%s %s answered %d, which openapi.yaml does not have: %s", request.Method, template, got.Code, got.Body)
	}
	response := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: got.Code, Header: got.Header(), Options: input.Options}
	if kind := got.Header().Get("Content-Type"); strings.HasPrefix(kind, "text/") || kind == "application/yaml" || kind == xlsxType {
		response.Options.ExcludeResponseBody = true
	}
	response.SetBodyBytes(got.Body.Bytes())
	if err := openapi3filter.ValidateResponse(context.Background(), response); err != nil {
		return fmt.Errorf("%s %s answered %d against openapi.yaml: %w", request.Method, template, got.Code, err)
	}
	return nil
}

// match finds the document's path for a request: of two that fit, the one with fewer parameters.
func match(request *http.Request) (best string, found map[string]string) {
	said := strings.Split(request.URL.EscapedPath(), "/")
	for template, item := range document().Paths.Map() {
		parts := strings.Split(template, "/")
		if len(parts) != len(said) || item.GetOperation(request.Method) == nil {
			continue
		}
		params, fits := map[string]string{}, true
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				params[strings.TrimSuffix(name, "}")] = said[i]
			} else if part != said[i] {
				fits = false
			}
		}
		if fits && (best == "" || len(params) < len(found)) {
			best, found = template, params
		}
	}
	return best, found
}

// heldAnswers are what some test has held to the document: "GET /v1/pools 200".
var heldAnswers sync.Map

func noteHeld(request *http.Request, got *answer) {
	template, _ := match(request)
	heldAnswers.Store(fmt.Sprint(request.Method, " ", template, " ", got.Code), true)
}

// unheld are the successes that the document has and no test has had.
func unheld(held *sync.Map) (all []string) {
	for path, item := range document().Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if _, had := held.Load(method + " " + path + " " + status); strings.HasPrefix(status, "2") && !had {
					all = append(all, method+" "+path+" "+status)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}
