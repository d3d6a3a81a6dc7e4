package read

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"hbjournal/sink/names"
)

// KeepDurable makes a Follower force each file to the disk before it leaves it, so that Sync then speaks for all that was
// read. It is called before the first Read.
func (f *Follower) KeepDurable() { f.durable = true }

// Sync forces to the disk what was read of the current file, whoever wrote it. It costs nothing if that was done already.
func (f *Follower) Sync() error {
	if f.lines.offset <= f.synced {
		return nil
	}
	cur := f.files[0]
	info, err := cur.raw.Stat()
	if err != nil {
		return err
	}
	if err := syncData(cur.raw); err != nil {
		return fmt.Errorf("force %s to the disk: %w", cur.Path, err)
	}
	if f.synced = info.Size(); !cur.plain {
		f.synced = math.MaxInt64
	}
	return nil
}

// Behind is how many bytes lie behind the position: the rest of the current file, and all later files as they are on the
// disk. It lists the directory unless the current file is the live one.
func (f *Follower) Behind() (int64, error) {
	cur := f.files[0]
	info, err := cur.raw.Stat()
	if err != nil {
		return 0, err
	}
	bytes := int64(0)
	if cur.plain {
		bytes = max(0, info.Size()-f.lines.offset)
	}
	if live, err := os.Stat(filepath.Join(f.chain.dir, f.chain.base)); err == nil && os.SameFile(live, info) {
		return bytes, nil
	}
	files, err := names.Files(f.chain.dir, f.chain.base)
	if err != nil {
		return 0, err
	}
	later := int64(0)
	for _, file := range files {
		other, err := os.Stat(file.Path)
		switch {
		case err != nil: // It was moved meanwhile.
		case os.SameFile(other, info):
			later = 0
		case file.Live() || !file.Stamp.Before(cur.from) && !file.Stamp.Equal(cur.Stamp):
			later += other.Size()
		}
	}
	return bytes + later, nil
}

// Position is behind the lines that were given, from which another Follow goes on.
func (f *Follower) Position() Cursor { return f.files[0].at(f.lines.offset) }
