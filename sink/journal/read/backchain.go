package read

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"hbjournal/sink/names"
)

// A backChain is a chain that walks from the live file to the oldest backup.
type backChain struct{ chain }

func (c *backChain) next() (*file, error) { return c.walk(c.try) }

func (c *backChain) try() (*file, error) {
	if !c.ended {
		if f, err := c.openLive(); f != nil || err != nil {
			return f, err
		}
	}
	files, err := stableList(c.dir, c.base)
	if err != nil {
		return nil, err
	}
	for _, candidate := range slices.Backward(files) {
		if candidate.Live() || candidate.Stamp.After(c.from) {
			continue
		}
		if f, err := c.openNew(candidate); f != nil || err != nil {
			return f, err
		}
	}
	return nil, io.EOF
}

// openLive opens the live file, if there is one, and takes note of the backups that are older.
func (c *backChain) openLive() (*file, error) {
	newest, err := c.newest()
	if err != nil {
		return nil, err
	}
	f, err := openFile(names.File{Path: filepath.Join(c.dir, c.base)})
	if errors.Is(err, fs.ErrNotExist) && !newest.IsZero() {
		c.from, c.ended = newest, true
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	again, err := c.newest()
	if err == nil && !again.Equal(newest) {
		err = errMoved // It was rotated: which of the two files is open now is not sure.
	}
	if err != nil {
		_ = f.close() // It was only looked at.
		return nil, err
	}
	if c.from = newest; !newest.IsZero() {
		c.seen = map[uint64]bool{} // Not nil: the live file is newer than that stamp.
	}
	return f, nil
}

// newest is the stamp of the newest backup, zero if there is none.
func (c *backChain) newest() (time.Time, error) {
	files, err := stableList(c.dir, c.base)
	for _, f := range slices.Backward(files) {
		if !f.Live() {
			return f.Stamp, err
		}
	}
	return time.Time{}, err
}

// seek is done block by block in a backward reading.
func (c *backChain) seek(int64) error { return nil }
