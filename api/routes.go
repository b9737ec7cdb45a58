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
	"depositd/platform/incident"
	"depositd/platform/people"
)

// Role is what a caller has to be: one of the persons' roles, a scope of a machine's token, or one of the following.
type Role = people.Role

// What no account and no token is granted.
const (
	Public   Role = "public" // whoever asks
	BankPeer Role = "bank"   // a machine; proves itself by its seal
	LoggedIn Role = "person" // whoever has a session, whatever their roles, and with something left to set up
)

var roles = slices.Concat([]Role{Public, BankPeer, LoggedIn}, people.OfPersons, people.Scopes)

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
	maxDoor    = 16 << 10 // a password, a code, an account
	maxFile    = incident.MostFile
)

// revealers may see names and account numbers whole, as far as their eyes reach.
var revealers = readers

const jsonType = "application/json"

// How long a request may take. A slow sender loses its connection then, and one that waits for the database is told to
// come again.
const (
	shortly = 15 * time.Second
	awhile  = 2 * time.Minute
	forFile = 30 * time.Minute // half a gigabyte over 3 Mbit/s
)

// readers are the roles that see what may be seen of lots and money.
var readers = []Role{people.FinanceMaker, people.FinanceChecker, people.Department, people.Leader, people.Auditor}

// routes is every way in: there is no other place where one is made.
func (s *server) routes() []Route {
	machine := []Role{people.Platform}
	openers := []Role{people.Department, people.Leader} // safety page §7.3
	askers := []Role{people.FinanceMaker, people.FinanceChecker, people.Department, people.ITOperator}
	return slices.Concat(s.pageRoutes(readers), s.findingRoutes(readers), s.refundRoutes(readers), s.peopleRoutes(), s.incidentRoutes(append(slices.Clone(readers), people.ITOperator)), []Route{
		{"POST", "/v1/banks/:bank/messages", []Role{BankPeer}, s.bankMessage, "", maxMessage, shortly},
		{"POST", "/v1/banks/:bank/statements", []Role{BankPeer, people.Statements, people.FinanceMaker}, s.bankStatement, "", s.MaxStatement, forFile},
		{"PUT", "/v1/lots/:number", machine, s.putLot, jsonType, maxOrder, shortly},
		{"POST", "/v1/bids", machine, s.postBid, jsonType, maxOrder, shortly},
		{"POST", "/v1/bids/:id/sub-account", machine, s.postSubAccount, jsonType, maxOrder, shortly},
		{"GET", "/v1/bids/:id/status", machine, s.getBidStatus, "", 0, shortly},
		{"POST", "/v1/lots/:number/opening", openers, s.freshly(s.postOpening), jsonType, maxOrder, shortly},
		{"POST", "/v1/lots/:number/earlier-opening", openers, s.freshly(s.postEarlierOpening), jsonType, maxOrder, shortly},
		{"POST", "/v1/enquiries", askers, s.postEnquiry, jsonType, maxOrder, shortly},
		{"POST", "/v1/enquiries/:id/release", askers, s.releaseEnquiry, jsonType, maxOrder, shortly},
		{"POST", "/v1/platform/sync", machine, s.postSync, jsonType, maxSync, awhile},
		{"POST", "/v1/platform/events", machine, s.postEvent, jsonType, maxOrder, shortly},
		{"GET", "/v1/reports/:day", readers, s.getReport, "", 0, awhile},
		{"GET", "/v1/overview", readers, s.getOverview, "", 0, awhile},
		{"GET", "/v1/messages", fileReaders(), s.getMessages, "", 0, shortly},
		{"GET", "/v1/messages/:id", fileReaders(), s.getMessage, "", 0, shortly},
		{"GET", "/v1/credits/:id", readers, s.getCredit, "", 0, shortly},
		{"GET", "/v1/webhook-deliveries", []Role{people.ITOperator, people.Leader, people.Auditor}, s.getDeliveries, "", 0, shortly},
		{"POST", "/v1/webhook-deliveries/:id/resend", []Role{people.ITOperator, people.Leader}, s.resendDelivery, jsonType, maxOrder, shortly},
		{"POST", "/v1/credits/:id/reveal", revealers, s.reveal(s.Reconcile.Reveal), jsonType, maxOrder, shortly},
		{"GET", "/v1/events", auditors(), s.getEvents, "", 0, awhile},
		{"GET", "/v1/seals/:day", auditors(), s.getSeal, "", 0, awhile},
		{"GET", "/v1/pools", poolWatchers(), s.getPools, "", 0, shortly},
		{"GET", "/v1/sub-accounts/:number/diagnosis", readers, s.getDiagnosis, "", 0, awhile},
		{"GET", "/v1/openapi.yaml", []Role{Public}, s.getOpenAPI, "", 0, shortly},
		{"GET", "/v1/docs", []Role{Public}, s.getDocs, "", 0, shortly},
		{"GET", "/v1/docs.css", []Role{Public}, s.getDocsStyle, "", 0, shortly},
		{"GET", "/livez", []Role{Public}, s.livez, "", 0, shortly},
		{"GET", "/readyz", []Role{Public}, s.readyz, "", 0, shortly},
		{"GET", "/version", []Role{Public}, s.getVersion, "", 0, shortly},
	})
}

