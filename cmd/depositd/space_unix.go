//go:build unix

package main

import "syscall"

// freeSpace is how many bytes an ordinary user may still write to the disk of a folder.
func freeSpace(folder string) (uint64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, err
	}
	return uint64(disk.Bavail) * uint64(disk.Bsize), nil //nolint:unconvert // signed on some systems
}
