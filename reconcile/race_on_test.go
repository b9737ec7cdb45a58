//go:build race

package reconcile_test

// sampled: the race detector makes the embedded engine ten times slower, and sees the same code in a sample.
const sampled = true
