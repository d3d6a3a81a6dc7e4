//go:build unix

package seal

import (
	"io/fs"
	"syscall"
)

// openNonblock keeps a FIFO that nobody reads from blocking us.
const openNonblock = syscall.O_NONBLOCK

// worldReadable reports whether everybody may read the file. Its group may: secrets are mounted like that into containers.
func worldReadable(info fs.FileInfo) bool { return info.Mode().Perm()&0o007 != 0 }
