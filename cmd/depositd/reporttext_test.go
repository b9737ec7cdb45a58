package main

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenReport = "../../testdata/golden/report.txt"

func yuan(s string) deposit.Fen {
	fen, err := deposit.ParseBalance(s)
	if err != nil {
		panic(err)
	}
	return fen
}

// aDay is a report with one of everything.
func aDay() *reconcile.Report {
	at := time.Date(2026, 6, 12, 8, 59, 59, 0, deposit.Shanghai)
	return &reconcile.Report{
		Day: "2026-06-12",
		Banks: []reconcile.BankReport{
			{Bank: "ccb", ParentAccount: "3705018860000000123", Currency: "CNY", DayFigures: &reconcile.DayFigures{Proof: bank.ProofOK, Opening: "12000000.00", Credits: yuan("2400000.00"),
				Debits: yuan("800000.00"), Closing: "13600000.00", Chain: reconcile.ChainOK, Arrived: true, State: reconcile.DayClosed, AtRoundCap: true,
				Statement: reconcile.Sides{Entries: 103, Credits: yuan("2400000.00"), Debits: yuan("800000.00")},
				Notices:   reconcile.Sides{Entries: 100, Credits: yuan("1600000.00")},
				Shortfall: reconcile.Shortfall{Credits: yuan("800000.00"), Debits: yuan("800000.00")}}},
			{Bank: "rural", ParentAccount: "9801000000000000036", Currency: "CNY", DayFigures: &reconcile.DayFigures{Proof: bank.ProofGap, Opening: "0.00", Credits: yuan("0.50"),
				Closing: "0.49", Gap: yuan("-0.01"), Chain: reconcile.ChainIsBroken, Arrived: true, State: reconcile.DayOpen,
				Statement: reconcile.Sides{Entries: 1, Credits: yuan("0.50")}, Shortfall: reconcile.Shortfall{Credits: yuan("0.50")}}},
			{Bank: "camt", ParentAccount: "CN00EXAM0000000000042", Currency: "CNY", DayFigures: &reconcile.DayFigures{Proof: bank.ProofNone, Chain: reconcile.ChainFirst, Arrived: true,
				Statement: reconcile.Sides{}}},
			{Bank: "open", ParentAccount: "6550100000000000017", Currency: "CNY", DayFigures: &reconcile.DayFigures{Proof: bank.ProofNone, Chain: reconcile.ChainFirst,
				Notices: reconcile.Sides{Entries: 2, Credits: yuan("160000.00")}}},
		},
		Counts: map[reconcile.Code]int64{reconcile.Matched: 98, reconcile.WrongSubAccount: 1, reconcile.Unpaid: 1, reconcile.AdviceMissing: 3, "NEW_CODE": 1},
		Findings: []reconcile.FindingRow{
			{Code: reconcile.WrongSubAccount, Reasons: []reconcile.Code{reconcile.WrongSubAccount, reconcile.LateCredit}, Amount: yuan("800000.00"), BookedAt: &at,
				SubAccount: "3705018860000000123-000147", Serial: "260612000000042", Lot: "LC-2026-0117", Payer: "聊城市东昌建设工程有限公司", Bidder: "山东鲁西路桥集团有限公司",
				SuggestedLot: "LC-2026-0121", SuggestedBidder: "聊城市东昌建设工程有限公司", Department: "建设工程科", State: reconcile.Open},
			{Code: reconcile.Unpaid, Reasons: []reconcile.Code{reconcile.Unpaid}, Lot: "LC-2026-0117", Bidder: "ＡＢＣ（中国）工程咨询与项目管理股份有限公司济南第一分公司", Department: "建设工程科",
				State: reconcile.Explained, Detail: "截至开标未到账"},
			{Code: reconcile.AdviceMissing, Reasons: []reconcile.Code{reconcile.AdviceMissing}, Amount: yuan("0.01"), Serial: "A-1", Payer: "张三\x1b[31m\n", Department: "信息技术科",
				State: reconcile.Settled},
		},
	}
}

func TestReportText(t *testing.T) {
	var b strings.Builder
	if err := writeReport(&b, aDay(), nil); err != nil {
		t.Fatal(err)
	}
	empty := &reconcile.Report{Day: "2026-06-13", Sealed: &reconcile.SealedPart{Lots: 3, Attention: reconcile.BandSome}, Banks: []reconcile.BankReport{
		{Bank: "ccb", ParentAccount: "3705018860000000123", Currency: "CNY", Sealed: true, Compared: true, Agrees: true},
		{Bank: "rural", ParentAccount: "9801000000000000036", Currency: "CNY", Sealed: true, Compared: true},
		{Bank: "open", ParentAccount: "6550100000000000017", Currency: "CNY", Sealed: true}}}
	if err := writeReport(&b, empty, nil); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenReport, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenReport)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the report differs from %s (rewrite it with -update if that is meant):\n%s", goldenReport, b.String())
	}
}

// TestReportColumns: every line of a table has its columns at the same display column.
func TestReportColumns(t *testing.T) {
	var table table
	table.add("差异", "金额", "户名")
	table.add("汇错子账号", "1.00", "甲")
	table.add("x", "1,000,000.00", "ＡＢＣ·乙")
	var b strings.Builder
	table.write(&b, "", 1)
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		for _, name := range []string{"户名", "甲", "ＡＢＣ·乙"} {
			if before, _, found := strings.Cut(line, name); found && displayWidth(before) != 26 {
				t.Errorf("%q stands at column %d, want 26:\n%s", name, displayWidth(before), b.String())
			}
		}
	}
}

func TestDisplayWidth(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "聊城": 4, "（ＡＢ）": 8, "é": 1, "e\u0301": 1, "𠮷": 2, "￥1": 3, "\u200b": 0} {
		if got := displayWidth(text); got != want {
			t.Errorf("displayWidth(%q) = %d, want %d", text, got, want)
		}
	}
	if got := fit("聊城市建设", 7); got != "聊城市…" || displayWidth(fit("聊城市建设", 6)) != 6 {
		t.Errorf("fit gives %q", got)
	}
}
