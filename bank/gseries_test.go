package bank

import (
	"bytes"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

var gBank = &Bank{Code: "ccb", Adapter: gseries, ParentAccounts: []string{"3705018860000000123"}, Charset: GB18030, Notices: Single}

// gSample reads a file of testdata/bank/gseries.
func gSample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "bank", "gseries", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// toGBK writes a message as banks do.
func toGBK(t testing.TB, s string) []byte {
	t.Helper()
	b, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenCredit is what credit.xml says, changed as a test likes.
func goldenCredit(change func(*Entry)) Entry {
	e := Entry{
		Bank: "ccb", ParentAccount: "3705018860000000123", SubAccount: "3705018860000000123-000147",
		BookingDate: "2026-06-12", BookedAt: time.Date(2026, 6, 12, 9, 29, 58, 0, deposit.Shanghai),
		Serial: "260612000000042", Direction: Credit, Amount: 800000_00,
		PayerName: "聊城市东昌建设工程有限公司", PayerAccount: "6212000000000000005",
	}
	if change != nil {
		change(&e)
	}
	return e
}

func TestGNoticeReads(t *testing.T) {
	named := func(name string) Entry { return goldenCredit(func(e *Entry) { e.PayerName = name }) }
	toParent := goldenCredit(func(e *Entry) { e.SubAccount = "" })
	for file, want := range map[string][]Entry{
		"credit.xml":                {goldenCredit(nil)},
		"credit-utf8-under-gbk.xml": {goldenCredit(nil)},
		"credit-gbk-under-utf8.xml": {goldenCredit(nil)},
		"credit-bom.xml":            {goldenCredit(nil)},
		"credit-no-declaration.xml": {goldenCredit(nil)},
		"credit-nul-tail.xml":       {goldenCredit(nil)},
		"credit-pretty.xml":         {goldenCredit(nil)}, // blanks in tags and around texts, "800000.000"
		"credit-trail-bytes.xml":    {named("昞亅匽（聊城）唡倈有限公司")},
		"credit-cdata.xml":          {named("东昌&昞匽")}, // 匽 ends in 5D, as does "]]>"
		"credit-four-bytes.xml":     {named("聊城𠮷祥㐂庆商贸有限公司")},
		"credit-parent.xml":         {toParent},
		"credit-no-memo.xml":        {toParent},
		"link.xml":                  nil,
	} {
		t.Run(file, func(t *testing.T) {
			got, err := gseries.Notice(gBank, gSample(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestGNoticeRefuses changes one thing in a good message; the refusal says which field or where.
func TestGNoticeRefuses(t *testing.T) {
	const amount, date, body = "<InAmount>800000.00</InAmount>", "20260612092958", "<body>"
	for _, c := range []struct{ old, new, code, says string }{
		{amount, "<InAmount>-800000.00</InAmount>", "amount_negative", "InAmount"},
		{amount, "<InAmount>0.00</InAmount>", "amount_zero", "InAmount"},
		{amount, "<InAmount>1000000000.01</InAmount>", "amount_too_large", "InAmount"},
		{amount, "<InAmount>800000.005</InAmount>", "amount_decimals", "InAmount"},
		{amount, "<InAmount>100.0000000000005</InAmount>", "amount_decimals", "InAmount"},
		{amount, "<InAmount>8E5</InAmount>", "amount_malformed", "InAmount"},
		{amount, "<InAmount>800,000.00</InAmount>", "amount_malformed", "InAmount"},
		{amount, "<InAmount>NaN</InAmount>", "amount_malformed", "InAmount"},
		{amount, "<InAmount> </InAmount>", "field_missing", "InAmount"},
		{amount, "", "field_missing", "InAmount"},
		{amount, amount + amount, "field_repeated", "InAmount"},
		{date, "20260230092958", "time_malformed", "InDate"},
		{date, "20260612246000", "time_malformed", "InDate"},
		{date, "20260612092958.5", "time_malformed", "InDate"},
		{date, "20260612", "time_malformed", "InDate"},
		{date, "", "field_missing", "InDate"},
		{"<InCode>", "", "", ""}, // changes nothing: the table's own check, see below
		{"<InstCode>3705018860000000123</InstCode>", "", "field_missing", "InstCode"},
		{"<InName>聊城市东昌建设工程有限公司</InName>", "", "field_missing", "InName"},
		{"<InAcct>6212000000000000005</InAcct>", "<InAcct/>", "field_missing", "InAcct"},
		{"<InBankFLCode>260612000000042</InBankFLCode>", "", "field_missing", "InBankFLCode"},
		{"<TransCode>G00001</TransCode>", "", "field_missing", "TransCode"},
		{"G00001", "G00010", "message_unexpected", "G00010"},
		{"G00001", "g00001", "message_unexpected", "g00001"},
		{"<root>", "<szlr>", "message_unexpected", "root"},
		{"工程", "&工程", "xml_malformed", "第 2 行"},
		{"工程", "&nbsp;工程", "xml_malformed", "第 2 行"},
		{"工程", "<工程", "xml_malformed", "第 2 行"},
		{"工程", "&#xFFFD;工程", "charset", "第 2 行"},
		{"工程", "&#xD800;工程", "charset", "第 2 行"},
		{"工程", "&#0;工程", "xml_malformed", "第 2 行"},
		{"工程", "\x00工程", "xml_malformed", "第 2 行"},
		{"</root>", "", "xml_truncated", ""},
		{"</root>", "</root><root/>", "xml_malformed", "根元素"},
		{"</root>", "</root>000417", "xml_malformed", "根元素"},
		{"<root>", "000417<root>", "xml_malformed", "根元素"},
		{"<root>", "<!DOCTYPE root><root>", "doctype_forbidden", ""},
		{body, body + strings.Repeat("<a>", 63), "xml_too_deep", "64"},
	} {
		t.Run(c.code+" "+c.new, func(t *testing.T) {
			good, err := GB18030.Decode(gSample(t, "credit.xml"))
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.Replace(good, c.old, c.new, 1)
			if c.code == "" {
				if bad != good {
					t.Fatal("the row that changes nothing changed something")
				}
				return
			}
			if bad == good {
				t.Fatalf("%q does not occur in the message", c.old)
			}
			entries, err := gseries.Notice(gBank, toGBK(t, bad))
			refused(t, err, c.code, c.says)
			if entries != nil {
				t.Errorf("gave entries beside the error: %+v", entries)
			}
		})
	}
}

func TestGNoticeRefusesBrokenFiles(t *testing.T) {
	for file, want := range map[string]struct{ code, says string }{
		"broken-ampersand.xml": {"xml_malformed", "未转义"},
		"broken-cut-pair.xml":  {"charset", "第 2 行第 118 列"},
		"broken-doctype.xml":   {"doctype_forbidden", "DOCTYPE"},
		"broken-truncated.xml": {"xml_truncated", "不完整"},
		"broken-utf8-cut.xml":  {"charset", "UTF-8"}, // read as GBK it would be another name without an error
		"refund-result.xml":    {"message_unexpected", "G00012"},
	} {
		t.Run(file, func(t *testing.T) {
			_, err := gseries.Notice(gBank, gSample(t, file))
			refused(t, err, want.code, want.says)
		})
	}
	_, err := gseries.Notice(gBank, nil)
	refused(t, err, "xml_empty", "报文为空")
	_, err = gseries.Notice(gBank, []byte("<?xml version='1.1'?><root/>"))
	refused(t, err, "xml_malformed", "")
}

// refused holds an error to be an Invalid refusal of a code whose text says something.
func refused(t *testing.T, err error, code, says string) {
	t.Helper()
	var r *deposit.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v, want the refusal %s", err, code)
	}
	if r.Kind != deposit.Invalid || r.Code != code || !strings.Contains(r.Text, says) {
		t.Errorf("got kind %d, %v; want %s saying %q", r.Kind, r, code, says)
	}
}

// TestGNoticeOfEveryPrefix: a message cut anywhere within its root is an error, never a smaller entry.
func TestGNoticeOfEveryPrefix(t *testing.T) {
	raw := gSample(t, "credit.xml")
	for n := range raw {
		if entries, err := gseries.Notice(gBank, raw[:n]); err == nil || entries != nil {
			t.Fatalf("the first %d bytes gave %+v, %v", n, entries, err)
		}
	}
}

// TestGNoticeOfEveryByteFlip: whatever one byte becomes, there is no panic and no unreadable text in an entry.
func TestGNoticeOfEveryByteFlip(t *testing.T) {
	raw := gSample(t, "credit-trail-bytes.xml")
	specials := []byte{0, ' ', '<', '>', '&', '"', '\\', '|', 0x30, 0x7F, 0x80, 0x81, 0xD6, 0xEF, 0xFE, 0xFF}
	unreadableSeen := 0
	for i, old := range raw {
		values := specials
		for bit := range 8 {
			values = append(values, old^1<<bit)
		}
		for _, v := range values {
			raw[i] = v
			entries, err := gseries.Notice(gBank, raw)
			if err != nil && deposit.AsRefusal(err).Code == "charset" {
				unreadableSeen++
			}
			checkReadable(t, entries, err)
		}
		raw[i] = old
	}
	if unreadableSeen == 0 {
		t.Error("no flip broke a character: this test proves nothing")
	}
}

// checkReadable holds the promise that Notice makes of any bytes.
func checkReadable(t *testing.T, entries []Entry, err error) {
	t.Helper()
	if err != nil && (entries != nil || !deposit.IsKind(err, deposit.Invalid)) {
		t.Fatalf("gave %+v beside %v", entries, err)
	}
	for _, e := range entries {
		for _, s := range []string{e.ParentAccount, e.SubAccount, e.Serial, e.PayerName, e.PayerAccount} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) || s != strings.TrimSpace(s) {
				t.Fatalf("unreadable text %q in an entry", s)
			}
		}
		if e.Amount <= 0 || e.Amount > deposit.MaxFen || e.BookingDate != deposit.DayOf(e.BookedAt) || e.Reversal != "" || e.Direction != Credit {
			t.Fatalf("impossible entry %+v", e)
		}
	}
}

func FuzzGSeries(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "testdata", "bank", "gseries", "*.xml"))
	if len(files) == 0 {
		f.Fatal("no samples")
	}
	for _, file := range files {
		f.Add(gSample(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := gseries.Notice(gBank, raw)
		checkReadable(t, entries, err)
		reply := gseries.Answer(gBank, raw, Answer{Outcome: Refused, Err: err})
		readAnswer(t, reply)
	})
}

// readAnswer reads an answer with a parser that is not ours.
func readAnswer(t *testing.T, reply Reply) (result gReply) {
	t.Helper()
	text, err := simplifiedchinese.GBK.NewDecoder().Bytes(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(` encoding="GBK"`), nil, 1)
	if err := xml.Unmarshal(text, &result); err != nil {
		t.Fatalf("the answer is no XML: %v\n%s", err, text)
	}
	return result
}

type gReply struct {
	Code    string `xml:"head>TransCode"`
	Date    string `xml:"head>TransDate"`
	Time    string `xml:"head>TransTime"`
	SeqNo   string `xml:"head>SeqNo"`
	Result  string `xml:"body>Result"`
	AddWord string `xml:"body>AddWord"`
}

func TestGAnswer(t *testing.T) {
	at := time.Date(2026, 6, 12, 1, 30, 5, 0, time.UTC)
	refusal := deposit.Refuse(deposit.Invalid, "amount_zero", "金额不能为零")
	down := deposit.Refuse(deposit.Unavailable, "database_busy", "请稍后重试")
	for _, c := range []struct {
		file   string
		answer Answer
		want   gReply
	}{
		{"credit.xml", Answer{New, nil, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "00", AddWord: "已入账登记"}},
		{"credit.xml", Answer{Duplicate, nil, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "01", AddWord: "该笔到账此前已登记，无需重发"}},
		{"credit.xml", Answer{Conflicts, nil, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "01", AddWord: "该流水号此前已登记，但内容不同；两份均已保留，待人工核对"}},
		{"credit.xml", Answer{Refused, refusal, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "09", AddWord: "金额不能为零（amount_zero）"}},
		{"credit.xml", Answer{Refused, nil, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "09", AddWord: "报文未被接收"}},
		{"credit.xml", Answer{"", down, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "99", AddWord: "请稍后重试（database_busy）"}},
		{"credit.xml", Answer{New, errors.New("commit unknown"), at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "99", AddWord: "内部错误，请稍后重试；如仍出现请联系信息技术科（internal）"}},
		{"credit.xml", Answer{At: at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "99", AddWord: "未能保存，请稍后重发"}},
		{"link.xml", Answer{New, nil, at}, gReply{Code: "G00009", SeqNo: "00000017", Result: "00", AddWord: "链路正常"}},
		{"link.xml", Answer{Duplicate, nil, at}, gReply{Code: "G00009", SeqNo: "00000017", Result: "00", AddWord: "链路正常"}},
		{"refund-result.xml", Answer{Refused, refusal, at}, gReply{Code: "G00012", SeqNo: "00000017", Result: "09", AddWord: "金额不能为零（amount_zero）"}},
		{"broken-truncated.xml", Answer{Refused, refusal, at}, gReply{Code: "G00001", SeqNo: "00000017", Result: "09", AddWord: "金额不能为零（amount_zero）"}},
	} {
		t.Run(c.file+" "+c.want.Result, func(t *testing.T) {
			c.want.Date, c.want.Time = "20260612", "093005"
			reply := gseries.Answer(gBank, gSample(t, c.file), c.answer)
			if got := readAnswer(t, reply); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if reply.ContentType != "text/xml; charset=GBK" {
				t.Errorf("content type %q", reply.ContentType)
			}
		})
	}
}

// TestGAnswerByteForByte holds the whole answer, as the bank sees it.
func TestGAnswerByteForByte(t *testing.T) {
	got := gseries.Answer(gBank, gSample(t, "credit.xml"), Answer{New, nil, time.Date(2026, 6, 12, 9, 30, 5, 0, deposit.Shanghai)})
	want := toGBK(t, `<?xml version="1.0" encoding="GBK"?><root><head><TransCode>G00001</TransCode><TransDate>20260612</TransDate>`+
		`<TransTime>093005</TransTime><SeqNo>00000017</SeqNo></head><body><Result>00</Result><AddWord>已入账登记</AddWord></body></root>`)
	if !bytes.Equal(got.Body, want) {
		t.Errorf("got %q", got.Body)
	}
}

// TestGAnswerText: what is long, unknown to GBK or special in XML arrives whole or is cut between characters.
func TestGAnswerText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"<A&B>]]>\"'", "<A&B>]]>\"'（c）"},
		{"𠮷㐂昞", "𠮷㐂昞（c）"},
		{strings.Repeat("汉", 300), strings.Repeat("汉", 250)},
		{"x" + strings.Repeat("汉", 300), "x" + strings.Repeat("汉", 249)},
		{"\x01\xff", "\uFFFD\uFFFD（c）"},
	} {
		reply := gseries.Answer(gBank, nil, Answer{Outcome: Refused, Err: deposit.Refuse(deposit.Invalid, "c", c.text)})
		if got := readAnswer(t, reply); got.AddWord != c.want || got.SeqNo != "" {
			t.Errorf("%q: got %q, SeqNo %q", c.text, got.AddWord, got.SeqNo)
		}
	}
	evil := bytes.Replace(gSample(t, "credit.xml"), []byte("00000017"), []byte("&lt;/SeqNo&gt;"), 1)
	if got := readAnswer(t, gseries.Answer(gBank, evil, Answer{Outcome: New})); got.SeqNo != "</SeqNo>" {
		t.Errorf("SeqNo came back as %q", got.SeqNo)
	}
}

// TestGIsOpened plays a message through the front door, which admits what the dialect read.
func TestGIsOpened(t *testing.T) {
	b := *gBank
	b.Seal = Seal{Scheme: "none"}
	m, err := b.Open(Sealed{Raw: gSample(t, "credit.xml"), Source: ByTCP, At: time.Now()})
	if err != nil || m.Kind != KindNotice || len(m.Entries) != 1 || m.Entries[0].PayerKey == "" {
		t.Errorf("got %+v, %v", m, err)
	}
	m, err = b.Open(Sealed{Raw: gSample(t, "link.xml"), Source: ByTCP, At: time.Now()})
	if err != nil || m.Kind != KindLink || len(m.Entries) != 0 {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestYuan(t *testing.T) {
	for s, want := range map[string]deposit.Fen{"100.500": 100_50, "100.50": 100_50, "100.5": 100_50, "100": 100_00, "100.0000000": 100_00,
		"1000000000.000": deposit.MaxFen, "0.01": 1, "800000.00": 800000_00} {
		if got, err := yuan(s); got != want || err != nil {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for s, code := range map[string]string{"": "amount_malformed", "100.005": "amount_decimals", "100.0050": "amount_decimals", "-1.000": "amount_negative",
		"0.0000": "amount_zero", "1000000000.010": "amount_too_large", "1e3": "amount_malformed", "１００": "amount_malformed", "NaN": "amount_malformed"} {
		_, err := yuan(s)
		refused(t, err, code, "")
	}
}
