package bank

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// painSchema is what the schemas of pain.001.001.03 and .09 say of the elements written: for each its children in the order
// they must have, "?" behind one that may be missing, "+" behind one that may come several times, "|" between the only two
// of which one comes; or "=" and what its text must be. It is copied from the schemas, not from the writer.
var painSchema = map[string]string{
	"Document":         "CstmrCdtTrfInitn",
	"CstmrCdtTrfInitn": "GrpHdr PmtInf+",
	"GrpHdr":           "MsgId CreDtTm NbOfTxs CtrlSum? InitgPty",
	"InitgPty":         "Nm? Id?", "Dbtr": "Nm? Id?", "Cdtr": "Nm? Id?",
	"PmtInf":      "PmtInfId PmtMtd BtchBookg? NbOfTxs? CtrlSum? ReqdExctnDt Dbtr DbtrAcct DbtrAgt CdtTrfTxInf+",
	"DbtrAcct":    "Id Ccy?",
	"CdtrAcct":    "Id Ccy?",
	"DbtrAgt":     "FinInstnId",
	"CdtrAgt":     "FinInstnId",
	"FinInstnId":  "ClrSysMmbId? Nm? Othr?",
	"ClrSysMmbId": "ClrSysId? MmbId",
	"ClrSysId":    "Cd",
	"CdtTrfTxInf": "PmtId Amt CdtrAgt? Cdtr? CdtrAcct? RmtInf?",
	"PmtId":       "InstrId? EndToEndId",
	"Amt":         "InstdAmt",
	"RmtInf":      "Ustrd+",
	"OrgId":       "Othr",
	"Othr":        "Id",

	"MsgId": "=max35", "PmtInfId": "=max35", "InstrId": "=max35", "EndToEndId": "=max35", "MmbId": "=max35", "Nm": "=max140", "Ustrd": "=max140",
	"CreDtTm": `=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00`, "NbOfTxs": `=[0-9]{1,15}`, "PmtMtd": "=TRF", "BtchBookg": "=true|false", "Ccy": "=CNY", "Cd": "=CNAPS",
	"CtrlSum": `=[0-9]{1,15}(\.[0-9]{1,2})?`, "InstdAmt": `=[0-9]{1,15}\.[0-9]{2}`,
}

// painElement is an element as the standard library reads it.
type painElement struct {
	XMLName xml.Name
	Attrs   []xml.Attr    `xml:",any,attr"`
	Text    string        `xml:",chardata"`
	Kids    []painElement `xml:",any"`
}

// invalid lists what the schema and the sums have against a document.
func invalidPain(raw []byte, version string) (breaches []string) {
	var doc painElement
	d := xml.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&doc); err != nil {
		return []string{err.Error()}
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		breaches = append(breaches, err.Error())
	}
	namespace := "urn:iso:std:iso:20022:tech:xsd:pain.001.001." + version
	breaches = append(breaches, doc.invalid("", namespace, version)...)
	if len(breaches) > 0 {
		return breaches
	}
	all := doc.Kids[0].Kids
	breaches = append(breaches, sumsOf(all[0], all[1:])...)
	for _, payment := range all[1:] {
		breaches = append(breaches, sumsOf(payment, []painElement{payment})...)
	}
	return breaches
}

// invalid holds an element and those within it against the schema.
func (e *painElement) invalid(path, namespace, version string) (breaches []string) {
	name := e.XMLName.Local
	path += "/" + name
	rule, known := painSchema[name]
	switch {
	case name == "ReqdExctnDt" && version == "03", name == "Dt":
		rule = `=\d{4}-\d\d-\d\d`
	case name == "ReqdExctnDt":
		rule = "Dt"
	case name == "Id" && strings.HasSuffix(path, "/Othr/Id"):
		rule = "=max34"
	case name == "Id" && strings.HasSuffix(path, "Acct/Id"):
		rule = "Othr"
	case name == "Id":
		rule = "OrgId"
	case !known:
		return []string{path + ": no such element"}
	}
	if e.XMLName.Space != namespace {
		breaches = append(breaches, path+": of the namespace "+e.XMLName.Space)
	}
	if text, leaf := strings.CutPrefix(rule, "="); leaf {
		return append(breaches, e.invalidText(path, text)...)
	}
	if strings.TrimSpace(e.Text) != "" {
		breaches = append(breaches, path+": has text")
	}
	names := ""
	for i := range e.Kids {
		names += e.Kids[i].XMLName.Local + " "
		breaches = append(breaches, e.Kids[i].invalid(path, namespace, version)...)
	}
	order := ""
	for _, part := range strings.Fields(rule) {
		kid := strings.TrimRight(part, "?+")
		order += "(" + kid + " )" + strings.TrimPrefix(part, kid)
	}
	if !regexp.MustCompile("^" + order + "$").MatchString(names) {
		breaches = append(breaches, fmt.Sprintf("%s: holds %q, want %q", path, names, rule))
	}
	return breaches
}

