package api

import (
	"regexp"
	"strings"
	"testing"
)

// The page shows every route and every schema, and runs nothing: no script, no inline style, no other site.
func TestDocsPage(t *testing.T) {
	h := local(t)
	got := h.get("/v1/docs").want(200, "")
	page := got.Body.String()
	for path, item := range document().Paths.Map() {
		for method, op := range item.Operations() {
			if !strings.Contains(page, `id="`+op.OperationID+`"`) || !strings.Contains(page, path) {
				t.Errorf("%s %s is not shown", method, path)
			}
		}
	}
	for name := range document().Components.Schemas {
		if !strings.Contains(page, `<article id="`+name+`">`) {
			t.Errorf("the schema %s is not shown", name)
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("the link to %s leads nowhere", link[1])
		}
	}
	if found := regexp.MustCompile(`(?i)<script| style=|<style|https?://|javascript:| on\w+=|<no value>|%!`).FindAllString(page, -1); found != nil {
		t.Errorf("the page holds %q", found)
	}
	if policy := got.Header().Get("Content-Security-Policy"); policy != docsPolicy || strings.Contains(policy, "unsafe") {
		t.Errorf("its policy is %s", policy)
	}
	if style := h.get("/v1/docs.css").want(200, ""); style.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("its style is %s", style.Header().Get("Content-Type"))
	}
}

func TestProse(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"a `b` <c>":                         "<p>a <code>b</code> &lt;c&gt;</p>\n",
		"a\n\nb":                            "<p>a</p>\n<p>b</p>\n",
		"| a | b |\n|---|---|\n| `1` | 2 |": "<table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td><code>1</code></td><td>2</td></tr>\n</table>\n",
		"`<script>`":                        "<p><code>&lt;script&gt;</code></p>\n",
	} {
		if got := string(prose(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
