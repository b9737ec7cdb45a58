package api

import (
	"context"
	"fmt"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// The queue of a hundred thousand findings: its first page before a browser against the same page of its JSON twin. The cards by
// reason are counted beside it, as /v1/findings/counts is.
func BenchmarkQueue(b *testing.B) {
	t := &testing.T{}
	h := newHouse(t, "sqlite:"+b.TempDir()+"/deposit.db", banksYAML)
	codes := reconcile.Codes()
	err := h.db.Write(context.Background(), "bench", func(tx *sqldb.Tx) error {
		all := make([]reconcile.Finding, 100_000)
		for i := range all {
			all[i] = reconcile.Finding{Subject: tx.NewID(), Code: codes[i%12], Reasons: string(codes[i%12]), Day: deposit.Day(fmt.Sprintf("2026-06-%02d", 1+i%12)), Bank: "open",
				ParentAccount: "6550100000000000017", Amount: 800_000_00, Department: "综合科"}
		}
		return reconcile.KeepFindings(context.Background(), tx, reconcile.KindCredit, nil, all)
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
