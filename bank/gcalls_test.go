package bank

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	callHead = CallHead{Serial: "00000017", At: time.Date(2026, 6, 12, 1, 30, 0, 0, time.UTC)}
	callBank = &Bank{Code: "ccb", Adapter: gseries, ParentAccounts: []string{"3705018860000000123"}, Charset: GB18030, Notices: Single}
	thisOne  = OfNumber{"3705018860000000123", "3705018860000000123-000147"}
	forTwo   = Opening{"3705018860000000123", "JM0000000012", time.Date(2026, 7, 3, 1, 0, 0, 0, time.UTC)}
)

// TestGRequests: the bytes on the wire, head and body, to the last one.
func TestGRequests(t *testing.T) {
	for name, ask := range map[string]func() ([]byte, error){
		"G00003": func() ([]byte, error) { return gCalls.Open.Ask(callHead, forTwo) },
		"G00004": func() ([]byte, error) { return gCalls.Close.Ask(callHead, thisOne) },
		"G00005": func() ([]byte, error) { return gCalls.Credit.Ask(callHead, thisOne) },
		"G00009": func() ([]byte, error) { return gCalls.Link.Ask(callHead, LinkTest{}) },
		"G00013": func() ([]byte, error) { return gCalls.Left.Ask(callHead, OfParent{thisOne.Parent}) },
	} {
		got, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("..", "testdata", "golden", "call_"+name+".xml")
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is\n%s, want\n%s", name, got, want)
		}
	}
}

// TestGRequestsRefuse: what a bank would not understand is not sent.
func TestGRequestsRefuse(t *testing.T) {
	opening := func(change func(*Opening)) func() ([]byte, error) {
		o := forTwo
		change(&o)
		return func() ([]byte, error) { return gCalls.Open.Ask(callHead, o) }
	}
	for code, asks := range map[string][]func() ([]byte, error){
		"call_key_malformed": {
			opening(func(o *Opening) { o.Key = "" }), opening(func(o *Opening) { o.Key = "JM00000000123" }), opening(func(o *Opening) { o.Key = "竞买号" }), opening(func(o *Opening) { o.Key = "A B" }),
		},
		"until_range":      {opening(func(o *Opening) { o.Until = time.Time{} }), opening(func(o *Opening) { o.Until = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) })},
		"number_malformed": {opening(func(o *Opening) { o.Parent = "3705<018>" }), func() ([]byte, error) { return gCalls.Close.Ask(callHead, OfNumber{"1", "1 2"}) }},
		"field_missing": {
			opening(func(o *Opening) { o.Parent = "" }), func() ([]byte, error) { return gCalls.Credit.Ask(callHead, OfNumber{"1", ""}) }, func() ([]byte, error) { return gCalls.Left.Ask(callHead, OfParent{}) },
		},
		"call_serial_malformed": {
			func() ([]byte, error) { return gCalls.Link.Ask(CallHead{}, LinkTest{}) }, func() ([]byte, error) { return gCalls.Link.Ask(CallHead{Serial: strings.Repeat("1", 21)}, LinkTest{}) },
		},
	} {
		for _, ask := range asks {
			_, err := ask()
			refused(t, err, code, "")
		}
	}
}

// answered writes an answer of a bank in GBK.
func answered(code, body string) []byte {
	text, err := simplifiedchinese.GBK.NewEncoder().String(`<?xml version="1.0" encoding="GBK"?><root><head><TransCode>` + code + `</TransCode><SeqNo>093000</SeqNo></head><body>` + body + `</body></root>`)
	if err != nil {
		panic(err)
	}
	return []byte(text)
}

// outcome reads an answer and says in a word what became of the call: the value, or the code of what is wrong.
func outcome[Q, A any](how *Question[Q, A], q Q, raw []byte) string {
	answer, result, err := how.heard(callBank, q, raw)
	switch CallOutcomeOf(err) {
	case CallDone:
		return fmt.Sprint(result, " ", answer)
	case CallRefused:
		return "no " + result
	case CallUnknown:
		var failed *CallError
		_ = errors.As(err, &failed)
		return "? " + deposit.AsRefusal(failed.cause).Code
	}
	return "unsent"
}

