//go:build !race

package incident_test

const everyCall = 1
