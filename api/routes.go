package api

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/bank"
)

// Role is a kind of caller.
type Role string

// The roles. Public is for whoever asks; the others are enforced once there are users.
const (
	Public     Role = "public"
	BankPeer   Role = "bank"       // a machine; proves itself by its seal
	Platform   Role = "platform"   // a machine of the trading platform
	Finance    Role = "finance"    // 综合科
	Department Role = "department" // a business department, its own lots
	Leader     Role = "leader"     // 分管领导: releases payments
	Auditor    Role = "auditor"    // reads everything, changes nothing
)

var roles = []Role{Public, BankPeer, Platform, Finance, Department, Leader, Auditor}

// Route is one way in.
type Route struct {
	Method string
	Path   string // as gin writes it, which is the OpenAPI path with :name for {name}
	Roles  []Role
	Handle func(*gin.Context) error

	Accepts string        // the body's media type; "": the bank's own, whatever it calls it
	Limit   int64         // of the body, in bytes
	Within  time.Duration // for all of it, the reading of the body included
}

// Limits of a body, with the reason.
const (
	maxMessage = bank.MaxMessage + 1 // one more than is taken, so that the bank's side sees that there is more
	maxOrder   = 1 << 20             // one lot, bid, event or move
	maxSync    = 8 << 20             // some 30,000 bids
	maxList    = 4 << 20             // five thousand lines of a list in JSON
	maxResult  = bank.MaxPayAnswer
)

const jsonType = "application/json"

// How long a request may take. A slow sender loses its connection then, and one that waits for the database is told to
// come again.
const (
	shortly = 15 * time.Second
	awhile  = 2 * time.Minute
	forFile = 30 * time.Minute // half a gigabyte over 3 Mbit/s
)

// routes is every way in: there is no other place where one is made.
func (s *server) routes() []Route {
	people := []Role{Finance, Department, Leader, Auditor}
	return slices.Concat(s.refundRoutes(people), []Route{
		{"POST", "/v1/banks/:bank/messages", []Role{BankPeer}, s.bankMessage, "", maxMessage, shortly},
		{"POST", "/v1/banks/:bank/statements", []Role{BankPeer, Finance}, s.bankStatement, "", s.MaxStatement, forFile},
		{"PUT", "/v1/lots/:number", []Role{Platform}, s.putLot, jsonType, maxOrder, shortly},
		{"POST", "/v1/bids", []Role{Platform}, s.postBid, jsonType, maxOrder, shortly},
		{"POST", "/v1/bids/:id/sub-account", []Role{Platform}, s.postSubAccount, jsonType, maxOrder, shortly},
		{"POST", "/v1/platform/sync", []Role{Platform}, s.postSync, jsonType, maxSync, awhile},
		{"POST", "/v1/platform/events", []Role{Platform}, s.postEvent, jsonType, maxOrder, shortly},
		{"GET", "/v1/reports/:day", people, s.getReport, "", 0, awhile},
		{"GET", "/v1/findings", people, s.getFindings, "", 0, shortly},
		{"POST", "/v1/findings/:id/moves", []Role{Finance, Department}, matched(s.moveFinding), jsonType, maxOrder, shortly},
		{"GET", "/v1/credits/:id", people, s.getCredit, "", 0, shortly},
		{"POST", "/v1/credits/:id/reveal", []Role{Finance, Leader, Auditor}, s.reveal(s.Reconcile.Reveal), jsonType, maxOrder, shortly},
		{"GET", "/v1/pools", people, s.getPools, "", 0, shortly},
		{"GET", "/v1/sub-accounts/:number/diagnosis", people, s.getDiagnosis, "", 0, awhile},
		{"GET", "/v1/openapi.yaml", []Role{Public}, s.getOpenAPI, "", 0, shortly},
		{"GET", "/v1/docs", []Role{Public}, s.getDocs, "", 0, shortly},
		{"GET", "/v1/docs.css", []Role{Public}, s.getDocsStyle, "", 0, shortly},
		{"GET", "/livez", []Role{Public}, s.livez, "", 0, shortly},
		{"GET", "/readyz", []Role{Public}, s.readyz, "", 0, shortly},
		{"GET", "/version", []Role{Public}, s.getVersion, "", 0, shortly},
	})
}

