//go:build seeded

package sqldb

import "os"

func seeded(bug string) bool { return os.Getenv(SeededBug) == bug }
