//go:build race

package incident_test

// Under the race detector, which makes the database in this process many times slower, one call in so many is disturbed.
const everyCall = 6
