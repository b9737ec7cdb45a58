package api

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/platform/people"
	"depositd/reconcile"
)

// page plays a request of somebody before a browser.
func (h *house) page(person, method, target string, values url.Values, header ...string) *answer {
	h.t.Helper()
	request := httptest.NewRequest(method, target, strings.NewReader(values.Encode()))
	request.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", formType)
	}
	if person != "" {
		request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie(person)})
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return h.play(request)
}

// shows fails unless a page says all of it.
func (a *answer) shows(status int, texts ...string) *answer {
	a.t.Helper()
	body := a.Body.String()
	if a.Code != status {
		a.t.Fatalf("got %d, want %d: %s", a.Code, status, body)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			a.t.Errorf("the page does not say %q:\n%s", text, body)
		}
	}
	return a
}

// What is vendored is what was published, and its licence is there.
func TestVendoredFiles(t *testing.T) {
	list, err := os.Open("static/vendored.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	files := 0
	for lines := bufio.NewScanner(list); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if len(fields) != 4 {
			t.Fatalf("no file, package, version and hash: %q", lines.Text())
		}
		body, err := os.ReadFile(path.Join("static", fields[0]))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != fields[3] {
			t.Errorf("%s is not %s %s as it was published", fields[0], fields[1], fields[2])
		}
		files++
	}
	if licence, err := os.ReadFile("static/htmx.LICENSE"); err != nil || len(licence) == 0 || files != 1 {
		t.Errorf("%d files, licence %v", files, err)
	}
}

