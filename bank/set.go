package bank

import (
	_ "embed" // ExampleSet
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"depositd/platform/deposit"
)

// Bank is one bank as banks.yaml describes it.
type Bank struct {
	Code             string
	Name             string
	Adapter          *Adapter // reads its messages
	StatementAdapter *Adapter // reads its end-of-day files; the same unless banks.yaml says otherwise
	PayoutAdapter    *Adapter // writes its payout files and reads its answers; the same unless banks.yaml says otherwise. Its Payout may be nil
	Posting          Posting
	CutOff           time.Duration // since midnight: a payment that comes later is made on the next day; 0: there is none
	ResendWithin     time.Duration // how long, by contract, it knows a message that it has had, so that a second one pays nothing; 0: not promised
	ParentAccounts   []string
	Charset          Charset // of text whose bytes and declaration leave it open
	Notices          Notices
	Seal             Seal
	Reach            Reach   // how it is called; zero: it is not
	Drop             Drop    // where payout files are put for it and its result files lie; zero: nowhere
	Numbers          Numbers // how its pool of sub-accounts is run
}

// Notices says how a bank pushes its credit notices.
type Notices string

// The ways. Under None no notice is expected, so none is missing.
const (
	Single    Notices = "single"    // a message for each credit
	Aggregate Notices = "aggregate" // a message, or a booking of it, may stand for several credits at once
	None      Notices = "none"
)

// Parent is the parent account that an entry is on when its message names none: the bank's only one, or "".
func (b *Bank) Parent() string {
	if len(b.ParentAccounts) == 1 {
		return b.ParentAccounts[0]
	}
	return ""
}

// Set is the banks of banks.yaml, in its order.
type Set struct{ banks []*Bank }

// ExampleSet is a banks.yaml with a bank of every kind, for the documentation and the demonstration. It refers to the
// key files jsonpush.key and camt.key beside it.
//
//go:embed example.yaml
var ExampleSet string

// All gives the banks in the file's order.
func (s *Set) All() []*Bank { return slices.Clone(s.banks) }

// Only is the single bank of the set, or nil where there are several: then it has to be named.
func (s *Set) Only() *Bank {
	if len(s.banks) == 1 {
		return s.banks[0]
	}
	return nil
}

// Bank finds a bank by its code; the NotFound Refusal lists the codes there are.
func (s *Set) Bank(code string) (*Bank, error) {
	codes := make([]string, len(s.banks))
	for i, b := range s.banks {
		if b.Code == code {
			return b, nil
		}
		codes[i] = b.Code
	}
	return nil, deposit.Refuse(deposit.NotFound, "bank_unknown", "没有代码为“", clip(code), "”的银行；banks.yaml 中有：", strings.Join(codes, "、"))
}

// payoutName is what banks.yaml calls the bank's way to pay.
func payoutName(b *Bank) string {
	if !b.Pays() {
		return noPayout
	}
	return b.PayoutAdapter.Name
}

// Describe prints the set with every default filled in, as a banks.yaml that means the same. Of keys it tells the files
// and the lengths, never what they are.
func (s *Set) Describe() string {
	type callText struct {
		URL        string `yaml:"url"`
		Timeout    string `yaml:"timeout"`
		LeasedLine bool   `yaml:"leased_line"`
	}
	type numbersText struct {
		From           Supply `yaml:"from"`
		Rule           string `yaml:"rule,omitempty"`
		QuarantineDays int    `yaml:"quarantine_days"`
		LeadDays       int    `yaml:"lead_days"`
		LowWater       int    `yaml:"low_water"`
	}
	type bankText struct {
		Code      string      `yaml:"code"`
		Name      string      `yaml:"name"`
		Adapter   string      `yaml:"adapter"`
		Statement string      `yaml:"statement"`
		Payout    string      `yaml:"payout"`
		Posting   string      `yaml:"posting"`
		CutOff    string      `yaml:"cut_off,omitempty"`
		Resend    string      `yaml:"resend_within,omitempty"`
		Parents   []string    `yaml:"parent_accounts"`
		Currency  string      `yaml:"currency"`
		Zone      string      `yaml:"zone"`
		Charset   Charset     `yaml:"charset"`
		Notices   Notices     `yaml:"notices"`
		Seal      sealText    `yaml:"seal"`
		Call      *callText   `yaml:"call,omitempty"`
		Payouts   string      `yaml:"payout_folder,omitempty"`
		Results   string      `yaml:"result_folder,omitempty"`
		Numbers   numbersText `yaml:"numbers"`
	}
	banks := make([]bankText, len(s.banks))
	comments := yaml.CommentMap{}
	for i, b := range s.banks {
		banks[i] = bankText{b.Code, b.Name, b.Adapter.Name, b.StatementAdapter.Name, payoutName(b), strings.ToLower(string(b.Posting)), "", "", b.ParentAccounts, onlyCurrency, onlyZone, b.Charset, b.Notices,
			sealTextOf(b.Seal), nil, b.Drop.Payouts, b.Drop.Results, numbersText{b.Numbers.From, b.Numbers.Rule.String(), b.Numbers.QuarantineDays, b.Numbers.LeadDays, b.Numbers.LowWater}}
		if b.Reach.URL != "" {
			banks[i].Call = &callText{b.Reach.URL, b.Reach.Timeout.String(), b.Reach.LeasedLine}
		}
		if b.CutOff > 0 {
			banks[i].CutOff = b.CutOffText()
		}
		if b.ResendWithin > 0 {
			banks[i].Resend = b.ResendWithin.String()
		}
		for k, key := range b.Seal.Keys {
			if key.proof != nil {
				comments[fmt.Sprintf("$.banks[%d].seal.keys[%d].file", i, k)] = []*yaml.Comment{yaml.LineComment(" " + strconv.Itoa(key.proof.bits()) + " 位，内容已隐去")}
			}
		}
	}
	text, err := yaml.MarshalWithOptions(map[string]any{"banks": banks}, yaml.WithComment(comments), yaml.IndentSequence(true))
	if err != nil {
		return err.Error() // strings and lists of strings always print
	}
	return string(text)
}

// keyText and sealText are a seal as banks.yaml writes it.
type keyText struct {
	ID    string      `yaml:"id"`
	File  string      `yaml:"file"`
	From  deposit.Day `yaml:"from,omitempty"`
	Until deposit.Day `yaml:"until,omitempty"`
}

type sealText struct {
	Scheme Scheme    `yaml:"scheme"`
	Keys   []keyText `yaml:"keys,omitempty"`
	Pins   []string  `yaml:"client_pins,omitempty"`
	From   []string  `yaml:"from,omitempty"`
}

func sealTextOf(s Seal) sealText {
	text := sealText{Scheme: s.Scheme, Pins: s.Door.Pins}
	for _, key := range s.Keys {
		text.Keys = append(text.Keys, keyText{key.ID, key.File, key.From, key.Until})
	}
	for _, from := range s.Door.From {
		text.From = append(text.From, from.String())
	}
	return text
}
