package main

import (
	"context"
	"fmt"
	"time"

	"depositd/platform"
	"depositd/platform/deposit"
)

// Every bidEvery-th number of a run is a bid's, for as many as its length lets expect: the judge has verdicts of both
// kinds to give.
const (
	bidEvery      = 4
	bidsPerSecond = 250
)

// benchNotice is a G-series credit advice of the day, that no other is equal to.
func benchNotice(run time.Time, number int64) []byte {
	at := run.In(deposit.Shanghai)
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><root><head><TransCode>G00001</TransCode><TransDate>%s</TransDate><TransTime>%s</TransTime><SeqNo>%08d</SeqNo></head>`+
		`<body><InstCode>3705018860000000123</InstCode><InDate>%s</InDate><InAmount>800000.00</InAmount><InName>%s</InName><InAcct>%s</InAcct>`+
		`<InMemo>%s</InMemo><InBankFLCode>%d-%d</InBankFLCode></body></root>`, at.Format("20060102"), at.Format("150405"), number,
		at.Format("20060102150405"), noticePayer(number), noticeAccount(number), noticeNumber(run.UnixNano(), number), run.UnixNano(), number)
}

func noticePayer(number int64) string {
	return fmt.Sprintf("聊城市东昌第%d建设工程有限公司", number)
}

func noticeAccount(number int64) string { return fmt.Sprintf("6212%015d", number) }

// noticeNumber is the sub-account of a notice, which no other run uses.
func noticeNumber(run, number int64) string { return fmt.Sprintf("%d-%06d", run, number) }

// benchBids lets the platform tell of the bids for which the notices of a run will be.
func (a *app) benchBids(ctx context.Context, run, bids int64) error {
	now := a.db.Now()
	var order platform.SyncOrder
	for i := int64(1); i <= bids; i++ {
		lot := fmt.Sprintf("BENCH-%d-%d", run, i/bidsPerLot)
		if len(order.Lots) == 0 || order.Lots[len(order.Lots)-1].Number != lot {
			order.Lots = append(order.Lots, platform.LotOrder{Number: lot, Department: "建设工程科", Deposit: 800_000_00, OpensAt: now.Add(24 * time.Hour)})
		}
		order.Bids = append(order.Bids, platform.BidOrder{Lot: lot, Bidder: noticePayer(i * bidEvery), BidderAccount: noticeAccount(i * bidEvery), Bank: "bench",
			SubAccount: noticeNumber(run, i*bidEvery), LeaseFrom: now.Add(-24 * time.Hour)})
		if len(order.Bids) < rowsAtOnce && i < bids {
			continue
		}
		if _, err := a.platform.Sync(ctx, "bench", order); err != nil {
			return err
		}
		order = platform.SyncOrder{}
	}
	return nil
}
