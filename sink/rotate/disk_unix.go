//go:build linux || darwin || freebsd

package rotate

import (
	"os"

	"golang.org/x/sys/unix"
)

// RoomIn is the room of the file system that dir is on.
func RoomIn(dir string) (Room, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Room{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	room := Room{FreeBytes: int64(st.Bavail) * int64(st.Bsize), FreeFiles: int64(st.Ffree)}
	if st.Files == 0 {
		room.FreeFiles = -1 // It makes them as they are needed.
	}
	return room, nil
}
