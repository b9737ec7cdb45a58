//go:build !seeded

package sqldb

func seeded(string) bool { return false }