func TestGAnswersAreRead(t *testing.T) {
	const number = "<AcctNo>3705018860000000123-000147</AcctNo>"
	open := func(body string) string { return outcome(gCalls.Open, forTwo, answered(gOpen, body)) }
	shut := func(body string) string { return outcome(gCalls.Close, thisOne, answered(gClose, body)) }
	left := func(body string) string {
		return outcome(gCalls.Left, OfParent{thisOne.Parent}, answered(gLeft, body))
	}
	link := func(body string) string { return outcome(gCalls.Link, LinkTest{}, answered(gLinkTest, body)) }
	for _, c := range []struct {
		read       func(string) string
		body, want string
	}{
		{open, "<Result>00</Result>" + number, "00 {3705018860000000123-000147 false}"},
		{open, "<Result> 00\n</Result><AddWord>申请成功</AddWord>" + number, "00 {3705018860000000123-000147 false}"},
		{open, "<Result>01</Result>" + number, "01 {3705018860000000123-000147 true}"},
		{open, "<Result>01</Result>", "01 { true}"}, // some banks do not repeat it
		{open, "<Result>00</Result>", "? field_missing"},
		{open, "<Result>00</Result><AcctNo>子账号</AcctNo>", "? number_malformed"},
		{open, "<Result>00</Result><AcctNo>" + strings.Repeat("1", 41) + "</AcctNo>", "? number_malformed"},
		{open, "<Result>00</Result>" + number + number, "? field_repeated"},
		{open, "<Result>02</Result>", "no 02"},
		{open, "<Result>09</Result>" + number, "no 09"},
		{open, "<Result>99</Result>", "no 99"},
		{open, "<Result>0</Result>" + number, "? result_unknown"},
		{open, "<Result>10</Result>" + number, "? result_unknown"},
		{open, number, "? field_missing"},
		{shut, "<Result>00</Result>", "00 {false}"},
		{shut, "<Result>01</Result>", "01 {true}"},
		{shut, "<Result>00</Result><InMemo>3705018860000000123-000147</InMemo>", "00 {false}"},
		{shut, "<Result>00</Result><InMemo>3705018860000000123-000148</InMemo>", "? answer_to_another"},
		{shut, "<Result>09</Result><AddWord>余额不为零</AddWord>", "no 09"},
		{left, "<InSurplus>7</InSurplus><TotalNum>100</TotalNum>", " {7 100}"}, // a bank that gives no result
		{left, "<Result>00</Result><InSurplus>0</InSurplus><TotalNum>100</TotalNum>", "00 {0 100}"},
		{left, "<Result>00</Result><InSurplus>101</InSurplus><TotalNum>100</TotalNum>", "? count_impossible"},
		{left, "<Result>00</Result><InSurplus>-1</InSurplus><TotalNum>100</TotalNum>", "? count_malformed"},
		{left, "<Result>00</Result><InSurplus>7.0</InSurplus><TotalNum>100</TotalNum>", "? count_malformed"},
		{left, "<Result>00</Result><TotalNum>100</TotalNum>", "? field_missing"},
		{left, "<Result>09</Result><InSurplus>7</InSurplus><TotalNum>100</TotalNum>", "no 09"},
		{link, "<Result>00</Result>", "00 {}"},
		{link, "<Result>01</Result>", "? result_unknown"},
		{link, "", "? field_missing"},
	} {
		if got := c.read(c.body); got != c.want {
			t.Errorf("%s is read as %q, want %q", c.body, got, c.want)
		}
	}
	if got := outcome(gCalls.Open, forTwo, answered(gClose, "<Result>00</Result>"+number)); got != "? answer_to_another" {
		t.Errorf("the answer to another question is read as %q", got)
	}
}

const (
	creditOne = "<InDate>20260612092958</InDate><InAmount>800000.00</InAmount><InName>聊城市东昌建设工程有限公司</InName><InAcct>6212000000000000005</InAcct><InBankFLCode>260612000000042</InBankFLCode>"
	creditTwo = "<InDate>20260612100000</InDate><InAmount>0.01</InAmount><InName>茌平水利工程有限公司</InName><InAcct>6212000000000000006</InAcct><InBankFLCode>260612000000043</InBankFLCode>"
	twoTold   = "<Result>00</Result><InMemo>3705018860000000123-000147</InMemo><Count>2</Count>"
)

