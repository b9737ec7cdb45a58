package bank

import (
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/platform/deposit"
)

// oneBank is a banks.yaml of one bank with these keys besides.
func oneBank(keys string) string {
	return "banks: [{code: a, adapter: gseries, statement: csv, parent_accounts: [\"37050\"], seal: {scheme: none}, " + keys + "}]"
}

func TestReachAndNumbers(t *testing.T) {
	for _, c := range []struct {
		keys    string
		reach   Reach
		numbers Numbers
	}{
		{"notices: single", Reach{}, Numbers{From: Loaded, QuarantineDays: 90, LeadDays: 5}},
		{"call: 'tcp://127.0.0.1:9000'", Reach{URL: "tcp://127.0.0.1:9000", Timeout: 30 * time.Second}, Numbers{From: Loaded, QuarantineDays: 90, LeadDays: 5}},
		{"call: {url: 'https://bank.example/front', timeout: 1m30s}, numbers: open", Reach{URL: "https://bank.example/front", Timeout: 90 * time.Second}, Numbers{From: OnDemand, QuarantineDays: 90, LeadDays: 5}},
		{"call: {url: 'tcp://84.1.2.3:9000', leased_line: true}, numbers: {from: open, quarantine_days: 1, lead_days: 0, low_water: 20}",
			Reach{"tcp://84.1.2.3:9000", 30 * time.Second, true}, Numbers{From: OnDemand, QuarantineDays: 1, LowWater: 20}},
		{"numbers: {quarantine_days: 180}", Reach{}, Numbers{From: Loaded, QuarantineDays: 180, LeadDays: 5}},
	} {
		b := parseSet(t, oneBank(c.keys)).Only()
		if b.Reach != c.reach || b.Numbers != c.numbers {
			t.Errorf("%s is %+v and %+v, want %+v and %+v", c.keys, b.Reach, b.Numbers, c.reach, c.numbers)
		}
		again := parseSet(t, parseSet(t, oneBank(c.keys)).Describe()).Only()
		if again.Reach != c.reach || again.Numbers != c.numbers {
			t.Errorf("%s is described as %+v and %+v", c.keys, again.Reach, again.Numbers)
		}
	}
	rural, err := parseSet(t, parseSet(t, ExampleSet).Describe()).Bank("rural")
	if err != nil || rural.Numbers.From != Computed || rural.Numbers.Rule.Count() != 9999 || rural.Numbers.LeadDays != 10 {
		t.Errorf("the rule is described as %+v, %v", rural, err)
	}
}

