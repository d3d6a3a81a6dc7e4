//go:build !linux

package read

import (
	"os"
	"runtime"
)

// syncData forces what a file holds to the disk. Windows does that for those only who may write.
func syncData(file *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return file.Sync()
}
