//go:build race

package refund_test

// Under the race detector, which makes the database in this process many times slower, fewer months are played.
const (
	months     = 20
	longMonths = 2_000
)
