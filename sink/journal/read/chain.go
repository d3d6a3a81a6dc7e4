package read

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hbjournal/sink/names"
)

// An opener opens the files of a reading one after another. The error of next is io.EOF after the last one; a
// *CorruptError if a file cannot be read, and then next goes on with the one after it.
type opener interface {
	next() (*file, error)
	// seek leaves out the files that hold nothing as new as since, a time in Unix milliseconds. It is called first.
	seek(since int64) error
}

// maxStepBack is how far the time may go back from one line of a journal to a later one. Looking for a time skips what
// it can prove to be outside under this bound, so larger steps, which Verify reports, may hide entries from a search.
const maxStepBack = time.Minute

// errMoved says that the files changed while one was opened: the directory is to be listed again.
var errMoved = errors.New("journal files moved")

// A chain walks the files of one journal by the stamps in their names, the live file last. It lists the directory again
// at each step, so that files may be renamed, compressed, pruned and added while it walks: a stamp stays with its
// content whatever happens to the rest of the name, and a stamp with several files is sorted out by their first lines.
type chain struct {
	dir, base string
	from      time.Time       // files with an earlier stamp are done with
	seen      map[uint64]bool // and of this stamp, those with these first lines
	passed    names.File      // name under which the newest of them was passed
	last      *file           // handed out last
	ended     bool            // last is the live file
	follow    bool            // go on after the live file; then last is to be kept open
	lost      bool            // files between last and the one before it may have been removed unread
	step      time.Duration   // in seconds, from a stamp to the next one that may follow: 1, or -1 backwards
}

func newChain(dir, base string) *chain {
	return &chain{dir: dir, base: base, step: 1}
}

func (c *chain) next() (*file, error) { return c.walk(c.try) }

// walk tries to open the next file until none is moved meanwhile.
func (c *chain) walk(try func() (*file, error)) (*file, error) {
	const tries = 100
	for range tries {
		f, err := try()
		if errors.Is(err, errMoved) {
			continue
		}
		if err == nil {
			c.pass(f)
			c.last = f
		}
		return f, err
	}
	return nil, fmt.Errorf("open journal in %s: its files keep changing", c.dir)
}

// try opens the next file, the live one as the last. It gives errMoved if that file was moved meanwhile.
func (c *chain) try() (*file, error) {
	if c.ended && !c.follow {
		return nil, io.EOF
	}
	c.lost = false
	files, err := stableList(c.dir, c.base)
	if err != nil {
		return nil, err
	}
	for _, candidate := range files {
		if candidate.Live() || candidate.Stamp.Before(c.from) || candidate == c.passed {
			continue
		}
		if f, err := c.openNew(candidate); f != nil || err != nil {
			c.lost = c.last != nil && !slices.ContainsFunc(files, c.isLast)
			return f, err
		}
	}
	return c.openLive()
}

// isLast reports whether f is the backup that was handed out last. One that was the live file then has got its stamp
// when the chain came upon it again, if it did.
func (c *chain) isLast(f names.File) bool { return !f.Live() && f.Stamp.Equal(c.last.Stamp) }

// openNew opens a backup, or gives nil if its content was read already, perhaps under another name.
func (c *chain) openNew(candidate names.File) (*file, error) {
	f, err := openFile(candidate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMoved
	}
	copied := candidate.Stamp.Equal(c.from) && len(c.seen) > 0
	if err != nil && !copied {
		return nil, c.unreadable(candidate, err)
	}
	if err != nil {
		return nil, nil // A copy that is not whole yet.
	}
	wasLive := c.wasLive(f)
	if wasLive {
		c.last.File, c.ended = f.File, false
	}
	if wasLive || f.same(c.last) || copied && (c.seen[f.head.hash] || f.head.hash == 0) {
		c.pass(f)
		return nil, f.close()
	}
	return f, nil
}

// wasLive reports whether f is the file that was handed out as the live one, under the name that it got since, or
// compressed since.
func (c *chain) wasLive(f *file) bool {
	if c.last == nil || !c.last.Live() {
		return false
	}
	c.last.identify()
	return f.same(c.last) || !f.plain && f.head.hash == c.last.head.hash && f.head.hash != 0
}

