package api

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/platform/deposit"
	"depositd/platform/people"
)

// The console is pages for people. Each shows what a desk says, by the same methods as its JSON twin, and works by links
// and forms alone; htmx replaces parts of a page where that spares a reload.

//go:embed pages/*.html
var pageFiles embed.FS

// pagePolicy lets a page use what this service serves and nothing else: no inline script or style, no other site, no frame.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"

// The body of a form: plain, or with a file.
const (
	formType = "application/x-www-form-urlencoded"
	fileType = "multipart/form-data"
	maxForm  = 256 << 10 // an opinion and some hundreds of keys
)

// menu is what stands at the side, in this order.
var menu = []menuItem{
	{"/", "总览"},
	{"/findings", "差异处理"},
	{"/refunds", "退付"},
	{"/numbers", "子账号"},
	{"/incidents", "应急"},
	{"/messages", "银行报文"},
	{"/audit", "审计"},
	{"/users", "用户"},
}

type menuItem struct{ Path, Name string }

// crumb is a step of the way to a page; the last one is the page itself and has no path.
type crumb struct{ Path, Name string }

// view is a page as it is shown: what its handler gives, and what every page bears.
type view struct {
	Title  string
	Menu   string  // the path of the item that the page belongs to
	Crumbs []crumb // between the menu's item and the page
	Body   any

	Items  []menuItem
	Who    Caller
	Drill  string // what is rehearsed, while something is
	Now    time.Time
	Status int // 0: 200
}

// pages are the parsed templates, each on top of the layout.
type pages map[string]*template.Template

// newPages parses every page once, at the start: a page that does not parse does not serve.
func (s *server) newPages() (pages, error) {
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		return nil, err
	}
	base, err := template.New("").Funcs(s.words()).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		clone, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if all[name], err = clone.ParseFS(pageFiles, "pages/"+f.Name()); err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
	}
	return all, nil
}

// show answers with a page; where htmx asks for a part of it, with that template alone.
func (s *server) show(c *gin.Context, name, part string, v view) error {
	v.Who, v.Now = s.caller(c), s.DB.Now()
	v.Items = s.menuOf(v.Who)
	v.Crumbs = trail(v)
	if part == "" || !partial(c) {
		part = "layout"
	}
	var out bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&out, part, v); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	if v.Status == 0 {
		v.Status = http.StatusOK
	}
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("Vary", "HX-Request")
	c.Data(v.Status, "text/html; charset=utf-8", out.Bytes())
	return nil
}

// showAgain shows a page with what was wrong with what was sent from it, if anything was: place is where the page says so. What is
// not the visitor's fault is an error.
func (s *server) showAgain(c *gin.Context, name string, v view, place **Problem, failed error) error {
	if failed != nil {
		p := problemOf(failed)
		if p.Status >= http.StatusInternalServerError {
			return failed
		}
		*place, v.Status = p, p.Status
	}
	return s.show(c, name, "", v)
}

// menuOf is what somebody may open of the menu.
func (s *server) menuOf(who Caller) (items []menuItem) {
	for _, item := range menu {
		if who.Has(s.pageRoles[item.Path]...) {
			items = append(items, item)
		}
	}
	return items
}

// Offers says whether the visitor may open an item of the menu, for links to what lies under it.
func (v view) Offers(path string) bool {
	return slices.ContainsFunc(v.Items, func(item menuItem) bool { return item.Path == path })
}

// trail is the way to a page: the menu's item first, unless that is the page itself.
func trail(v view) []crumb {
	for _, item := range menu {
		if item.Path == v.Menu && item.Name != v.Title {
			return append([]crumb{{item.Path, item.Name}}, v.Crumbs...)
		}
	}
	return v.Crumbs
}

// partial says that htmx asks, for a part of a page.
func partial(c *gin.Context) bool { return c.GetHeader("HX-Request") == "true" }

// seeOther sends the browser to a page after a form was taken, so that loading it again does not send the form again.
func seeOther(c *gin.Context, path string) error {
	c.Redirect(http.StatusSeeOther, path)
	return nil
}

