//go:build !linux

package durable

import "os"

// SyncData forces the content of a file to the disk.
func SyncData(file *os.File) error { return file.Sync() }
