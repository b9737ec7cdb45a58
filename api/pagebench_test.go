package api

import (
	"context"
	"fmt"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

// The queue of a hundred thousand findings: its first page before a browser against the same page of its JSON twin. What the page
// takes more are the counts by reason.
func BenchmarkQueue(b *testing.B) {
	t := &testing.T{}
	h := newHouse(t, "sqlite:"+b.TempDir()+"/deposit.db", banksYAML)
	codes := reconcile.Codes()
	err := h.db.Write(context.Background(), "bench", func(tx *sqldb.Tx) error {
		for i := range 100_000 {
			_, err := tx.Exec(context.Background(), "INSERT INTO findings (id, kind, subject, code, reasons, day, bank, parent_account, amount, lot_id, bid_id, suggested_bid, department, detail, state, version, found_at) "+
				"VALUES (?,'CREDIT',?,?,?,?,'open','6550100000000000017',80000000,0,0,0,'综合科','','OPEN',1,?)", tx.NewID(), tx.NewID(), codes[i%12], codes[i%12], fmt.Sprintf("2026-06-%02d", 1+i%12), sqldb.At(tx.Now))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, target := range []string{"/v1/findings?state=TODO", "/findings?state=TODO", "/v1/findings/counts?state=TODO"} {
		b.Run(target, func(b *testing.B) {
			for b.Loop() {
				if got := h.page(maker, "GET", target, nil); got.Code != 200 {
					b.Fatalf("%d %s", got.Code, got.Body)
				}
			}
		})
	}
}
