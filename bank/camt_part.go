package bank

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// part makes the Entry of one transaction of an Ntry, or of all of it when there is only one part.
func (h *camtHanding) part(n *camtEntry, d *camtDetail, ofSeveral bool) Entry {
	e := Entry{Bank: h.bank.Code, ParentAccount: h.said.ParentAccount, Direction: n.Direction, Amount: n.Amount, Returned: d.Returned}
	if ofSeveral {
		e.Amount = *d.Amount
	}
	e.BookingDate, e.BookedAt = h.booked(n)
	other, sub := h.sides(n, d)
	e.PayerName, e.PayerAccount, e.PayerBank, e.PayerBankCode = other.Name, other.Account, other.Bank, other.BankCode
	e.SubAccount, e.Remark = sub, cmp.Or(d.Remark, n.Info)
	if n.Reversal {
		e.Reversal, e.ReversalOf = Reverses, d.Original
		if d.Original == "" && d.Ref != h.own(n) { // then it is the reference of what is taken back
			e.ReversalOf = d.Ref
		}
	}
	return e
}

// booked is the bank's booking day, else the value day, else the statement's; and the instant, else that day's midnight.
func (h *camtHanding) booked(n *camtEntry) (deposit.Day, time.Time) {
	day := cmp.Or(n.Booked.Day, n.Value.Day, h.said.Day)
	if !n.Booked.Time.IsZero() {
		return day, n.Booked.Time
	}
	return day, day.Start()
}

// sides tells the counterparty from ourselves: the debtor of a credit and the creditor of a debit is the other one. Of a
// reversal some banks go on naming the parties of the original, so whoever has our account is us, and whoever is named
// alone is the other. Our account, when it is not the parent account, is the sub-account.
func (h *camtHanding) sides(n *camtEntry, d *camtDetail) (other camtParty, sub string) {
	parent := h.said.ParentAccount
	ours := func(p camtParty) bool { return parent != "" && strings.HasPrefix(p.Account, parent) }
	other, self, creditor := d.Debtor, d.Creditor, true
	if n.Direction == Debit {
		other, self, creditor = self, other, false
	}
	alone := (n.Reversal || d.Returned) && other == camtParty{}
	if !ours(self) && (alone || ours(other)) {
		other, self, creditor = self, other, !creditor
	}
	if self.Account != "" && self.Account != parent {
		return other, self.Account
	}
	if creditor && !strings.ContainsAny(d.Reference, " \t\r\n") { // a number, not prose
		return other, d.Reference
	}
	return other, ""
}

// own is the reference that the bank itself gave the entry; "" when there is none.
func (h *camtHanding) own(n *camtEntry) string {
	if n.Ref == "" && len(n.Details) > 0 && n.Details[0].Ref != "" {
		return n.Details[0].Ref
	}
	return cmp.Or(n.Ref, n.NtryRef)
}

// serial is the bank's reference. Without any it is made of the content, so that the same booking has the same serial in
// the notice and in the statement; a content that comes again in one statement is a booking of its own.
func (h *camtHanding) serial(n *camtEntry) string {
	if ref := h.own(n); ref != "" {
		return ref
	}
	day, at := h.booked(n)
	said := []string{string(day), deposit.Wall(at), n.Amount.String()}
	for _, d := range n.Details {
		other, _ := h.sides(n, &d)
		said = append(said, d.EndToEnd, d.TxID, cmp.Or(other.Account, other.Name))
	}
	content := strings.Join(said, "\x00")
	key := sha256.Sum256([]byte(content + string(n.Direction)))
	again := h.repeats[key]
	if h.repeats[key]++; again > 0 {
		key = sha256.Sum256(append(key[:], strings.Repeat("\x00", again)...))
	}
	return "~" + hex.EncodeToString(key[:16])
}

// camtCommon is what several transactions have in common, for an entry that stays one: the rest is left empty, since
// naming one payer of several would be wrong.
func camtCommon(all []camtDetail) camtDetail {
	if len(all) == 0 {
		return camtDetail{}
	}
	common := all[0]
	for _, d := range all[1:] {
		keep := func(field *string, other string) {
			if *field != other {
				*field = ""
			}
		}
		keep(&common.Ref, d.Ref)
		keep(&common.Original, d.Original)
		keep(&common.Remark, d.Remark)
		keep(&common.Reference, d.Reference)
		common.Debtor.keep(d.Debtor)
		common.Creditor.keep(d.Creditor)
		common.Returned = common.Returned && d.Returned
	}
	return common
}

func (p *camtParty) keep(other camtParty) {
	if *p != other {
		*p = camtParty{}
	}
}