// isPage says whether an answer is for a person before a browser: on the way in of a page, or on none where HTML is asked for.
func (s *server) isPage(c *gin.Context) bool {
	if path := c.FullPath(); path != "" {
		return s.pageRoles[path] != nil
	}
	return strings.Contains(c.GetHeader("Accept"), "text/html")
}

// showProblem is answerProblem for people: the same code, and where to go from here. Who has not come in, or has something left to
// set up, goes there.
func (s *server) showProblem(c *gin.Context, p *Problem) {
	switch {
	case p.Status == http.StatusUnauthorized && p.Code == "unauthenticated":
		s.sendTo(c, "/login")
		return
	case p.Code == "setup_needed":
		s.sendTo(c, "/account")
		return
	}
	if partial(c) { // the part that asked stays as it is, with all that was written into it
		c.Header("HX-Retarget", "#complaint")
		c.Header("HX-Reswap", "innerHTML")
	}
	if err := s.show(c, "error", "problem", view{Title: pageTitle(p.Status), Body: p, Status: p.Status}); err != nil {
		s.Log.Error("the error page failed", "request", c.GetString(requestID), "cause", err)
		c.Status(p.Status)
	}
}

// pageTitles are what people are told instead of HTTP's words.
var pageTitles = map[int]string{http.StatusForbidden: "没有权限", http.StatusNotFound: "没有找到", http.StatusUnauthorized: "请先登录",
	http.StatusUnprocessableEntity: "填写有误", http.StatusBadRequest: "地址或参数有误", http.StatusServiceUnavailable: "暂时不可用"}

func pageTitle(status int) string {
	if title := pageTitles[status]; title != "" {
		return title
	}
	return "未能办理"
}

// pageRoutes is every page and every form of the console.
func (s *server) pageRoutes(readers []Role) []Route {
	return slices.Concat(
		[]Route{
			{"GET", "/static/:file", []Role{Public}, s.getStatic, "", 0, shortly},
			{"GET", "/", readers, s.pageHome, "", 0, awhile},
		},
		s.doorPages(),
		s.findingPages(readers),
		s.refundPages(readers),
		s.keepPages(readers),
		s.linePages(readers),
		s.bookPages(readers),
		s.incidentPages(append(slices.Clone(readers), people.ITOperator)),
		[]Route{
			{"GET", "/numbers", append(slices.Clone(readers), people.ITOperator), s.pageNumbers, "", 0, awhile},
			{"GET", "/messages", fileReaders(), s.pageMessages, "", 0, shortly},
			{"GET", "/messages/:id", fileReaders(), s.pageMessage, "", 0, shortly},
			{"GET", "/audit", auditors(), s.pageAudit, "", 0, awhile},
			{"GET", "/audit.xlsx", auditors(), s.exportAudit, "", 0, awhile},
		},
		s.userPages(),
	)
}

func (s *server) findingPages(readers []Role) []Route {
	hands := handsOn()
	return []Route{
		{"GET", "/findings", readers, s.pageFindings, "", 0, shortly},
		{"GET", "/findings.xlsx", readers, s.exportFindings, "", 0, awhile},
		{"POST", "/findings/:id", hands, s.actOnFinding, formType, maxForm, shortly},
		{"POST", "/findings/:id/reveal", revealers, s.revealOnPage(under("/findings?open="), s.Reconcile.RevealFinding), formType, maxForm, shortly},
		{"GET", "/findings/bulk", hands, s.previewBulk, "", 0, shortly},
		{"POST", "/findings/bulk", hands, s.actInBulk, formType, maxForm, awhile},
		{"POST", "/findings/choose", hands, s.chooseBulk, formType, maxForm, shortly},
	}
}

// openTo tells by path which ways in are pages, and whom they are for.
func openTo(routes []Route) map[string][]Role {
	roles := map[string][]Role{}
	for _, r := range routes {
		roles[r.Path] = append(roles[r.Path], r.Roles...)
	}
	return roles
}

// today is the day at which people look.
func (s *server) today() deposit.Day { return deposit.DayOf(s.DB.Now()) }
