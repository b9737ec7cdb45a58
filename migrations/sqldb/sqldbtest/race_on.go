//go:build race

package sqldbtest

// UnderRace says that the race detector watches the tests. It makes the embedded engine, which runs in their process, ten times
// slower.
const UnderRace = true
