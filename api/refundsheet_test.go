package api

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"depositd/api/sheet"
	"depositd/api/sheet/sheettest"
	"depositd/bank"
)

var update = flag.Bool("update", false, "rewrite what tests compare in testdata/golden")

const csvHead = "入账日期,入账流水号,退付金额,收款户名,联行号,退付原因\n"

// csvRow is a right row of the i-th credit.
func csvRow(i int) string {
	return fmt.Sprintf("2026-06-12,%s,\"800,000.00\",%s,%s,未中标退还\n", creditSerial(i), payerName(i), bankCode)
}

const upload = "/v1/refund-lists?department=" + department + "&reference=R1"

// An upload's every fault is told at the row and the column that the person sees, whoever has found it.
func TestUploads(t *testing.T) {
	h := local(t)
	h.lost(2)
	h.server.Banks = only(t)
	row := csvRow(0)
	cases := []struct{ name, text, want string }{
		{"no such credit", csvHead + csvRow(1) + with(row, creditSerial(0), "7"), "3 bank_serial 入账流水号 receipt_unknown"},
		{"a cell and a line", csvHead + with(row, "2026-06-12", "2026-02-30") + "\n" + with(csvRow(1), payerName(1), "别的公司"), "2 booking_date 入账日期 day_malformed, 4 payee_account 收款账号 payee_differs"},
		{"digits lost", csvHead + with(row, creditSerial(0), "2.60612E+14"), "2 bank_serial 入账流水号 number_not_text"},
		{"a third decimal", csvHead + with(row, "800,000.00", "1.005"), "2 amount 退付金额 amount_decimals"},
		{"no such cause", csvHead + with(row, "未中标退还", "不想要了"), "2 cause 退付原因 cause_unknown"},
		{"a column that is not known", with(csvHead, "联行号", "联行") + row, "1  联行 column_unknown"},
		{"one that is missing", strings.Replace(csvHead, "入账流水号", "备注", 1) + row, "1 bank_serial 入账流水号 column_missing"},
		{"a bank's code with a slip", csvHead + with(row, bankCode, "402471000008"), "2 payee_bank_code 联行号 payee_bank_code_check_digit"},
		{"a character that the bank has not", csvHead + with(row, payerName(0), "𠮷公司"), "2 payee_account 收款账号 payee_differs, 2 payee_name 收款户名 payee_name_charset"},
	}
	for _, c := range cases {
		var refused RefusedList
		h.as(clerk, "POST", upload, csvType, c.text).want(422, "list_refused").into(&refused)
		var got []string
		for _, f := range refused.Faults {
			got = append(got, fmt.Sprintf("%d %s %s %s", f.Row, f.Column, f.ColumnName, f.Code))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, strings.Join(got, ", "), c.want)
		}
	}
	for text, code := range map[string]string{"": "header_missing", "a,b\n1,2\n": "header_missing", csvHead: "list_empty"} {
		h.as(clerk, "POST", upload, csvType, text).want(422, code)
	}
	h.as(clerk, "POST", upload, xlsxType, "PK").want(422, "xlsx_malformed")
	h.as(clerk, "POST", upload, "text/plain", row).want(415, "content_type")
	h.as(clerk, "POST", upload, csvType, strings.Repeat("x", sheet.MaxFile+1)).want(413, "body_too_large")
	h.as(clerk, "POST", upload+"&dry_run=x", csvType, row).want(400, "parameter_malformed")
	h.as(clerk, "POST", upload+"&note=a%0Ab", csvType, row).want(400, "parameter_malformed")
	h.as(clerk, "POST", "/v1/refund-lists?department="+department, csvType, csvHead+row).want(422, "field_missing")
	if h.count("refunds")+h.count("refund_lists") != 0 {
		t.Fatal("a refused upload left something")
	}
	var done Submitted
	h.as(clerk, "POST", upload+"&dry_run=1", csvType, csvHead+row).want(200, "").into(&done)
	if len(done.Refunds) != 1 || h.count("refunds") != 0 {
		t.Errorf("a dry run: %+v", done)
	}
	gbk, err := bank.GB18030.Encode(csvHead + row + with(csvRow(1), creditSerial(1), "7"))
	if err != nil {
		t.Fatal(err)
	}
	h.as(clerk, "POST", upload+"&valid_only=1", csvType, string(gbk)).want(201, "").into(&done)
	if len(done.Refunds) != 1 || len(done.Faults) != 1 || done.Faults[0].Row != 3 {
		t.Errorf("the valid ones only: %+v", done)
	}
	h.as(clerk, "POST", upload+"&valid_only=1", csvType, string(gbk)).want(200, "")
}

// only is a centre with one bank.
func only(t *testing.T) *bank.Set {
	t.Helper()
	line := strings.Split(banksYAML, "\n  - ")[2]
	set, err := bank.ParseSet([]byte("banks:\n  - "+line+"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// What a clerk does: the template filled in with a slip, the file back with the reason, mended and sent again.
func TestTemplateGoesRound(t *testing.T) {
	h := local(t)
	h.lost(1)
	template := h.get("/v1/refund-lists/template.xlsx").want(200, "").Body.Bytes()
	filled := sheettest.Fill(t, template, map[string]any{"A2": "LC-1", "B2": payerName(0), "C2": "专线银行", "D2": "2026/6/12", "E2": creditSerial(0), "F2": 800000.00, "H2": "6212000000000000099", "J2": bankCode, "K2": "未中标退还"})
	for _, ask := range [][]string{{upload + "&annotate=1"}, {upload, "Accept", xlsxType}} {
		got := h.as(clerk, "POST", ask[0], xlsxType, string(filled), ask[1:]...)
		if got.Code != 422 || got.Header().Get("Content-Type") != xlsxType || !strings.Contains(got.Header().Get("Content-Disposition"), "attachment") {
			t.Fatalf("got %d %s", got.Code, got.Body)
		}
		back := sheettest.Cells(t, got.Body.Bytes(), "退付名单")
		if !strings.Contains(back, "L1 @49 错误原因") || !strings.Contains(back, "L2 @49 收款账号：收款户名或账号与付款账户不一致") || !strings.Contains(back, "H2 @49 6212000000000000099") || !strings.Contains(back, "E2 @49 "+creditSerial(0)) {
			t.Errorf("the file came back as\n%s", back)
		}
		filled = sheettest.Fill(t, got.Body.Bytes(), map[string]any{})
	}
	mended := sheettest.Fill(t, filled, map[string]any{"H2": payerAccount(0)})
	var done Submitted
	h.as(clerk, "POST", upload, xlsxType, string(mended), "Accept", xlsxType).want(201, "").into(&done)
	if len(done.Refunds) != 1 || done.Refunds[0].PayeeAccount.Full() != masked(0) || done.Refunds[0].Amount.String() != "800000.00" {
		t.Errorf("stored %+v", done)
	}
}

func TestTemplateIsGolden(t *testing.T) {
	h := local(t)
	xlsx, csv := h.get("/v1/refund-lists/template.xlsx").want(200, ""), h.get("/v1/refund-lists/template.csv").want(200, "")
	if again := h.get("/v1/refund-lists/template.xlsx"); !bytes.Equal(xlsx.Body.Bytes(), again.Body.Bytes()) {
		t.Error("the template is other bytes each time")
	}
	got := sheettest.Cells(t, xlsx.Body.Bytes(), "退付名单") + "\n" + sheettest.Cells(t, xlsx.Body.Bytes(), "填写说明") + "\n" + csv.Body.String()
	file := filepath.Join("..", "testdata", "golden", "refund_template.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("the template is not the golden one (%v):\n%s", err, got)
	}
}
