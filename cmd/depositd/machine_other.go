//go:build !unix

package main

import (
	"os"
	"runtime"
	"time"
)

func peakMiB(*os.ProcessState) float64 { return 0 }

func worked() time.Duration { return 0 }

func machine() benchMachine {
	return benchMachine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
}

func keepMemory() error { return nil }