// refundRoutes is every way in of the money's way back. Whoever acts is a person with a name (see person).
func (s *server) refundRoutes(people []Role) []Route {
	lists, finance, leader := []Role{Finance, Department}, []Role{Finance}, []Role{Leader}
	return []Route{
		{"POST", "/v1/refund-lists", lists, s.postList, "", maxList, awhile},
		{"GET", "/v1/refund-lists", people, s.getLists, "", 0, shortly},
		{"GET", "/v1/refund-lists/template.xlsx", people, s.getTemplate, "", 0, shortly},
		{"GET", "/v1/refund-lists/template.csv", people, s.getTemplateCSV, "", 0, shortly},
		{"GET", "/v1/refund-lists/:id", people, s.getList, "", 0, awhile},
		{"GET", "/v1/refunds", people, s.getRefunds, "", 0, shortly},
		{"GET", "/v1/refunds/proposals", people, s.getProposals, "", 0, awhile},
		{"GET", "/v1/refunds/due", people, s.getDue, "", 0, awhile},
		{"GET", "/v1/refunds/:id", people, s.getRefund, "", 0, shortly},
		{"POST", "/v1/refunds/:id/reveal", []Role{Finance, Leader, Auditor}, s.reveal(s.Refund.RevealPayee), jsonType, maxOrder, shortly},
		{"POST", "/v1/refunds/:id/moves", finance, matched(s.moveRefund), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-hand-payments", finance, s.postHandPayment, jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-batches", finance, s.postBatches, jsonType, maxOrder, shortly},
		{"GET", "/v1/refund-batches", people, s.getBatches, "", 0, shortly},
		{"GET", "/v1/refund-batches/:id", people, s.getBatch, "", 0, shortly},
		{"GET", "/v1/refund-batches/:id/diagnosis", people, s.getBatchDiagnosis, "", 0, awhile},
		{"POST", "/v1/refund-batches/:id/check", finance, matched(s.checkBatch), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-batches/:id/release", leader, matched(s.releaseBatch), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-batches/:id/take-out", finance, matched(s.takeOut), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-results", finance, s.postResult, "", maxResult, awhile},
		{"POST", "/v1/refund-dispositions", lists, s.postDisposition, jsonType, maxOrder, shortly},
		{"GET", "/v1/refund-dispositions", people, s.getDispositions, "", 0, shortly},
		{"POST", "/v1/refund-dispositions/:id/moves", []Role{Finance, Leader}, matched(s.moveDisposition), jsonType, maxOrder, shortly},
		{"POST", "/v1/payee-changes", lists, s.postChange, jsonType, maxOrder, shortly},
		{"GET", "/v1/payee-changes", people, s.getChanges, "", 0, shortly},
		{"POST", "/v1/payee-changes/:id/reveal", []Role{Finance, Leader, Auditor}, s.reveal(s.Refund.RevealChange), jsonType, maxOrder, shortly},
		{"POST", "/v1/payee-changes/:id/moves", []Role{Finance, Department, Leader}, matched(s.moveChange), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-freezes", []Role{Finance, Leader}, s.postFreeze, jsonType, maxOrder, shortly},
		{"GET", "/v1/refund-freezes", people, s.getFreezes, "", 0, shortly},
		{"POST", "/v1/refund-freezes/:id/lift", []Role{Finance, Leader}, matched(s.liftFreeze), jsonType, maxOrder, shortly},
	}
}

// checkRoutes makes the default "no": a route without a known role does not start.
func checkRoutes(routes []Route) error {
	for _, r := range routes {
		if len(r.Roles) == 0 {
			return fmt.Errorf("route %s %s has no role", r.Method, r.Path)
		}
		for _, role := range r.Roles {
			if !slices.Contains(roles, role) {
				return fmt.Errorf("route %s %s has the unknown role %q", r.Method, r.Path, role)
			}
		}
		if r.Handle == nil || r.Within <= 0 {
			return fmt.Errorf("route %s %s has no handler or no time", r.Method, r.Path)
		}
	}
	return nil
}

// checkType refuses a JSON body that does not say that it is one, and a form where a bank's raw file belongs: curl -F
// would wrap it.
func (r *Route) checkType(request *http.Request) error {
	if coding := request.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return problem(http.StatusUnsupportedMediaType, "content_encoding", "请勿压缩请求内容：请去掉 Content-Encoding 后重发") // what is small packed can be anything unpacked
	}
	said, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
	switch {
	case r.Accepts != "" && (err != nil || said != r.Accepts):
		return problem(http.StatusUnsupportedMediaType, "content_type", "请求内容应为 JSON，请设置 Content-Type: application/json")
	case r.Accepts == "" && strings.HasPrefix(said, "multipart/"):
		return problem(http.StatusUnsupportedMediaType, "content_type", "请直接发送原始内容，不要用表单（curl 请用 --data-binary）")
	}
	return nil
}

// param is a path parameter. gin would read + as a blank, so that it is decoded here.
func param(c *gin.Context, name string) (string, error) {
	value, err := url.PathUnescape(c.Param(name))
	if err != nil || value == "" {
		return "", problem(http.StatusBadRequest, "path_malformed", "地址中的 "+name+" 格式不对", Fault{Parameter: name, Code: "path_malformed", Detail: "应为 UTF-8 的百分号编码"})
	}
	return value, nil
}