func TestReachAndNumbersComplain(t *testing.T) {
	for keys, want := range map[string][]string{
		"call: 127.0.0.1":                                      {"call.url", "银行地址应如"},
		"call: 'tcp://127.0.0.1'":                              {"主机和端口"},
		"call: 'tcp://127.0.0.1:0'":                            {"主机或端口不对"},
		"call: 'tcp://127.0.0.1:99999'":                        {"银行 a：call.url"},
		"call: 'tcp://127.0.0.1:9000/x'":                       {"主机和端口"},
		"call: 'ftp://127.0.0.1:9000'":                         {"tcp://、https:// 或 http://"},
		"call: 'https://u:secret@bank/'":                       {"口令"},
		"call: 'https://bank/?key=1'":                          {"参数"},
		"call: 'https://'":                                     {"银行地址应如"},
		"call: 'https://:443/'":                                {"主机或端口不对"},
		"call: 'http://bank.example/'":                         {"不加密", "leased_line: true"},
		"call: 'http://84.1.2.3/'":                             {"不加密"},
		"call: 'tcp://front.bank:9000'":                        {"不加密"},
		"call: {}":                                             {"缺少银行地址"},
		"call: {timeout: 30s}":                                 {"缺少银行地址"},
		"call: [x]":                                            {"此处应为一个值"},
		"call: {url: 'https://b/', wait: 1}":                   {"没有名为“wait”的键", "url、timeout、leased_line"},
		"call: {url: 'https://b/', timeout: 30}":               {"call.timeout", "如 30s"},
		"call: {url: 'https://b/', timeout: 6m}":               {"1s 到 5m0s"},
		"call: {url: 'https://b/', leased_line: 1}":            {"true 或 false"},
		"payout_folder: out, payout: none, result_folder: out": {"payout_folder", "应与 payout_folder 不同"},
		"charset: GBK}, {code: b, adapter: csv, notices: none, parent_accounts: [1], seal: {scheme: none}, payout_folder: out":                           {"银行 b：payout_folder", "不能付款"},
		"charset: GBK}, {code: b, adapter: delimited, notices: none, parent_accounts: [1], seal: {scheme: none}, call: 'https://b/', payout_folder: out": {"只能写一项"},
		"numbers: buy":  {"load", "open", "rule", "buy"},
		"numbers: open": {"请配置 call"},
		"numbers: {from: open, rule: '{parent}{1..2}'}": {"只有 from: rule"},
		"numbers: rule":                                         {"缺少号码规则"},
		"numbers: {from: rule, rule: '37050-1'}":                {"应含一个范围"},
		"numbers: {from: rule, rule: '{1..20}'}":                {"位数应相同"},
		"numbers: {from: rule, rule: '{20..10}'}":               {"起点大于终点"},
		"numbers: {from: rule, rule: '{0000000..9999999}'}":     {"最多 1000000 个"},
		"numbers: {from: rule, rule: '{parent} {1..2}'}":        {"1 到 40 位"},
		"numbers: {from: rule, rule: '{parent}-{1..2}-{1..2}'}": {"应含一个范围"},
		"numbers: {quarantine_days: 0}":                         {"numbers.quarantine_days", "1 到 3650"},
		"numbers: {quarantine_days: -1}":                        {"1 到 3650"},
		"numbers: {lead_days: soon}":                            {"numbers.lead_days"},
		"numbers: {low_water: 1.5}":                             {"numbers.low_water"},
		"numbers: {quarantine: 90}":                             {"没有名为“quarantine”的键"},
		"charset: GBK}, {code: b, adapter: csv, notices: none, parent_accounts: [1], seal: {scheme: none}, call: 'https://b/', numbers: open": {
			"银行 b：call：报文格式 csv 不能向银行发出请求", "银行 b：numbers.from：报文格式 csv 不能向银行申请子账号"},
		"charset: GBK}, {code: b, adapter: gseries, statement: csv, parent_accounts: [1, 2], seal: {scheme: none}, numbers: {from: rule, rule: '7-{1..9}'}": {
			"银行 b：numbers.rule", "没有 {parent}"},
	} {
		_, err := ParseSet([]byte(oneBank(keys)), keyFiles)
		text := deposit.AsRefusal(err).Text
		for _, say := range want {
			if err == nil || !strings.Contains(text, say) {
				t.Errorf("%s: %q is not in\n%s", keys, say, text)
			}
		}
		if strings.Contains(text, "secret") {
			t.Errorf("%s: a password is told\n%s", keys, text)
		}
	}
}

// TestOwnNetwork: where a message may go that everybody on the way can read.
func TestOwnNetwork(t *testing.T) {
	for url, may := range map[string]bool{
		"tcp://127.0.0.1:9000": true, "tcp://[::1]:9000": true, "http://localhost/": true, "http://10.1.2.3:8080/front": true, "tcp://192.168.1.2:9000": true,
		"http://172.16.0.1/": true, "tcp://[fd00::1]:9000": true, "https://bank.example/": true,
		"http://172.32.0.1/": false, "tcp://8.8.8.8:9000": false, "tcp://0.0.0.0:9000": false, "http://localhost.example/": false, "http://127.0.0.1.example/": false,
	} {
		if err := (Reach{URL: url}).check(); (err == nil) != may {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestRule(t *testing.T) {
	for _, c := range []struct {
		text    string
		parents []string
		want    []string // of the last parent account
	}{
		{"{parent}-{000008..000010}", []string{"1", "37050"}, []string{"37050-000008", "37050-000009", "37050-000010"}},
		{"37198{1..2}", []string{"37050"}, []string{"371981", "371982"}},
		{"9{08..10}7{parent}", []string{"5"}, []string{"90875", "90975", "91075"}},
		{"{7..7}", []string{"5"}, []string{"7"}},
	} {
		rule, err := ParseRule(c.text, c.parents)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := slices.Collect(rule.Of(c.parents[len(c.parents)-1])); !slices.Equal(got, c.want) || rule.Count() != len(c.want) || rule.String() != c.text {
			t.Errorf("%s gives %q, want %q", c.text, got, c.want)
		}
	}
	for range (Rule{}).Of("1") {
		t.Error("no rule gives a number")
	}
	if _, err := ParseRule("{parent}\x00{1..2}", []string{"1"}); err == nil {
		t.Error("a NUL byte passes")
	}
}