// No page holds a script or a style of its own: the policy would stop it.
func TestNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:>|[^>]*[^r]>[^<])|hx-on|javascript:`)
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		body, err := pageFiles.ReadFile("pages/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.Find(body); found != nil {
			t.Errorf("%s: %s", f.Name(), found)
		}
	}
	for _, bad := range []string{`<p style="x">`, `<style>`, `<a onclick="x">`, `<script>x()</script>`} {
		if !inline.MatchString(bad) {
			t.Errorf("%s goes unnoticed", bad)
		}
	}
}

// A file's address names its content, and may be kept; an address of other content is nobody's.
func TestStatic(t *testing.T) {
	h := local(t)
	at := h.server.assets.paths["console.css"]
	got := h.page("", "GET", at, nil).shows(200, "--brand: #1677ff")
	if kept := got.Header().Get("Cache-Control"); !strings.Contains(kept, "immutable") || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/css") {
		t.Errorf("%s %s", kept, got.Header().Get("Content-Type"))
	}
	h.page("", "GET", "/static/console.css", nil).shows(404, "file_unknown")
	h.page("", "GET", "/static/..%2Fapi.go", nil).shows(404)
}

// Nobody sees a page: they are sent to the door, and back afterwards, but to no other site. Whoever may not, is told so in HTML.
func TestPagesAreGuarded(t *testing.T) {
	h := local(t)
	for _, r := range h.server.pageRoutes([]Role{people.Auditor}) {
		if r.Roles[0] == Public || r.Method != http.MethodGet {
			continue
		}
		target := strings.NewReplacer(":id", "0000000000002", ":number", "1", ":file", "x", ":action", "x", ":freeze", "x").Replace(r.Path)
		if got := h.page("", "GET", target, nil); got.Code != http.StatusSeeOther || !strings.HasPrefix(got.Header().Get("Location"), "/login?next="+url.QueryEscape(target)) {
			t.Errorf("%s: %d to %s", target, got.Code, got.Header().Get("Location"))
		}
	}
	if got := h.page("", "GET", "/findings", nil, "HX-Request", "true"); got.Header().Get("HX-Redirect") != "/login" {
		t.Errorf("a part of a page sends to %q", got.Header().Get("HX-Redirect"))
	}
	for _, next := range []string{"//elsewhere.example", `/\elsewhere.example`, "https://elsewhere.example", ""} {
		if got := nextOf(next); got != "/" {
			t.Errorf("%q goes to %s", next, got)
		}
	}
	h.page(maker, "GET", "/nowhere", nil).shows(404, "route_unknown", "<html")
	h.page(maker, "GET", "/findings?colour=red", nil).shows(400, "parameter_unknown", "请求号")
}

// The door takes the right password, says what is wrong with another, and lets out again.
func TestDoor(t *testing.T) {
	h := local(t)
	ctx := t.Context()
	_, invitation, err := h.server.People.Add(ctx, "admin", people.Order{Name: "新人", Staff: "N1"})
	if err != nil {
		t.Fatal(err)
	}
	const password = "Shuicheng-Dongchang-88"
	h.page("", "POST", "/invitation", url.Values{"token": {invitation}, "password": {password}, "again": {"other"}}).shows(422, "两次输入的密码不同")
	if got := h.page("", "POST", "/invitation", url.Values{"token": {invitation}, "password": {password}, "again": {password}}); got.Code != http.StatusSeeOther || got.Header().Get("Set-Cookie") == "" {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	h.page("", "POST", "/login", url.Values{"name": {"新人"}, "password": {"wrong"}}).shows(401, "登录", `value="新人"`)
	in := h.page("", "POST", "/login", url.Values{"name": {"新人"}, "password": {password}, "next": {"/findings?state=OPEN"}})
	if in.Code != http.StatusSeeOther || in.Header().Get("Location") != "/findings?state=OPEN" {
		t.Fatalf("%d to %s: %s", in.Code, in.Header().Get("Location"), in.Body)
	}
	request := httptest.NewRequest("GET", "/account", nil)
	request.AddCookie(in.Result().Cookies()[0])
	h.play(request).shows(200, "新人", "N1", "启用动态口令")
}

func TestHomePage(t *testing.T) {
	h := local(t)
	h.page(maker, "GET", "/", nil).shows(200, "总览", "对账单未到", "没有待处理的差异")
	h.misremitted()
	h.page(maker, "GET", "/?day=2026-06-12", nil).shows(200, "汇错子账号", "专线银行", `<svg class="chart"`, "/findings?state=TODO&amp;code=WRONG_SUB_ACCOUNT")
	h.get("/v1/overview").want(200, "")
}

// The queue keeps its filters in its address, and finds by what people have in hand.
func TestQueuePage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.misremitted()
		row := "<tr data-row"
		for search, rows := range map[string]int{payerName(1): 3, creditSerial(1): 2, "000000": 2, "LC-1": 3, "800,000.00": 4, "800000": 4, "不存在": 0} {
			got := h.page(maker, "GET", "/findings?"+url.Values{"search": {search}}.Encode(), nil).shows(200)
			if n := strings.Count(got.Body.String(), row); n != rows {
				t.Errorf("%s finds %d", search, n)
			}
			var counts FindingCounts
			h.get("/v1/findings/counts?"+url.Values{"search": {search}}.Encode()).want(200, "").into(&counts)
			if int(counts.Findings) != strings.Count(got.Body.String(), row) {
				t.Errorf("%s: %d are counted, %d shown", search, counts.Findings, strings.Count(got.Body.String(), row))
			}
		}
		got := h.page(maker, "GET", "/findings?state=TODO&limit=1&search=LC", nil).shows(200, "下一页", "limit=1")
		next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(got.Body.String())
		h.page(maker, "GET", strings.ReplaceAll(next[1], "&amp;", "&"), nil).shows(200, row, "回到首页")
	})
}

// All of it works by forms alone, without a script.
func TestFindingPageWithoutScript(t *testing.T) {
	h := local(t)
	h.misremitted()
	var found FindingPage
	h.get("/v1/findings?code=WRONG_SUB_ACCOUNT").want(200, "").into(&found)
	f := found.Findings[0]
	at := "/findings?open=" + f.ID.String()
	h.page(maker, "GET", at, nil).shows(200, "<html", "疑为 LC-2", "可信度高", `class="differs"`, "我来经办")
	act := func(values url.Values) *answer { return h.page(maker, "POST", "/findings/"+f.ID.String(), values) }
	if got := act(url.Values{"act": {"take"}, "version": {"1"}}); got.Code != http.StatusSeeOther || got.Header().Get("Location") != at {
		t.Fatalf("%d %s", got.Code, got.Header().Get("Location"))
	}
	act(url.Values{"act": {"comment"}, "note": {"已致电\r\n银行"}, "version": {"1"}})
	act(url.Values{"act": {"hand_over"}, "note": {"请核"}, "department": {"信息技术科"}, "version": {"99"}}).shows(409, "changed_meanwhile")
	act(url.Values{"act": {"settle"}, "version": {fmt.Sprint(f.Version)}}).shows(400, "缺少必填项")
	act(url.Values{"act": {"hand_over"}, "note": {"请核"}, "department": {"信息技术科"}, "version": {fmt.Sprint(f.Version)}})
	h.page(maker, "GET", at, nil).shows(200, "经办人 "+maker, "已致电 银行", "移交 信息技术科：请核", "责任科室 信息技术科")

	var story reconcile.FindingView
	h.get("/v1/findings/"+f.ID.String()).want(200, "").into(&story)
	if story.Owner != maker || len(story.History) < 3 || story.Suggestion == nil || story.Suggestion.Score != 100 {
		t.Errorf("the JSON twin tells %+v", story)
	}
	h.move(everybody, "/v1/findings/"+f.ID.String()+"/work", story.Version, `{"act":"comment","note":"再核"}`).want(200, "").into(&story)
	if last := story.History[len(story.History)-1]; last.Note != "再核" || last.Kind != reconcile.StepComment {
		t.Errorf("the last step is %+v", last)
	}
}

// One act on many: what is previewed is what is done, and nothing if it has changed.
func TestBulk(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.misremitted()
		h.strangers(2)
		preview := h.page(maker, "GET", "/findings/bulk?code=UNKNOWN_SUB_ACCOUNT", nil).shows(200, "将要处理 2 笔，合计 1,600,000.00 元")
		if strings.Count(preview.Body.String(), "<td class=\"id\">") != 2 {
			t.Errorf("%s", preview.Body)
		}
		do := func(count, total string) *answer {
			return h.page(maker, "POST", "/findings/bulk?code=UNKNOWN_SUB_ACCOUNT", url.Values{"act": {"explain"}, "note": {"统一回复"}, "count": {count}, "total": {total}})
		}
		do("1", "800000.00").shows(409, "changed_meanwhile", "现为 2 条")
		if got := do("2", "1600000.00"); got.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
		var counts FindingCounts
		if h.get("/v1/findings/counts?state=EXPLAINED").want(200, "").into(&counts); counts.Findings != 2 {
			t.Errorf("%+v", counts)
		}
		h.json("POST", "/v1/findings/moves?state=EXPLAINED", `{"act":"settle","note":"办结","count":2,"total":"1600000.00"}`).want(200, "")
		h.json("POST", "/v1/findings/moves?state=SETTLED", `{"act":"vanish","note":"x","count":2,"total":"1600000.00"}`).want(422, "act_unknown")
		got := h.page(maker, "POST", "/findings/choose?state=SETTLED", url.Values{"id": {"0000000000002", "0000000000003"}})
		if got.Header().Get("Location") != "/findings/bulk?id=0000000000002%2C0000000000003&state=SETTLED" {
			t.Errorf("to %s", got.Header().Get("Location"))
		}
	})
}

// Raw messages are shown as they came and as they were read – but of a sealed lot neither, nor that there is one.
func TestMessagePages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.push("msg-1", notice).want(200, "")
		h.push("msg-2", `{"half":`).want(422, "")
		var page MessagePage
		h.get("/v1/messages").want(200, "").into(&page)
		if len(page.Messages) != 2 || page.Sealed {
			t.Fatalf("%+v", page)
		}
		h.page(maker, "GET", "/messages", nil).shows(200, "开放银行", "到账通知", "拒收")
		h.page(maker, "GET", "/messages?outcome=NEW&bank=open&kind=NOTICE&day=2026-06-12", nil).shows(200, "已收")
		at := "/" + page.Messages[slices.IndexFunc(page.Messages, func(m bank.InboxRow) bool { return m.ExternalID == "msg-1" })].ID.String()
		shown := h.page(maker, "GET", "/messages"+at, nil).shows(200, "聊城市东昌建设工程有限公司", "260612000000042", "&#34;bank_serial&#34;")
		if strings.Contains(shown.Body.String(), "6212000000000000005") {
			t.Error("the page tells the payer's account")
		}
		h.get("/v1/messages"+at).want(200, "")
		h.now = h.now.Add(time.Minute)
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		h.push("msg-3", with(notice, "000042", "000043")).want(200, "")
		if h.get("/v1/messages").want(200, "").into(&page); len(page.Messages) != 2 || !page.Sealed {
			t.Errorf("a notice of a sealed time is listed: %+v", page)
		}
		id := h.kept()[2].ID.String()
		h.page(maker, "GET", "/messages/"+id, nil).shows(404, "message_unknown")
		h.get("/v1/messages/"+id).want(404, "message_unknown")
		h.get("/v1/messages/0000000000002").want(404, "message_unknown")
	})
}

func TestNumbersPage(t *testing.T) {
	h := local(t)
	h.page(maker, "GET", "/numbers", nil).shows(200, "没有号池")
	h.pool("line", lineParent+"-000001", lineParent+"-000002")
	h.page(maker, "GET", "/numbers", nil).shows(200, "专线银行", lineParent, "未预测")
	h.get("/v1/pools").want(200, "")
	h.page(maker, "GET", "/numbers?number="+lineParent+"-000001", nil).shows(200, "没有分配记录")
	h.page(maker, "GET", "/numbers?number=1", nil).shows(200, `role="alert"`)
}
