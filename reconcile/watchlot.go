package reconcile

import (
	"context"
	"fmt"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// astray is a deposit that came too late or to a wrong number.
type astray struct {
	LotID      sqldb.ID
	Lot        string
	Department string
	OpensAt    time.Time
	OpenedAt   time.Time
	Code       Code
	Bank       string
	SubAccount string
	Serial     string
	BookedAt   time.Time
	SeenAt     time.Time
	Meant      string // the lot that was probably meant; "": none is known
	Opened     bool   // neither lot is sealed
	Held       bool   // somebody held the number
	Stated     bool   // the statement has it
	Shared     bool   // the number is the lot's, for all its bids
}

// watchLots looks for deposits that came late or to a wrong number (plan 4.6.2, case 1): an incident for each lot that is
// opened; of the others, and of money that is nobody's while a lot is sealed that it may be meant for, watchSealed tells.
func (k *Keeper) watchLots(ctx context.Context, c circumstances) ([]incident.Sign, error) {
	seen, args := platform.Seen("f.lot_id", "e.first_seen", deposit.SightOfAll())
	all, err := sqldb.Select(ctx, k.db, func(a *astray) []any {
		return []any{&a.LotID, &a.Lot, &a.Department, sqldb.Wall(&a.OpensAt), sqldb.Wall(&a.OpenedAt), &a.Code, &a.Bank, &a.SubAccount, &a.Serial, sqldb.Wall(&a.BookedAt), sqldb.Wall(&a.SeenAt),
			&a.Meant, &a.Opened, &a.Held, &a.Stated, &a.Shared}
	}, "SELECT l.id, l.number, l.department, l.opens_at, l.opened_at, f.code, e.bank, e.sub_account, e.serial, e.booked_at, e.first_seen, COALESCE(s.number, ''), "+
		"CASE WHEN l.state <> 'ANNOUNCED' AND COALESCE(s.state, '') <> 'ANNOUNCED' THEN 1 ELSE 0 END, CASE WHEN f.lot_id <> 0 THEN 1 ELSE 0 END, "+
		"CASE WHEN EXISTS (SELECT 1 FROM sightings AS g WHERE g.entry_id = e.id AND g.source = 'S') THEN 1 ELSE 0 END, CASE WHEN l.numbering = 'PER_LOT' THEN 1 ELSE 0 END "+
		"FROM findings AS f JOIN entries AS e ON e.id = f.subject LEFT JOIN bids AS b ON b.id = f.suggested_bid LEFT JOIN lots AS s ON s.id = b.lot_id "+
		"JOIN lots AS l ON l.id = CASE WHEN f.lot_id <> 0 THEN f.lot_id ELSE s.id END "+
		"WHERE f.kind = 'CREDIT' AND f.state = 'OPEN' AND f.code IN "+astrayCodes+" AND "+seen+" ORDER BY l.number, e.booked_at, e.serial, f.id LIMIT ?", append(args, mostAstray)...)
	if err != nil {
		return nil, err
	}
	return astraySigns(all, c), nil
}

// astrayCodes are the verdicts on money that came late, to somebody else's number or to nobody's.
const astrayCodes = "('WRONG_SUB_ACCOUNT','LATE_CREDIT','UNKNOWN_SUB_ACCOUNT','PAID_TO_PARENT')"

// mostAstray is how many a round looks at.
const mostAstray = 2000

// astraySigns is what they show of lots that are opened. It is pure.
func astraySigns(all []astray, c circumstances) (signs []incident.Sign) {
	byLot := map[string][]astray{}
	var lots []string
	for _, a := range all {
		if !a.Opened {
			continue
		}
		if byLot[a.Lot] == nil {
			lots = append(lots, a.Lot)
		}
		byLot[a.Lot] = append(byLot[a.Lot], a)
	}
	for _, lot := range lots {
		signs = append(signs, lotSign(byLot[lot], c))
	}
	return signs
}

func lotSign(all []astray, c circumstances) incident.Sign {
	lot := &all[0]
	s := incident.Sign{Scenario: incident.Unshown, Branch: caseOne, Code: SignAstray, Subject: lot.Lot, LotID: lot.LotID, Bank: lot.Bank, Department: lot.Department,
		Title: "标段 " + lot.Lot + "：有投标保证金晚到或汇错子账号", Since: lot.BookedAt}
	var w weighing
	var p proofs
	late, wrong, delayed := 0, 0, 0
	for i := range all {
		a := &all[i]
		if a.SeenAt.Sub(a.BookedAt) > slowNotice {
			delayed++
		}
		if a.Code == LateCredit {
			late++
			p.know("1.2", fmt.Sprint("流水号 ", a.Serial, "：银行入账 ", deposit.Wall(a.BookedAt), "，开标时间 ", deposit.Wall(a.OpensAt), "，晚 ", int(a.BookedAt.Sub(a.OpensAt)/time.Second), " 秒", a.statedText()))
			continue
		}
		wrong++
		p.know("1.1", a.placeText())
	}
	s.Detail = fmt.Sprint("晚于开标时间 ", late, " 笔，汇错子账号 ", wrong, " 笔")
	w.say(late > 0, incident.SideBidder, "以银行入账时间为准，晚于开标时间")
	w.say(wrong > 0, incident.SideBidder, "付款人在入账时另有投标，款项却汇入他人、他标段或无人使用的子账号")
	w.say(delayed > 0, incident.SideBank, "有通知在入账一小时以后才到达，但认定以入账时间为准")
	deaf := c.deafIn(lot.OpensAt.Add(-time.Hour), lot.OpensAt)
	w.say(deaf > 0, incident.SideOurs, "开标前一小时内本系统曾中断 "+lasting(deaf)+"，但认定以银行入账时间为准")
	s.Fault = w.fault()
	if wrong > 0 {
		p.ask("1.1", "投标人来询时，请其提供子账号、金额、日期和银行流水号，只答复其本人这一笔的归属", "按退款流程退回付款账户，不得改记到其他项目")
	}
	if late > 0 {
		p.ask("1.2", "综合科登录网银，按上列流水号核对入账时间，确认后按退款流程退付")
	}
	s.Evidence = Exhibits(s.Scenario, s.Branch, p)
	return s
}

// slowNotice is how long a notice takes at most where nothing is wrong.
const slowNotice = time.Hour

// placeText says whose project the number is that was paid into, and which was meant.
func (a *astray) placeText() string {
	text := fmt.Sprint("流水号 ", a.Serial, "：", deposit.Wall(a.BookedAt), " 入账的子账号 ", a.SubAccount, " 当时属于标段 ", a.Lot)
	switch {
	case a.SubAccount == "":
		text = fmt.Sprint("流水号 ", a.Serial, "：", deposit.Wall(a.BookedAt), " 汇入母账户，没有写明子账号")
	case !a.Held:
		text = fmt.Sprint("流水号 ", a.Serial, "：", deposit.Wall(a.BookedAt), " 入账的子账号 ", a.SubAccount, " 当时不属于任何标段")
	}
	if a.Held && a.Shared {
		text += "（该标段各投标人共用）"
	}
	if a.Meant != "" && (a.Meant != a.Lot || !a.Held) {
		text += "；付款人当时投标的标段是 " + a.Meant
	}
	return text + a.statedText()
}

// statedText says whether the bank's statement confirms the booking and its time.
func (a *astray) statedText() string {
	if a.Stated {
		return "（对账单已证实）"
	}
	return "（尚待对账单证实）"
}