// TestGCreditsOfEveryShape: what the list and its rows are called differs from bank to bank; the money does not.
func TestGCreditsOfEveryShape(t *testing.T) {
	for _, body := range []string{
		twoTold + `<listEntity><Entity rowNum="0">` + creditOne + `</Entity><Entity rowNum="1">` + creditTwo + `</Entity></listEntity>`,
		twoTold + `<list><Entity rowNum="0">` + creditOne + `</Entity><Entity rowNum="1">` + creditTwo + `</Entity></list>`,
		twoTold + `<Entity>` + creditOne + `</Entity><Entity>` + creditTwo + `</Entity>`,
		twoTold + `<listEntity>` + creditOne + `</listEntity><listEntity>` + creditTwo + `</listEntity>`,
		twoTold + `<listEntity><rows><Entity0>` + creditOne + `</Entity0></rows><rows><Entity1>` + creditTwo + `</Entity1></rows></listEntity>`,
		twoTold + "\n<listEntity>\n\t<Entity>\n" + creditOne + "\n</Entity>\n\t<Entity>" + creditTwo + "</Entity>\n</listEntity>\n<page><No>1</No></page>",
	} {
		got, _, err := gCalls.Credit.heard(callBank, thisOne, answered(gCredits, body))
		if err != nil || len(got.Entries) != 2 {
			t.Errorf("%v: %d credits in\n%s", err, len(got.Entries), body)
			continue
		}
		want := Entry{Bank: "ccb", ParentAccount: thisOne.Parent, SubAccount: thisOne.Number, Serial: "260612000000042", BookingDate: "2026-06-12", Direction: Credit, Amount: 800000_00,
			BookedAt: got.Entries[0].BookedAt, PayerName: "聊城市东昌建设工程有限公司", PayerKey: deposit.NameKey("聊城市东昌建设工程有限公司"), PayerAccount: "6212000000000000005"}
		if got.Entries[0] != want || deposit.Wall(want.BookedAt) != "2026-06-12 09:29:58" || got.Entries[1].Amount != 1 {
			t.Errorf("read as %+v", got.Entries)
		}
	}
	one := strings.Replace(twoTold, "2</Count>", "1</Count>", 1)
	for body, want := range map[string]string{
		one + creditOne: "1", // a single one in the body itself
		one + "<listEntity><Entity>" + creditOne + "</Entity></listEntity>": "1",
		"<Count>0</Count>":                          "0",
		"<Result>00</Result><Count>00</Count>":      "0",
		"<Count>0</Count><listEntity/>":             "0",
		"<Count>0</Count><listEntity></listEntity>": "0",
		"<Result>00</Result>":                       "? field_missing",
		one:                                         "? count_differs",
		twoTold + "<list><Entity>" + creditOne + "</Entity></list>":                                              "? count_differs", // cut at a round number
		"<Count>1</Count><listEntity>" + creditOne + creditTwo + "</listEntity>":                                 "? field_repeated",
		"<Count>1</Count><list><Entity>" + strings.Replace(creditOne, "0.00<", "0.001<", 1) + "</Entity></list>": "? amount_decimals",
		"<Count>1</Count><list><Entity><InName>甲公司</InName></Entity></list>":                                     "? field_missing",
		"<Result>02</Result>": "no 02",
	} {
		got, _, err := gCalls.Credit.heard(callBank, thisOne, answered(gCredits, body))
		said := fmt.Sprint(len(got.Entries))
		if err != nil {
			said = outcome(gCalls.Credit, thisOne, answered(gCredits, body))
		}
		if said != want {
			t.Errorf("%s is read as %s, want %s", body, said, want)
		}
	}
}