// findingRoutes is what people do about findings.
func (s *server) findingRoutes(readers []Role) []Route {
	hands := handsOn()
	return []Route{
		{"GET", "/v1/findings", readers, s.getFindings, "", 0, shortly},
		{"GET", "/v1/findings/counts", readers, s.getFindingCounts, "", 0, shortly},
		{"POST", "/v1/findings/moves", hands, s.moveFindings, jsonType, maxOrder, awhile},
		{"GET", "/v1/findings/:id", readers, s.getFinding, "", 0, shortly},
		{"POST", "/v1/findings/:id/moves", hands, matched(s.moveFinding), jsonType, maxOrder, shortly},
		{"POST", "/v1/findings/:id/reveal", revealers, s.reveal(s.Reconcile.RevealFinding), jsonType, maxOrder, shortly},
		{"POST", "/v1/findings/:id/work", hands, matched(s.workOnFinding), jsonType, maxOrder, shortly},
	}
}

// handsOn are the roles that work on findings and lists, poolWatchers those that see how full the pools are.
func handsOn() []Role { return []Role{people.FinanceMaker, people.FinanceChecker, people.Department} }

func poolWatchers() []Role {
	return []Role{people.FinanceMaker, people.Auditor, people.ITOperator}
}

// fileReaders are the roles that see what banks have sent as it came.
func fileReaders() []Role { return []Role{people.FinanceMaker, people.FinanceChecker, people.Auditor} }

// stoppers are the roles that keep refunds from being sent, and let them go.
func stoppers() []Role { return []Role{people.FinanceMaker, people.FinanceChecker, people.Leader} }

