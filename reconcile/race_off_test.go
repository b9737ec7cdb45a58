//go:build !race

package reconcile_test

const sampled = false
