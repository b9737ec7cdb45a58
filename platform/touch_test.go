package platform

import (
	"testing"

	"depositd/migrations/sqldb"
)

func TestUntouchForgetsOnlyWhatWasSeen(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		h.putBid(bidOrder(lotA.Number, "海岳", "9001"))
		h.putBid(bidOrder(lotA.Number, "明湖", "9002"))
		seen, err := Touched(ctx, h.db, 1)
		if err != nil || len(seen) != 1 || seen[0].Bank != "ICBC" {
			h.Fatalf("%+v %v", seen, err)
		}
		closing := bidOrder(lotA.Number, "海岳", "9001") // changed while it is judged
		closing.LeaseTo = at("2026-06-30 00:00:00")
		h.putBid(closing)
		if err := h.db.Write(ctx, "test", func(tx *sqldb.Tx) error { return Untouch(ctx, tx, []sqldb.ID{seen[0].ID}) }); err != nil {
			h.Fatal(err)
		}
		if left := h.untouch(); len(left) != 2 {
			h.Errorf("left %q", left)
		}
		h.wantTouched()
	})
}
