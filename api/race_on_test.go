//go:build race

package api

// sampled: the race detector makes the embedded engine ten times slower; the two worlds are held against each other without it.
const sampled = true
