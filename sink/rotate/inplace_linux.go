package rotate

import (
	"os"

	"golang.org/x/sys/unix"
)

// noCopyOnWrite is FS_NOCOW_FL of linux/fs.h.
const noCopyOnWrite = 0x00800000

// overwriteInPlace has a file system that would write changed blocks elsewhere, as btrfs does, overwrite those of this
// file, which must be empty. Others refuse, and need it not.
func overwriteInPlace(file *os.File) {
	flags, err := unix.IoctlGetInt(int(file.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		_ = unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, flags|noCopyOnWrite)
	}
}
