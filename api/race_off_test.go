//go:build !race

package api

const sampled = false
