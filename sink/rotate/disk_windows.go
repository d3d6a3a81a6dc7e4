package rotate

import (
	"os"

	"golang.org/x/sys/windows"
)

// RoomIn is the room of the volume that dir is on.
func RoomIn(dir string) (Room, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Room{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return Room{}, &os.PathError{Op: "GetDiskFreeSpaceEx", Path: dir, Err: err}
	}
	return Room{FreeBytes: int64(free), FreeFiles: -1}, nil
}
