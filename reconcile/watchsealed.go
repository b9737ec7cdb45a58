package reconcile

import (
	"context"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// morning is the hour in which it is said that sealed lots have something to look at.
const morning = 8

// watchSealed tells of lots that are not opened, all banks and lots together, that there is something to look at: deposits that
// came to a wrong number – whose payer's own lot is not known as long as that is sealed – or lines that were never pushed. It is told in one hour of the day only, and where several lots are
// sealed: the moment, the bank or the lot would tell that somebody has paid.
func (k *Keeper) watchSealed(ctx context.Context, c circumstances) ([]incident.Sign, error) {
	type found struct {
		bank string
		kind FindingKind
		last deposit.Day
		n    int
	}
	all, err := sqldb.Select(ctx, k.db, func(f *found) []any { return []any{&f.bank, &f.kind, &f.last, &f.n} }, "SELECT f.bank, f.kind, MAX(f.day), COUNT(*) FROM findings AS f JOIN entries AS e ON e.id = f.subject "+matchedLots+
		"WHERE f.state = 'OPEN' AND (f.kind = 'MISSING' AND "+mayTell+" = 0 OR f.kind = 'CREDIT' AND (f.code IN "+astrayCodes+" OR f.code = 'THIRD_PARTY_PAYER') AND 'ANNOUNCED' IN (COALESCE(t.state, ''), COALESCE(s.state, ''))) GROUP BY f.bank, f.kind ORDER BY f.bank, f.kind")
	if err != nil {
		return nil, err
	}
	standing, err := incident.Standing(ctx, k.db, SignSealed, SignNotPushed)
	if err != nil {
		return nil, err
	}
	hidden := 0
	for _, f := range all {
		if f.kind == KindMissing { // a bank's own incident tells it where there is one, or its silence will be one
			pushed, err := bank.LastPush(ctx, k.db, f.bank)
			if err != nil {
				return nil, err
			}
			if pushed.Before(f.last.Add(1).Start()) || slices.Contains(standing, incident.Key{Scenario: incident.Unshown, Code: SignNotPushed, Subject: f.bank}) {
				continue
			}
		}
		hidden += f.n
	}
	told := slices.Contains(standing, sealedKey) || c.now.In(deposit.Shanghai).Hour() == morning
	if hidden == 0 || c.veil.Lots < leastSealed || !told {
		return nil, nil
	}
	return []incident.Sign{sealedSign(hidden, c.veil)}, nil
}

// sealedKey is the one incident of all lots that are not opened.
var sealedKey = incident.Key{Scenario: incident.Unshown, Code: SignSealed, Subject: "SEALED"}

// sealedSign says no more than that there is something.
func sealedSign(hidden int, veil Veil) incident.Sign {
	s := incident.Sign{Scenario: incident.Unshown, Code: SignSealed, Subject: sealedKey.Subject, Department: string(IT), Title: "有未开标标段需核对", Detail: veil.Note(hidden)}
	s.Fault = &incident.Fault{Side: incident.SideOpen, For: []string{"开标前不披露；开标后按标段自动判定"}, Against: []string{}}
	s.Evidence = append(
		Exhibits(s.Scenario, caseOne, []Proof{{Step: "1.1", Facts: []string{veil.Note(hidden)}, Asks: []string{"开标前只答复投标人本人凭流水号查询的那一笔，不得查看或透露其他信息"}}}),
		Exhibits(s.Scenario, caseTwo, []Proof{{Step: "2.1", Facts: []string{veil.Note(hidden)}, Asks: []string{"请各接入银行补推近 7 日的全部到账通知，重复推送不会重复入账"}}})...)
	return s
}
