package read

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"hbjournal/sink/names"
)

// A backChain is a chain that walks from the live file to the oldest backup. The next candidate is files[at-1].
type backChain struct{ chain }

func newBackChain(opt Options) *backChain {
	c := &backChain{*newChain(opt)}
	c.step = -1
	return c
}

func (c *backChain) next() (*file, error) { return c.walk(c.try) }

func (c *backChain) try() (*file, error) {
	if !c.ended {
		if f, err := c.openLive(); f != nil || err != nil {
			return f, err
		}
	}
	if c.stale {
		if err := c.relist(); err != nil {
			return nil, err
		}
	}
	for c.at > 0 {
		candidate := c.files[c.at-1]
		if c.skips(candidate) {
			c.at--
			continue
		}
		from := c.from
		f, err := c.openNew(candidate)
		if !errors.Is(err, errMoved) {
			c.at--
		}
		if f == nil && c.from.Before(candidate.Stamp) && c.at > 0 && c.files[c.at-1].Stamp.Equal(candidate.Stamp) {
			c.from, err = from, nil // It cannot be read, and the file that it is a copy of comes next.
		}
		if f != nil || err != nil {
			return f, err
		}
	}
	return nil, io.EOF
}

// relist lists the files, and goes to the newest that has not been dealt with.
func (c *backChain) relist() error {
	if err := c.renew(); err != nil {
		return err
	}
	c.at, c.stale = c.upTo(c.from), false
	return nil
}

// openLive opens the live file, if there is one, and goes to the backups that are older.
func (c *backChain) openLive() (*file, error) {
	newest, err := c.newest()
	if err != nil {
		return nil, err
	}
	todo := c.marks()
	f, err := c.opener.open(names.File{Path: filepath.Join(c.dir, c.base)})
	if errors.Is(err, fs.ErrNotExist) && len(c.files) > 0 {
		c.from, c.todo, c.ended = newest, todo, true
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	again, err := c.newest()
	if err == nil && (!again.Equal(newest) || !maps.Equal(c.marks(), todo)) {
		err = errMoved // It was rotated: which of the two files is open now is not sure.
	}
	if err != nil {
		_ = f.close() // It was only looked at.
		return nil, err
	}
	c.todo = todo
	if c.from = newest; !newest.IsZero() {
		c.seen = map[uint64]bool{} // Not nil: the live file is newer than that stamp.
	}
	return f, nil
}

// newest lists the files, and returns the stamp of the newest backup, zero if there is none.
func (c *backChain) newest() (time.Time, error) {
	if err := c.renew(); err != nil {
		return time.Time{}, err
	}
	c.at, c.stale = len(c.backups()), false
	if len(c.own) == 0 {
		return time.Time{}, nil
	}
	return c.own[len(c.own)-1].Stamp, nil
}

// seek does nothing: a backward reading stops by itself at the first block that is too old.
func (c *backChain) seek(int64) error { return nil }
