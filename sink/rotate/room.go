package rotate

// Room is what an ordinary user may still put on a file system.
type Room struct {
	FreeBytes int64
	FreeFiles int64 // -1: as many as there are bytes for, or not known
}

// freeBytes is Room.FreeBytes of the file system that dir is on.
func freeBytes(dir string) (int64, error) {
	room, err := RoomIn(dir)
	return room.FreeBytes, err
}
