//go:build unix

package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// peakMiB is the most memory that a program that has ended, or one of its children, had at once.
func peakMiB(ended *os.ProcessState) float64 {
	usage, ok := ended.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // counts bytes
		return float64(usage.Maxrss) / (1 << 20)
	}
	return float64(usage.Maxrss) / (1 << 10)
}

// keepMemory lets no crash of this process write its memory, in which what the database holds sealed stands open, to a disk.
func keepMemory() error { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }

// worked is how much of the processors' time this program has had.
func worked() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func machine() benchMachine {
	m := benchMachine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
	text, err := os.ReadFile("/proc/meminfo")
	if fields := bytes.Fields(text); err == nil && len(fields) > 1 { // "MemTotal: 24000000 kB"
		kib, _ := strconv.ParseInt(string(fields[1]), 10, 64)
		m.MemoryMiB = kib >> 10
	}
	return m
}
