package bank

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

const oneNotice = `{"bank_serial":"JP1","booking_date":"2026-06-12","booked_at":"2026-06-12 09:30:00","amount":"800000.00","payer_name":"聊城市东昌建设工程有限公司"}`

func jsonBank(seal Seal, notices Notices) *Bank {
	return &Bank{Code: "jz", Adapter: jsonPush, ParentAccounts: []string{"6550100000000000017"}, Charset: UTF8, Notices: notices, Seal: seal}
}

func TestOpenABelievedMessage(t *testing.T) {
	b := jsonBank(SealWith(HMACSHA256, sealKey), Single)
	m, err := b.Open(Sealed{Header: webhook(sealKey, "m-1", sealNow, oneNotice, nil), Raw: []byte(oneNotice), Source: ByHTTP, At: sealNow})
	if err != nil {
		t.Fatal(err)
	}
	e := m.Entries[0]
	if len(m.Entries) != 1 || e.Bank != "jz" || e.ParentAccount != "6550100000000000017" || e.PayerKey != "聊城市东昌建设工程有限公司" || e.Amount != 800000_00 {
		t.Errorf("entries %+v", m.Entries)
	}
	if m.Bank != "jz" || m.ExternalID != "m-1" || m.Source != ByHTTP || m.Kind != KindNotice || string(m.Raw) != oneNotice || m.SHA256 != hash(m.Raw) ||
		m.Size != int64(len(oneNotice)) || !m.At.Equal(sealNow) {
		t.Errorf("message %+v", m)
	}
}

// TestOpenKeeps says, for whatever is wrong, what is recorded of it: a stranger leaves neither bytes nor an id.
func TestOpenKeeps(t *testing.T) {
	signed := jsonBank(SealWith(HMACSHA256, sealKey), Single)
	open := jsonBank(SealWith(NoSeal), Single)
	silent := jsonBank(SealWith(NoSeal), None)
	ours := func(body string) func(string) string { return webhook(sealKey, "m-1", sealNow, body, nil) }
	theirs := func(body string) func(string) string { return webhook(nextKey, "m-1", sealNow, body, nil) }
	other := strings.Replace(oneNotice, "{", `{"parent_account":"99",`, 1)
	two := `{"notices":[` + oneNotice + `,` + oneNotice + `]}`
	for name, c := range map[string]struct {
		bank   *Bank
		header func(string) func(string) string
		body   string
		code   string
		raw    bool   // whether the bytes are kept
		id     string // the ExternalID: "hash" for the bytes' own, "beside" for it behind the notice's serial
	}{
		"not understood, from the bank":   {signed, ours, `{}`, "bank_serial_missing", true, "m-1"},
		"from a stranger":                 {signed, theirs, oneNotice, "seal_wrong", false, ""},
		"empty, from the bank":            {signed, ours, "", "message_empty", true, "m-1"},
		"empty, from a stranger":          {signed, theirs, "", "seal_wrong", false, ""},
		"NUL bytes only":                  {open, nil, "\x00\x00", "message_empty", true, "hash"},
		"without a seal, understood":      {open, nil, oneNotice, "", true, "beside"},
		"without a seal, with an id":      {open, ours, oneNotice, "", true, "beside"},
		"too large, even from the bank":   {signed, ours, oneNotice + strings.Repeat(" ", MaxMessage), "message_too_large", false, ""},
		"as large as may be":              {signed, ours, oneNotice + strings.Repeat(" ", MaxMessage-len(oneNotice)), "", true, "m-1"},
		"an account that is not ours":     {signed, ours, other, "parent_account_unknown", true, "m-1"},
		"several where one is sent":       {signed, ours, two, "aggregate_unexpected", true, "m-1"},
		"from a bank that sends none":     {silent, nil, oneNotice, "notices_not_expected", true, "hash"},
		"an entry that cannot be stored":  {open, nil, strings.Replace(oneNotice, "2026-06-12 09", "1999-06-12 09", 1), "booked_at_range", true, "hash"},
		"a serial longer than the column": {open, nil, strings.Replace(oneNotice, "JP1", strings.Repeat("J", 65), 1), "serial_too_long", true, "hash"},
	} {
		var header func(string) string
		if c.header != nil {
			header = c.header(c.body)
		}
		m, err := c.bank.Open(Sealed{Header: header, Raw: []byte(c.body), Source: ByHTTP, At: sealNow})
		code := ""
		if err != nil {
			code, _ = Reason(err)
		}
		switch c.id {
		case "hash":
			c.id = m.SHA256
		case "beside":
			c.id = "JP1/" + m.SHA256[:32]
		}
		if code != c.code || (m.Raw != nil) != c.raw || m.ExternalID != c.id {
			t.Errorf("%s: %q, raw kept %v, id %q; want %q, %v, %q", name, code, m.Raw != nil, m.ExternalID, c.code, c.raw, c.id)
		}
		if m.Bank != "jz" || len(m.SHA256) != 64 || m.Size != int64(len(c.body)) || !m.At.Equal(sealNow) || err != nil && m.Entries != nil {
			t.Errorf("%s: the record lacks something: %+v", name, m)
		}
	}
}

func TestOpenSaysWhichOfSeveral(t *testing.T) {
	b := jsonBank(SealWith(NoSeal), Aggregate)
	body := `{"notices":[` + oneNotice + `,` + strings.Replace(oneNotice, "JP1", "J P", 1) + `]}`
	if _, err := b.Open(Sealed{Raw: []byte(body), At: sealNow}); err == nil || !strings.Contains(err.Error(), "第 2 笔") || deposit.AsRefusal(err).Code != "serial_malformed" {
		t.Errorf("the refusal is %v", err)
	}
	m, err := b.Open(Sealed{Raw: []byte(`{"notices":[]}`), At: sealNow})
	if err != nil || m.Kind != KindLink || len(m.Entries) != 0 {
		t.Errorf("a message without entries: %+v, %v", m, err)
	}
}

// TestOpenOutlivesAnAdapter: a fault of ours costs neither the message nor the service.
func TestOpenOutlivesAnAdapter(t *testing.T) {
	b := jsonBank(SealWith(NoSeal), Single)
	b.Adapter = &Adapter{Name: "broken", Notice: func(*Bank, []byte) ([]Entry, error) { panic("index out of range") }}
	m, err := b.Open(Sealed{Raw: []byte(oneNotice), At: sealNow})
	if deposit.AsRefusal(err).Kind != deposit.Internal || string(m.Raw) != oneNotice || m.ExternalID != m.SHA256 {
		t.Errorf("%v, %+v", err, m)
	}
}

// FuzzOpen sends anything to every dialect: what comes out can be stored or is refused with a reason, and the bytes are kept.
func FuzzOpen(f *testing.F) {
	for i, a := range Adapters() {
		samples, _ := filepath.Glob(filepath.Join("..", "testdata", "bank", a.Name, "*"))
		for _, name := range samples {
			if raw, err := os.ReadFile(name); err == nil && a.Notice != nil {
				f.Add(i, raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which int, raw []byte) {
		all := Adapters()
		b := contractBank(all[uint(which)%uint(len(all))])
		m, err := b.Open(Sealed{Header: http.Header{}.Get, Raw: raw, Source: ByTCP, At: sealNow})
		if err != nil && deposit.AsRefusal(err).Kind != deposit.Invalid {
			t.Fatalf("%s: %v", b.Adapter.Name, err)
		}
		if err == nil && m.Raw == nil {
			t.Fatal("the bytes are not kept")
		}
		for _, breach := range impossible(reading{entries: m.Entries}) {
			t.Error(breach)
		}
	})
}
