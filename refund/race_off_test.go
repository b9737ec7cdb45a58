//go:build !race

package refund_test

// How many months are played on each processor at each commit, and how many in all by make torture.
const (
	months     = 1_000
	longMonths = 100_000
)