func (e *painElement) invalidText(path, rule string) []string {
	if len(e.Kids) > 0 {
		return []string{path + ": holds elements"}
	}
	if most, ok := strings.CutPrefix(rule, "max"); ok {
		n, _ := strconv.Atoi(most)
		if count := utf8.RuneCountInString(e.Text); count < 1 || count > n {
			return []string{fmt.Sprintf("%s: %d characters", path, count)}
		}
		return nil
	}
	if !regexp.MustCompile("^(" + rule + ")$").MatchString(e.Text) {
		return []string{fmt.Sprintf("%s: %q", path, e.Text)}
	}
	if (e.XMLName.Local == "InstdAmt") != (len(e.Attrs) == 1 && e.Attrs[0].Name.Local == "Ccy" && e.Attrs[0].Value == "CNY") {
		return []string{path + ": currency"}
	}
	return nil
}

// sumsOf holds the number and the sum that a header declares against the payments below it, as fractions.
func sumsOf(header painElement, payments []painElement) (breaches []string) {
	number, sum := 0, new(big.Rat)
	ends := map[string]bool{}
	for _, payment := range payments {
		for _, tx := range payment.Kids {
			if tx.XMLName.Local != "CdtTrfTxInf" {
				continue
			}
			number++
			amount, _ := new(big.Rat).SetString(tx.Kids[1].Kids[0].Text)
			sum.Add(sum, amount)
			end := tx.Kids[0].Kids[1].Text
			if ends[end] {
				breaches = append(breaches, "EndToEndId twice: "+end)
			}
			ends[end] = true
		}
	}
	for _, kid := range header.Kids {
		declared, _ := new(big.Rat).SetString(kid.Text)
		if kid.XMLName.Local == "NbOfTxs" && kid.Text != strconv.Itoa(number) || kid.XMLName.Local == "CtrlSum" && declared.Cmp(sum) != 0 {
			breaches = append(breaches, fmt.Sprintf("%s is %s, there are %d of %s", kid.XMLName.Local, kid.Text, number, sum.FloatString(2)))
		}
	}
	return breaches
}

// TestPainIsValid: what is written keeps to the schema in order, lengths and decimals, and its sums are right.
func TestPainIsValid(t *testing.T) {
	for version, a := range map[string]*Adapter{"03": pain03Adapter, "09": painAdapter} {
		plain, several, long := ourPayout(), ourPayout(), ourPayout()
		several.SubAccount, several.PayerName = "", ""
		for i := range several.Lines {
			several.Lines[i].FromSub = []string{"", ourParent + "-000148"}[i%2]
		}
		long.Number = strings.Repeat("9", 20)
		for i := range long.Lines {
			long.Lines[i].PayeeName, long.Lines[i].Purpose = strings.Repeat("长", 60), strings.Repeat("x", 120)
			long.Lines[i].PayeeAccount = strings.Repeat("1", 34)
		}
		for _, p := range []*Payout{plain, several, long} {
			raw, err := payBank(a).WritePayout(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, breach := range invalidPain(raw, version) {
				t.Errorf("pain.001.001.%s: %s", version, breach)
			}
		}
	}
}

// TestPainCheckCatches: the check is one that fails.
func TestPainCheckCatches(t *testing.T) {
	raw, err := payBank(painAdapter).WritePayout(ourPayout())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"<InstdAmt Ccy=\"CNY\">0.01<", "<InstdAmt Ccy=\"CNY\">0.02<"}, {"<NbOfTxs>5<", "<NbOfTxs>6<"}, {"\">0.01<", "\">.01<"}, {"Ccy=\"CNY\"", "Ccy=\"USD\""},
		{"<PmtMtd>TRF</PmtMtd><BtchBookg>false</BtchBookg>", "<BtchBookg>false</BtchBookg><PmtMtd>TRF</PmtMtd>"}, {"<Dt>2026-06-12</Dt>", "2026-06-12"},
		{"001.09", "001.03"}, {"<MsgId>", "<MsgId>" + strings.Repeat("9", 30)}, {"<Cd>CNAPS</Cd>", "<Cd>CN</Cd>"}, {"<MmbId>102471000016</MmbId>", ""},
		{"TK0000000000004R</EndToEndId>", "TK0000000000002V</EndToEndId>"}, {"<Cdtr>", "<Creditor>x</Creditor><Cdtr>"}, {"</Document>", ""},
	} {
		broken := bytes.Replace(raw, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(broken, raw) || len(invalidPain(broken, "09")) == 0 {
			t.Errorf("%q for %q is not found", c[1], c[0])
		}
	}
}