// TestAnswersInAnyCharset: an answer in UTF-8 under a GBK header is no mojibake; a character that is none is refused.
func TestAnswersInAnyCharset(t *testing.T) {
	gbk := answered(gCredits, twoTold+"<Entity>"+creditOne+"</Entity><Entity>"+creditTwo+"</Entity>")
	plain, _ := simplifiedchinese.GBK.NewDecoder().Bytes(gbk)
	for _, raw := range [][]byte{gbk, plain, append(slices.Clone(gbk), "\x00\x00 \r\n"...)} {
		got, _, err := gCalls.Credit.heard(callBank, thisOne, raw)
		if err != nil || got.Entries[0].PayerName != "聊城市东昌建设工程有限公司" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got := outcome(gCalls.Credit, thisOne, bytes.Replace(gbk, []byte{0xC1, 0xC4}, []byte{0xC1, 0xFF}, 1)); got != "? charset" {
		t.Errorf("half a character is read as %q", got)
	}
}

// hostile tells what a reader makes of an answer that is cut short or has a byte flipped: it must not panic, and what is
// cut within its root has no value.
func hostile[Q, A any](how *Question[Q, A], q Q, raw []byte) (breaches []string) {
	try := func(what string, raw []byte) (err error) {
		defer func() {
			if p := recover(); p != nil {
				breaches = append(breaches, fmt.Sprintf("%s: panicked: %v", what, p))
			}
		}()
		_, _, err = how.Read(callBank, q, raw)
		return err
	}
	for n := range raw {
		if try(fmt.Sprint("cut at ", n), raw[:n]) == nil {
			breaches = append(breaches, fmt.Sprintf("the first %d bytes are an answer", n))
		}
		for _, flip := range []byte{0x01, 0x20, 0x80, 0xFF} {
			flipped := slices.Clone(raw)
			flipped[n] ^= flip
			_ = try(fmt.Sprintf("flipped at %d", n), flipped)
		}
	}
	return breaches
}

func TestHostileAnswers(t *testing.T) {
	breaches := slices.Concat(
		hostile(gCalls.Open, forTwo, answered(gOpen, "<Result>00</Result><AddWord>申请成功</AddWord><AcctNo>3705018860000000123-000147</AcctNo>")),
		hostile(gCalls.Close, thisOne, answered(gClose, "<Result>00</Result><InMemo>3705018860000000123-000147</InMemo>")),
		hostile(gCalls.Left, OfParent{thisOne.Parent}, answered(gLeft, "<Result>00</Result><InSurplus>7</InSurplus><TotalNum>100</TotalNum>")),
		hostile(gCalls.Link, LinkTest{}, answered(gLinkTest, "<Result>00</Result>")),
		hostile(gCalls.Credit, thisOne, answered(gCredits, twoTold+"<listEntity><Entity>"+creditOne+"</Entity><Entity>"+creditTwo+"</Entity></listEntity>")))
	if len(breaches) > 0 {
		t.Errorf("%d breaches, such as %s", len(breaches), breaches[0])
	}
}

// TestHostileCatches shows that the harness can fail, and that a reader's panic costs the service nothing.
func TestHostileCatches(t *testing.T) {
	careless := &Question[LinkTest, byte]{"toy", nil, func(_ *Bank, _ LinkTest, raw []byte) (byte, string, error) { return raw[3], "00", nil }}
	breaches := hostile(careless, LinkTest{}, []byte("00000"))
	if len(breaches) == 0 || !strings.Contains(breaches[0], "panicked") || !slices.Contains(breaches, "the first 4 bytes are an answer") {
		t.Errorf("a careless reader has only the breaches %q", breaches)
	}
	if got := outcome(careless, LinkTest{}, []byte("0")); got != "? internal" {
		t.Errorf("a panic is %q", got)
	}
}

func FuzzGAnswers(f *testing.F) {
	f.Add(answered(gOpen, "<Result>00</Result><AcctNo>3705018860000000123-000147</AcctNo>"))
	f.Add(answered(gClose, "<Result>01</Result>"))
	f.Add(answered(gLeft, "<InSurplus>7</InSurplus><TotalNum>100</TotalNum>"))
	f.Add(answered(gLinkTest, "<Result>00</Result>"))
	f.Add(answered(gCredits, twoTold+"<listEntity><Entity>"+creditOne+"</Entity><Entity>"+creditTwo+"</Entity></listEntity>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if o, _, err := gCalls.Open.Read(callBank, forTwo, raw); err == nil && checkNumber("", o.Number) != nil && !o.Again {
			t.Errorf("an impossible number %q", o.Number)
		}
		if l, _, err := gCalls.Left.Read(callBank, OfParent{thisOne.Parent}, raw); err == nil && (l.Free < 0 || l.Used() < 0) {
			t.Errorf("an impossible count %+v", l)
		}
		_, _, _ = gCalls.Close.Read(callBank, thisOne, raw)
		_, _, _ = gCalls.Link.Read(callBank, LinkTest{}, raw)
		credited, _, err := gCalls.Credit.Read(callBank, thisOne, raw)
		for i := range credited.Entries {
			if e := &credited.Entries[i]; err == nil && (e.Check() != nil || e.SubAccount != thisOne.Number) {
				t.Errorf("an impossible entry %+v", e)
			}
		}
	})
}
