package bank

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"depositd/platform/deposit"
)

// plainText reads a document to its end and gives all its text.
func plainText(x *xmlReader) (string, error) {
	var text strings.Builder
	for {
		token, err := x.Token()
		if err == io.EOF {
			return text.String(), nil
		}
		if err != nil {
			return text.String(), err
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
}

// TestXMLCharsets: what the bytes are wins over what is said of them; where they leave it open, the caller's word wins,
// and the declaration's where the caller has none.
func TestXMLCharsets(t *testing.T) {
	gbk, utf8, latin1 := "\xc1\xc4\xb3\xc7", "聊城", "Z\xfcrich AG"
	head := func(charset string) string { return `<?xml version="1.0" encoding="` + charset + `"?>` }
	for _, c := range []struct {
		name, doc string
		declared  Charset
		want      string
	}{
		{"GBK as declared", head("gb2312") + "<r>" + gbk + "</r>", "", "聊城"},
		{"GBK, no declaration", "<r>" + gbk + "</r>", "", "聊城"},
		{"GBK under UTF-8", head("UTF-8") + "<r>" + gbk + "</r>", "", "聊城"},
		{"GBK under Latin-1, the caller knows", head("ISO-8859-1") + "<r>" + gbk + "</r>", GB18030, "聊城"},
		{"UTF-8 under GBK", head("GBK") + "<r>" + utf8 + "</r>", "", "聊城"},
		{"UTF-8 under GBK, the caller errs too", head("GBK") + "<r>" + utf8 + "</r>", GB18030, "聊城"},
		{"GBK much of which could be UTF-8", "<r>\xc2\xb3\xc2\xb7\xc2\xb8\xc4\xc1\xc4\xb3\xc4\xdd</r>", GB18030, "鲁路赂牧某妮"},
		{"UTF-8 with BOM", "\xef\xbb\xbf" + head("utf-8") + "<r>" + utf8 + "</r>", GB18030, "聊城"},
		{"Latin-1 as declared", head("iso-8859-1") + "<r>" + latin1 + "</r>", "", "Zürich AG"},
		{"ASCII", head("US-ASCII") + "<r>x</r>", "", "x"},
		{"a long ASCII head", head("GBK") + "<r>" + strings.Repeat("<a>1</a>", 20000) + utf8 + "</r>", GB18030, strings.Repeat("1", 20000) + "聊城"},
		{"GBK behind a long ASCII head", "<r>" + strings.Repeat("<a>1</a>", 20000) + gbk + "</r>", GB18030, strings.Repeat("1", 20000) + "聊城"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, raw := range []io.Reader{strings.NewReader(c.doc), iotest.OneByteReader(strings.NewReader(c.doc)), iotest.DataErrReader(strings.NewReader(c.doc))} {
				if got, err := plainText(newXML(raw, c.declared)); err != nil || got != c.want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	_, err := plainText(newXML(strings.NewReader(head("EBCDIC")+"<r/>"), ""))
	refused(t, err, "charset_unknown", "EBCDIC")
}

func TestXMLRefuses(t *testing.T) {
	for _, c := range []struct{ doc, code, says string }{
		{"", "xml_empty", ""},
		{"  \n", "xml_empty", ""},
		{"<r>", "xml_truncated", "第 1 行第 4 列"},
		{"<r>\n聊城</r", "xml_truncated", "第 2 行第 6 列"},
		{"<!DOCTYPE r><r/>", "doctype_forbidden", "第 1 行第 13 列"},
		{`<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>`, "doctype_forbidden", ""},
		{"<r><!ENTITY a 'b'></r>", "doctype_forbidden", ""},
		{"<r>&a;</r>", "xml_malformed", "&amp;"},
		{"<r></s>", "xml_malformed", "第 1 行第 8 列"},
		{"<r/><r/>", "xml_malformed", "根元素"},
		{"<r/>x", "xml_malformed", "根元素"},
		{strings.Repeat("<a>", 65), "xml_too_deep", "64"},
		{"<r a='" + strings.Repeat("x", maxXMLToken) + "'/>", "xml_token_too_long", "第 1 行"},
		{"<r><!--" + strings.Repeat("x", maxXMLToken) + "--></r>", "xml_token_too_long", "第 1 行"},
		{"<r>\n聊城市\xff</r>", "charset", "第 2 行第 4 列"},
		{"<r>\n聊城\uFFFD</r>", "charset", "第 2 行第 3 列"},
		{"<r a='&#xFFFD;'/>", "charset", "第 1 行"},
		{"<r a='\xff'/>", "charset", "第 1 行第 7 列"},
	} {
		t.Run(c.code+" "+c.says, func(t *testing.T) {
			x := newXML(strings.NewReader(c.doc), UTF8)
			_, err := plainText(x)
			refused(t, err, c.code, c.says)
			if _, again := x.Token(); c.code != "charset" && again != err {
				t.Errorf("a final error became %v", again)
			}
		})
	}
	fine := strings.Repeat("<a>", maxXMLDepth) + strings.Repeat("</a>", maxXMLDepth) + "\x00\x00 \n<!-- end -->\x00"
	if _, err := plainText(newXML(strings.NewReader(fine), UTF8)); err != nil {
		t.Error(err)
	}
}

// TestXMLGoesOnBehindBadText: one unreadable record does not cost the file.
func TestXMLGoesOnBehindBadText(t *testing.T) {
	x := newXML(strings.NewReader("<r><e>聊\xd6</e><e>东昌</e></r>"), UTF8)
	bad, texts := 0, []string{}
	for {
		token, err := x.Token()
		if err == io.EOF {
			break
		}
		if deposit.AsRefusal(err).Code == "charset" && err != nil {
			bad++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			texts = append(texts, string(chars))
		}
	}
	if got := strings.Join(texts, "|"); bad != 1 || got != "聊\uFFFD|东昌" {
		t.Errorf("%d bad, texts %q", bad, texts)
	}
}

// TestXMLFeedsDecodeElement: a record of a stream goes into a struct, namespaces and all.
func TestXMLFeedsDecodeElement(t *testing.T) {
	x := newXML(strings.NewReader(`<d xmlns="urn:x"><n a="1"><v>聊城</v></n><n><v>二</v></n></d>`), "")
	d := xml.NewTokenDecoder(x)
	var got []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "n" {
			var n struct {
				V string `xml:"v"`
			}
			if err := d.DecodeElement(&n, &start); err != nil {
				t.Fatal(err)
			}
			got = append(got, n.V)
		}
	}
	if strings.Join(got, " ") != "聊城 二" {
		t.Errorf("got %q", got)
	}
}

func TestXMLPos(t *testing.T) {
	x := newXML(strings.NewReader("<r>\n<聊城>\n东</聊城><e/>\n</r>\n"), UTF8)
	var got []place
	for {
		_, err := x.Token()
		if err != nil {
			break
		}
		line, column := x.Pos()
		got = append(got, place{line, column})
	}
	want := []place{{1, 4}, {2, 1}, {2, 5}, {3, 2}, {3, 7}, {3, 11}, {3, 11}, {4, 1}, {4, 5}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("token %d ends at %v, want %v", i, got[i], want[i])
		}
	}
}

// TestXMLKeepsTheReadersError: a line that breaks is not a broken message.
func TestXMLKeepsTheReadersError(t *testing.T) {
	broken := errors.New("line is down")
	for _, doc := range []string{"", "<r>", "<r>聊城", "<r/>"} {
		_, err := plainText(newXML(io.MultiReader(strings.NewReader(doc), iotest.ErrReader(broken)), UTF8))
		if !errors.Is(err, broken) {
			t.Errorf("%q: got %v", doc, err)
		}
	}
}

// TestXMLMemoryStaysFlat: a statement of any length is read in the memory of a small one.
func TestXMLMemoryStaysFlat(t *testing.T) {
	record := "<e><v>聊城市东昌建设工程有限公司</v><a>800000.00</a></e>"
	for _, records := range []int{10, 100_000} {
		raw := io.MultiReader(strings.NewReader("<r>"), &repeater{text: []byte(record), left: records}, strings.NewReader("</r>"))
		x := newXML(raw, UTF8)
		tokens := 0
		for {
			if _, err := x.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			tokens++
		}
		if tokens != 8*records+2 {
			t.Errorf("%d tokens of %d records", tokens, records)
		}
		if held := x.text.raw.Size() + x.chars.in.Size(); held > 128<<10 {
			t.Errorf("holds %d bytes", held)
		}
	}
}

// repeater is a long file that is never in memory.
type repeater struct {
	text []byte
	left int
	rest []byte
}

func (r *repeater) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func BenchmarkXML(b *testing.B) {
	doc := []byte("<r>" + strings.Repeat("<e><v>聊城市东昌建设工程有限公司</v><a>800000.00</a></e>", 1000) + "</r>")
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := plainText(newXML(bytes.NewReader(doc), UTF8)); err != nil {
			b.Fatal(err)
		}
	}
}
