//go:build !unix

package main

import "errors"

func freeSpace(string) (uint64, error) {
	return 0, errors.New("在此系统上无法检查磁盘空间")
}