// refundRoutes is every way in of the money's way back. Whoever acts is a person with a name (see person).
func (s *server) refundRoutes(readers []Role) []Route {
	maker, checker, leader := []Role{people.FinanceMaker}, []Role{people.FinanceChecker}, []Role{people.Leader}
	finance := slices.Concat(maker, checker)
	lists, signers := append(slices.Clone(finance), people.Department), slices.Concat(finance, leader)
	return []Route{
		{"POST", "/v1/refund-lists", lists, s.postList, "", maxList, awhile},
		{"GET", "/v1/refund-lists", readers, s.getLists, "", 0, shortly},
		{"GET", "/v1/refund-lists/template.xlsx", readers, s.getTemplate, "", 0, shortly},
		{"GET", "/v1/refund-lists/template.csv", readers, s.getTemplateCSV, "", 0, shortly},
		{"GET", "/v1/refund-lists/:id", readers, s.getList, "", 0, awhile},
		{"GET", "/v1/refunds", readers, s.getRefunds, "", 0, shortly},
		{"GET", "/v1/refunds/proposals", readers, s.getProposals, "", 0, awhile},
		{"GET", "/v1/refunds/due", readers, s.getDue, "", 0, awhile},
		{"GET", "/v1/refunds/:id", readers, s.getRefund, "", 0, shortly},
		{"POST", "/v1/refunds/:id/reveal", revealers, s.reveal(s.Refund.RevealPayee), jsonType, maxOrder, shortly},
		{"POST", "/v1/refunds/:id/moves", finance, matched(s.moveRefund), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-hand-payments", finance, s.postHandPayment, jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-batches", maker, s.postBatches, jsonType, maxOrder, shortly},
		{"GET", "/v1/refund-batches", readers, s.getBatches, "", 0, shortly},
		{"GET", "/v1/refund-batches/:id", readers, s.getBatch, "", 0, shortly},
		{"GET", "/v1/refund-batches/:id/diagnosis", readers, s.getBatchDiagnosis, "", 0, awhile},
		{"POST", "/v1/refund-batches/:id/check", checker, matched(s.checkBatch), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-batches/:id/release", leader, s.freshly(matched(s.releaseBatch)), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-batches/:id/take-out", finance, matched(s.takeOut), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-results", finance, s.postResult, "", maxResult, awhile},
		{"POST", "/v1/refund-dispositions", lists, s.postDisposition, jsonType, maxOrder, shortly},
		{"GET", "/v1/refund-dispositions", readers, s.getDispositions, "", 0, shortly},
		{"POST", "/v1/refund-dispositions/:id/moves", signers, matched(s.moveDisposition), jsonType, maxOrder, shortly},
		{"POST", "/v1/payee-changes", lists, s.postChange, jsonType, maxOrder, shortly},
		{"GET", "/v1/payee-changes", readers, s.getChanges, "", 0, shortly},
		{"POST", "/v1/payee-changes/:id/reveal", revealers, s.reveal(s.Refund.RevealChange), jsonType, maxOrder, shortly},
		{"POST", "/v1/payee-changes/:id/moves", append(slices.Clone(lists), people.Leader), matched(s.moveChange), jsonType, maxOrder, shortly},
		{"POST", "/v1/refund-freezes", stoppers(), s.postFreeze, jsonType, maxOrder, shortly},
		{"GET", "/v1/refund-freezes", readers, s.getFreezes, "", 0, shortly},
		{"POST", "/v1/refund-freezes/:id/lift", stoppers(), matched(s.liftFreeze), jsonType, maxOrder, shortly},
	}
}

// peopleRoutes is every way in of who may come in. An account is made by one administrator and gets its roles from another.
func (s *server) peopleRoutes() []Route {
	system, security := []Role{people.SystemAdmin}, []Role{people.SecurityAdmin}
	admins := slices.Concat(system, security)
	return []Route{
		{"POST", "/v1/session", []Role{Public}, s.postSession, jsonType, maxDoor, shortly},
		{"POST", "/v1/session/invitation", []Role{Public}, s.postInvitation, jsonType, maxDoor, shortly},
		{"GET", "/v1/session", []Role{LoggedIn}, s.getSession, "", 0, shortly},
		{"DELETE", "/v1/session", []Role{LoggedIn}, s.deleteSession, "", 0, shortly},
		{"POST", "/v1/session/step-up", []Role{LoggedIn}, s.postStepUp, jsonType, maxDoor, shortly},
		{"POST", "/v1/session/password", []Role{LoggedIn}, s.postPassword, jsonType, maxDoor, shortly},
		{"POST", "/v1/session/factor", []Role{LoggedIn}, s.postFactor, "", 0, shortly},
		{"POST", "/v1/session/factor/confirm", []Role{LoggedIn}, s.confirmFactor, jsonType, maxDoor, shortly},
		{"GET", "/v1/departments", []Role{LoggedIn}, s.getDepartments, "", 0, shortly},
		{"POST", "/v1/departments", system, s.postDepartment, jsonType, maxDoor, shortly},
		{"GET", "/v1/users", userWatchers(), s.getUsers, "", 0, shortly},
		{"POST", "/v1/users", system, s.postUser, jsonType, maxDoor, shortly},
		{"POST", "/v1/users/:id/roles", system, s.askRoles, jsonType, maxDoor, shortly},
		{"POST", "/v1/users/:id/grant", security, s.onUser(s.People.Grant), jsonType, maxDoor, shortly},
		{"POST", "/v1/users/:id/refuse", security, s.onUser(s.People.Refuse), jsonType, maxDoor, shortly},
		{"POST", "/v1/users/:id/disable", admins, s.onUser(s.moveUser("disable")), jsonType, maxDoor, shortly},
		{"POST", "/v1/users/:id/enable", system, s.onUser(s.moveUser("enable")), jsonType, maxDoor, shortly},
		{"POST", "/v1/users/:id/reset", system, s.resetUser, jsonType, maxDoor, shortly},
	}
}

// userWatchers are the roles that see who has an account.
func userWatchers() []Role {
	return []Role{people.SystemAdmin, people.SecurityAdmin, people.AuditAdmin, people.Auditor}
}

// incidentRoutes is every way in of the emergency plan. Whoever acts says as what office (see askerOf).
func (s *server) incidentRoutes(readers []Role) []Route {
	actors := incidentActors()
	return []Route{
		{"POST", "/v1/platform/incidents", []Role{people.Platform}, s.postPlatformIncident, jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents", actors, s.postIncident, jsonType, maxOrder, shortly},
		{"GET", "/v1/incidents", readers, s.getIncidents, "", 0, shortly},
		{"GET", "/v1/incidents/plan", readers, s.getIncidentPlan, "", 0, shortly},
		{"GET", "/v1/incidents/statistics", readers, s.getIncidentStatistics, "", 0, awhile},
		{"GET", "/v1/incidents/:id", readers, s.getIncident, "", 0, shortly},
		{"GET", "/v1/incidents/:id/timeline", readers, s.getTimeline, "", 0, shortly},
		{"GET", "/v1/incidents/:id/export.html", readers, s.getIncidentPage, "", 0, awhile},
		{"GET", "/v1/incidents/:id/export.xlsx", readers, s.getIncidentBook, "", 0, awhile},
		{"POST", "/v1/incidents/:id/signatures", actors, acted(s, http.StatusOK, s.signIncident), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/branch", actors, acted(s, http.StatusOK, s.chooseBranch), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/steps", actors, acted(s, http.StatusOK, s.moveStep), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/deadlines", actors, acted(s, http.StatusOK, s.putDeadlines), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/evidence", actors, acted(s, http.StatusCreated, s.postEvidence), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/files", actors, s.postFile, "", maxFile, awhile},
		{"GET", "/v1/incidents/:id/files/:file", readers, s.getFile, "", 0, awhile},
		{"POST", "/v1/incidents/:id/backfills", actors, acted(s, http.StatusCreated, s.postBackfill), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/actions", actors, acted(s, http.StatusCreated, s.postAction), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/actions/:action/moves", actors, acted(s, http.StatusOK, s.moveAction), jsonType, maxOrder, shortly},
		{"POST", "/v1/incidents/:id/notes", actors, acted(s, http.StatusOK, s.postNote), jsonType, maxOrder, shortly},
	}
}

// incidentActors are the roles that act on incidents; as what office, mayActAs says.
func incidentActors() []Role {
	return []Role{people.FinanceMaker, people.FinanceChecker, people.Department, people.Leader, people.ITOperator}
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