// unreadable is the error for a file that cannot even be opened; it is passed, so that the next step goes beyond it.
func (c *chain) unreadable(f names.File, err error) error {
	c.from, c.seen = f.Stamp.Add(c.step*time.Second), nil
	return &CorruptError{Path: f.Path, Err: err}
}

// openLive opens the live file, if no backup has come into being that is to be read before it.
func (c *chain) openLive() (*file, error) {
	path := filepath.Join(c.dir, c.base)
	f, err := openFile(names.File{Path: path})
	if errors.Is(err, fs.ErrNotExist) && c.last != nil {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	newer, err := c.newer(f)
	switch {
	case err != nil:
	case newer:
		err = errMoved
	case c.follow && c.last != nil && os.SameFile(f.info, c.last.info):
		err = io.EOF
	}
	if err != nil {
		_ = f.close() // It was only looked at.
		return nil, err
	}
	return f, nil
}

// newer reports whether there are backups that were not passed, leaving out a second name of the live file.
func (c *chain) newer(live *file) (bool, error) {
	files, err := stableList(c.dir, c.base)
	for _, f := range files {
		if f.Live() || f.Stamp.Before(c.from) || f.Stamp.Equal(c.from) && c.seen != nil {
			continue
		}
		if info, err := os.Stat(f.Path); err != nil || !os.SameFile(info, live.info) {
			return true, nil
		}
	}
	return false, err
}

// pass takes note that f needs no more reading.
func (c *chain) pass(f *file) {
	if f.Live() {
		f.from, c.ended = c.from, true
		if c.seen != nil {
			f.from = c.from.Add(time.Second)
		}
		return
	}
	f.from, c.passed = f.Stamp, f.File
	if !f.Stamp.Equal(c.from) || c.seen == nil {
		c.from, c.seen = f.Stamp, map[uint64]bool{}
	}
	c.seen[f.head.hash] = true
}

// current reports, at little cost, that there is nothing after the file handed out last: it is still the live one.
func (c *chain) current() bool {
	info, err := os.Stat(filepath.Join(c.dir, c.base))
	return err == nil && c.last != nil && os.SameFile(info, c.last.info)
}

// find sets the chain before the file that at points into, and reports whether there is one.
func (c *chain) find(at Cursor) (bool, error) {
	c.from = at.From
	files, err := stableList(c.dir, c.base)
	for i, f := range files {
		if at.First == 0 || !f.Live() && f.Stamp.Before(at.From) {
			continue
		}
		candidate, err := openFile(f)
		if err != nil {
			continue // It was moved, or cannot be read: next will see.
		}
		found := candidate.head.hash == at.First
		if err := candidate.close(); err != nil {
			return false, err
		}
		if found {
			c.from = startOf(files, i)
			return true, nil
		}
	}
	return false, err
}

// forget sets the chain back to its beginning.
func (c *chain) forget() {
	*c = chain{dir: c.dir, base: c.base, step: c.step, follow: c.follow}
}

// seek looks from the newest file backwards for the first one that begins before since.
func (c *chain) seek(since int64) error {
	files, err := stableList(c.dir, c.base)
	for i := len(files) - 1; err == nil && i >= 0; i-- {
		f, err := openFile(files[i])
		if err != nil {
			continue // It was moved, or cannot be read: next will see.
		}
		found := f.head.timed && f.head.millis < since-maxStepBack.Milliseconds()
		if err := f.close(); err != nil {
			return err
		}
		if found {
			c.from = startOf(files, i)
			return nil
		}
	}
	return err
}

// startOf is the stamp from which on files[i] and all later files are, even if the live file is rotated meanwhile.
func startOf(files []names.File, i int) time.Time {
	switch {
	case !files[i].Live():
		return files[i].Stamp
	case i > 0:
		return files[i-1].Stamp.Add(time.Second)
	}
	return time.Time{}
}

// stableList lists until two listings agree, because a directory that is read while files in it are renamed may show a
// file twice or not at all. A journal that rotates faster than that gets the last listing.
func stableList(dir, base string) ([]names.File, error) {
	const tries = 10
	last, err := names.Files(dir, base)
	for range tries {
		if err != nil {
			return nil, err
		}
		var again []names.File
		again, err = names.Files(dir, base)
		if err == nil && slices.Equal(last, again) {
			return again, nil
		}
		last = again
	}
	return last, err
}
