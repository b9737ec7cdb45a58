package bank

import (
	"slices"

	"depositd/platform/deposit"
)

func askCreditsG(h CallHead, n OfNumber) ([]byte, error) {
	if err := checkNumber("InstCode", n.Parent); err != nil {
		return nil, err
	}
	if err := checkNumber("InMemo", n.Number); err != nil {
		return nil, err
	}
	return askG(gCredits, h, "InstCode", n.Parent, "InMemo", n.Number)
}

// readCreditsG reads the list of a G00005, all of it or none: of credits that are told in part nobody knows what is missing.
func readCreditsG(b *Bank, n OfNumber, raw []byte) (Credited, string, error) {
	t, result, err := saidG(gCredits, raw, "InMemo", n.Number, gDone, gUnsaid)
	if err != nil {
		return Credited{}, result, err
	}
	rows := t.credits()
	count, err := t.count("Count")
	if err == nil && count != len(rows) {
		err = deposit.Refuse(deposit.Invalid, "count_differs", "Count 为 ", count, "，明细为 ", len(rows), " 笔")
	}
	if err != nil {
		return Credited{}, result, err
	}
	found := make([]Entry, len(rows))
	for i, row := range rows {
		if found[i], err = row.creditOf(b, n); err != nil {
			return Credited{}, result, inEntry(i, len(rows), err)
		}
	}
	return Credited{found, raw}, result, nil
}

// gCreditFields are what tells a row of credits from other rows; a single credit may stand in the body itself.
var gCreditFields = []string{"InDate", "InAmount", "InName", "InAcct", "InBankFLCode"}

// credits are the rows that hold a credit, whatever they are called.
func (t gTold) credits() []gMessage {
	var rows []gMessage
	single := gMessage{}
	for _, name := range gCreditFields {
		if text := t.body(name); text != "" {
			single[name] = text
		}
	}
	for _, row := range append(t.rows, single) {
		if slices.ContainsFunc(gCreditFields, func(name string) bool { return row[name] != "" }) {
			rows = append(rows, row)
		}
	}
	return rows
}

// creditOf reads a row as the notice of the same credit would be read.
func (m gMessage) creditOf(b *Bank, n OfNumber) (Entry, error) {
	notice := gMessage{"body/InstCode": n.Parent, "body/InMemo": n.Number}
	for _, name := range gCreditFields {
		notice["body/"+name] = m[name]
	}
	e, err := notice.credit()
	if err != nil {
		return e, err
	}
	return e, b.admit(&e)
}
