package api

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// drop drags files onto an element and lets them go there, as a person does from a folder.
func (s *screen) drop(selector string, files ...string) {
	s.t.Helper()
	var box struct{ X, Y float64 }
	s.do(chromedp.Evaluate(`(() => { const e = document.querySelector(`+quoted(selector)+`); e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + 8}; })()`, &box))
	dragged := &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1}
	for _, kind := range []input.DispatchDragEventType{input.DragEnter, input.DragOver, input.Drop} {
		s.do(chromedp.ActionFunc(func(ctx context.Context) error { return input.DispatchDragEvent(kind, box.X, box.Y, dragged).Do(ctx) }))
	}
}

// A list that is dropped on the upload's field is the file of its form: looked at row by row, mended, dropped again and taken.
func TestJourneyDrop(t *testing.T) {
	h := local(t)
	h.lost(5)
	file := func(name string, wrong ...int) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, filled(t, listRows(5, wrong...)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := h.screenOf(clerk)
	s.open("/refunds/upload")
	s.until(`(() => { document.querySelector('select[name=department]').value = '`+department+`'; return true; })()`, "no choice of departments")
	s.fill("input[name=reference]", "JS-0612")
	s.drop(".drop", file("bad.xlsx", 0, 2, 3))
	s.until(`document.querySelector('.drop input').files[0]?.name === 'bad.xlsx'`, "the file was not taken")
	s.click("button[value=check]")
	s.sees("#result", "3 行有误")
	s.drop(".drop", file("good.xlsx"))
	s.click("button[value=submit]")
	s.sees("h1", "TF-20260612-01")
}

// printed shows the page as on paper, holds it to what paper needs, and keeps it as a PDF where pictures are asked for.
func (s *screen) printed(name string) {
	s.t.Helper()
	s.do(emulation.SetEmulatedMedia().WithMedia("print"))
	s.until(`[...document.querySelectorAll('main table')].some(e => e.offsetHeight > 40)`, name+": no table is on the paper")
	s.until(`document.querySelector('.sign').offsetHeight > 0 && ['制表', '复核', '审批'].every(w => document.querySelector('.sign').textContent.includes(w))`, name+": nobody can sign")
	s.until(`[...document.querySelectorAll('main button, main .button, nav, .side')].every(e => !e.offsetHeight || e.closest('.crumbs'))`, name+": what is to be clicked is on the paper")
	if shots != "" { // a page of paper, less its margins
		var png []byte
		s.do(emulation.SetDeviceMetricsOverride(1032, 700, 1, false), chromedp.FullScreenshot(&png, 100), emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
		if err := os.WriteFile(filepath.Join(shots, name+".png"), png, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	var pdf []byte
	s.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
		return err
	}), emulation.SetEmulatedMedia().WithMedia(""))
	if !bytes.Contains(pdf, []byte("/MediaBox [0 0 841")) && !bytes.Contains(pdf, []byte("/MediaBox [0 0 842")) {
		s.t.Errorf("%s is not printed on A4 landscape", name)
	}
	if shots != "" {
		if err := os.WriteFile(filepath.Join(shots, name+".pdf"), pdf, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Every table that somebody signs by hand prints on A4 landscape, with the lines for who made, checked and approved it.
func TestPrinted(t *testing.T) {
	h := local(t)
	b := h.released(3)
	s := h.screenOf(maker)
	for name, path := range map[string]string{"paper-batch": "/refunds/batches/" + b.ID.String(), "paper-list": "/refunds/lists/" + h.key("SELECT id FROM refund_lists"), "paper-proposals": "/refunds", "paper-lists": "/refunds/lists",
		"paper-queue": "/findings", "paper-due": "/refunds/due", "paper-overview": "/", "paper-batches": "/refunds/batches"} {
		s.open(path)
		s.printed(name)
	}
}
