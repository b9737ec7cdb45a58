//go:build !race

package sqldbtest

// UnderRace says that the race detector watches the tests.
const UnderRace = false
