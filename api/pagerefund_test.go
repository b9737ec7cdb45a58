package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"depositd/api/sheet"
	"depositd/bank"
	"depositd/bank/banksim"
)

// sendFile plays the upload of a file by a form.
func (h *house) sendFile(person, name string, file []byte, fields map[string]string) *answer {
	h.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for field, value := range fields {
		_ = form.WriteField(field, value)
	}
	part, _ := form.CreateFormFile("file", name)
	_, _ = part.Write(file)
	_ = form.Close()
	request := httptest.NewRequest("POST", "/refunds/upload", &body)
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie(person)})
	return h.play(request)
}

// listRows are rows of a list for the first n credits; those that are wrong name a serial that nobody has.
func listRows(n int, wrong ...int) (rows []map[string]string) {
	for i := range n {
		row := map[string]string{"bank": "line", "booking_date": "2026-06-12", "bank_serial": creditSerial(i), "payee_bank_code": bankCode}
		for _, w := range wrong {
			if w == i {
				row["bank_serial"] = "999" + creditSerial(i)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func filled(t *testing.T, rows []map[string]string) []byte {
	t.Helper()
	file, err := sheet.Filled(listSheet, listColumns, nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A file with three bad rows comes back with the reasons in it and leaves nothing behind; mended, it is a list.
func TestUploadPage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(5)
		fields := map[string]string{"department": department, "reference": "R1", "act": "check"}
		got := h.sendFile(clerk, "名单.xlsx", filled(t, listRows(5, 1, 2, 4)), fields).shows(200, "3 行有误", "另有 2 行无误", "入账流水号", "download=")
		link := regexp.MustCompile(`href="data:[^"]*;base64,([^"]+)"`).FindStringSubmatch(got.Body.String())
		back, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(link[1], "&#43;", "+"))
		if err != nil {
			t.Fatal(err)
		}
		table, err := sheet.ReadXLSX(back, listSheet, listColumns)
		if err != nil || len(table.Rows) != 5 {
			t.Fatalf("the file that came back: %v", err)
		}
		fields["act"] = "submit"
		h.sendFile(clerk, "名单.xlsx", filled(t, listRows(5, 1, 2, 4)), fields).shows(200, "3 行有误")
		if h.count("refunds") != 0 {
			t.Fatal("a refused list left refunds behind")
		}
		h.sendFile(clerk, "名单.xlsx", filled(t, listRows(5)), map[string]string{"department": department, "reference": "R2"}).shows(200, "5 行全部无误", "4,000,000.00")
		done := h.sendFile(clerk, "名单.xlsx", filled(t, listRows(5)), fields)
		if done.Code != http.StatusSeeOther || h.count("refunds") != 5 {
			t.Fatalf("%d %s", done.Code, done.Body)
		}
		h.page(clerk, "GET", done.Header().Get("Location"), nil).shows(200, payerName(4), "综合科组批")
		h.page(clerk, "GET", "/refunds/lists", nil).shows(200, "4,000,000.00", clerk)
		h.sendFile(clerk, "名单.pdf", []byte("%PDF"), fields).shows(422, "不是 .xlsx")
	})
}

// Proposals are accepted, made a batch, checked and released by three persons, each of whom enters count and total.
func TestRefundPages(t *testing.T) {
	h := local(t)
	h.lost(2)
	got := h.page(clerk, "GET", "/refunds", nil).shows(200, "未中标退还", payerName(0), "1,600,000.00")
	h.page(clerk, "GET", "/refunds/due", nil).shows(200, "周一", "2026-06-12")
	h.page(clerk, "POST", "/refunds", url.Values{"department": {department}, "reference": {"R1"}}).shows(422, "nothing_chosen")
	var credits []string
	for _, m := range regexp.MustCompile(`name="credit" value="(\w+)"`).FindAllStringSubmatch(got.Body.String(), -1) {
		credits = append(credits, m[1])
	}
	taken := h.page(clerk, "POST", "/refunds", url.Values{"department": {department}, "reference": {"R1"}, "credit": credits, "note": {"首批"}})
	if taken.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", taken.Code, taken.Body)
	}
	h.page(clerk, "GET", taken.Header().Get("Location"), nil).shows(200, "首批")
	drafts := h.page(maker, "GET", "/refunds/batches", nil).shows(200, "待组批", "还没有批次")
	var lines []string
	for _, m := range regexp.MustCompile(`name="line" value="(\w+)"`).FindAllStringSubmatch(drafts.Body.String(), -1) {
		lines = append(lines, m[1])
	}
	at := h.page(maker, "POST", "/refunds/batches", url.Values{"line": lines}).Header().Get("Location")
	h.page(maker, "GET", at, nil).shows(200, "复核人不能是制单人")
	sign := func(person, act, count, total string) *answer {
		shown := h.page(person, "GET", at, nil).shows(200, "签字内容").Body.String()
		field := func(name string) string {
			found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(shown)
			if found == nil {
				t.Fatalf("%s may not %s: %s", person, act, shown)
			}
			return found[1]
		}
		return h.page(person, "POST", at+"/"+act, url.Values{"version": {field("version")}, "digest": {field("digest")}, "count": {count}, "total": {total}})
	}
	sign(checker, "check", "1", "1,600,000.00").shows(422)
	if got := sign(checker, "check", "2", "1,600,000.00"); got.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	h.page(checker, "GET", at, nil).shows(200, "放行人不能是制单人或复核人")
	if got := sign(releaser, "release", "2", "1600000"); got.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	h.page(maker, "GET", at, nil).shows(200, "已放行", `hx-trigger="every 3s"`)
	h.page(maker, "GET", at, nil, "HX-Request", "true").shows(200, "<progress")
	h.page(maker, "GET", at+"/corrected.xlsx", nil).shows(409, "nothing_failed")
}

// A batch that partly fails tells why line by line, and gives the failed ones back as a list that can be submitted again.
func TestFailedLinesComeBack(t *testing.T) {
	h := newHouse(t, "sqlite:"+t.TempDir()+"/deposit.db", with(banksYAML, "payout: gseries", "payout: delimited")) // its answers tell line by line
	b := h.released(3)
	h.partlyFailed()
	got := h.page(maker, "GET", "/refunds/batches/"+b.ID.String(), nil).shows(200, "退付失败", "可重新提交")
	file := h.page(maker, "GET", "/refunds/batches/"+b.ID.String()+"/corrected.xlsx", nil).shows(200)
	table, err := sheet.ReadXLSX(file.Body.Bytes(), listSheet, listColumns)
	if err != nil || len(table.Rows) == 0 || len(table.Faults) != 0 {
		t.Fatalf("%v %+v: %s", err, table, got.Body)
	}
	h.sendFile(clerk, "更正.xlsx", file.Body.Bytes(), map[string]string{"department": department, "reference": "R2"}).shows(200, fmt.Sprint(len(table.Rows), " 行全部无误"))
}

// partlyFailed lets the bank pay all of a released batch but its first line.
func (h *house) partlyFailed() {
	h.t.Helper()
	first := true
	h.pay(func(*rand.Rand, bank.PayLine) banksim.Fate {
		if first {
			first = false
			return banksim.Refuses
		}
		return banksim.Pays
	})
	if h.count("refunds WHERE state = 'FAILED'") != 1 {
		h.t.Fatal("no line failed")
	}
}
