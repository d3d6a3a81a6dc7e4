package read

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hbjournal/sink/names"
)

// A sequence gives the files of a reading one after another, opened. The error of next is io.EOF after the last one; a
// *CorruptError if a file cannot be read, and then next goes on with the one after it.
type sequence interface {
	next() (*file, error)
	// seek leaves out the files that hold nothing as new as since, a time in Unix milliseconds. It is called first.
	seek(since int64) error
	// again opens a file that next has given and that was closed since, wherever it is now; nil: it is gone.
	again(f *file) *file
}

// maxStepBack is how far the time may go back from one line of a journal to a later one. Looking for a time skips what
// it can prove to be outside under this bound, so larger steps, which Verify reports, may hide entries from a search.
const maxStepBack = time.Minute

// errMoved says that the files changed while one was opened: the directory is to be listed again.
var errMoved = errors.New("journal files moved")

// A chain walks the files of one journal, backups by the stamps in their names, the live file last. Files may be renamed,
// compressed, pruned and added while it walks: a stamp stays with its content whatever happens to the rest of the name,
// and a stamp with several files is sorted out by their first lines. Those that another program rotated have their places
// among the backups and are known by their first lines alone, so that each is read once under whatever names it has meanwhile.
type chain struct {
	listing
	bounds
	settled
	at     int             // index in files of the next candidate
	stale  bool            // the files are to be listed before the next step
	from   time.Time       // all backups with an earlier stamp have been dealt with
	moved  mark            // of the last candidate that had lost its name when it was opened
	seen   map[uint64]bool // of the stamp from: the files with these fingerprints have been dealt with
	passed names.File      // name that the newest of them had then
	last   *file           // handed out last
	ended  bool            // last is the live file
	follow bool            // go on after the live file; then last is to be kept open
	lost   bool            // files between last and the one before it may have been removed unread
	step   time.Duration   // in seconds, from a stamp to the next one that may follow: 1, or -1 backwards
}

func newChain(opt Options) *chain {
	return &chain{
		listing: listing{dir: opt.Dir, base: opt.Base, opener: newOpener(opt)},
		bounds:  boundsOf(opt), stale: true, step: 1,
	}
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
	if c.stale || c.ended {
		if err := c.relist(); err != nil {
			return nil, err
		}
	}
	for backups := c.backups(); c.at < len(backups); {
		candidate := backups[c.at]
		if c.skips(candidate) {
			c.at++
			continue
		}
		f, err := c.openNew(candidate)
		if !errors.Is(err, errMoved) {
			c.at++
		}
		if f != nil || err != nil {
			c.lost = c.last != nil && !c.holds(c.last) && c.markOf(candidate) != c.moved
			return f, err
		}
	}
	return c.openLive()
}

// skips reports whether a file is not to be read, as far as its name and what is known of it tell.
func (c *chain) skips(f names.File) bool {
	switch {
	case f.Rotated:
		return c.isSettled(c.held[f.Path])
	case c.step > 0:
		return f == c.passed || f.Stamp.Before(c.from)
	}
	return f == c.passed || f.Stamp.After(c.from)
}

// markOf is what a listed file is known by.
func (c *chain) markOf(f names.File) mark {
	if f.Rotated {
		return c.held[f.Path].mark()
	}
	return mark{stamp: f.Stamp.Unix()}
}

// relist lists the files, and goes to the first that has not been dealt with.
func (c *chain) relist() error {
	if err := c.renew(); err != nil {
		return err
	}
	c.at, c.stale = c.listing.from(c.from), false
	if c.ended {
		c.findLast()
	}
	return nil
}

// findLast sees whether the file that was handed out as the live one has been renamed by another program, or compressed.
func (c *chain) findLast() {
	if len(c.held) == 0 || c.last == nil || !c.last.Live() {
		return
	}
	c.last.identify()
	c.settle(c.last, true)
	for path, k := range c.held {
		if k.is(c.last.info) && k.hash == c.last.fingerprint.hash || k.hash == c.last.fingerprint.hash && k.hash != 0 && !c.current() {
			c.last.File, c.ended = names.File{Path: path, Rotated: true}, false
			return
		}
	}
}

// openNew opens a backup, or gives nil if its content was read already, perhaps under another name.
func (c *chain) openNew(candidate names.File) (*file, error) {
	if candidate.Rotated {
		return c.openRotated(candidate)
	}
	f, err := c.opener.open(candidate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.lostName(candidate)
	}
	copied := candidate.Stamp.Equal(c.from) && len(c.seen) > 0
	if err != nil && !copied {
		return nil, c.unreadable(candidate, err)
	}
	if err != nil {
		return nil, nil // A copy that is not whole yet.
	}
	wasLive := c.wasLive(f)
	if wasLive && c.step > 0 {
		c.last.File, c.ended = f.File, false
	}
	known := copied && (c.seen[f.fingerprint.hash] || f.fingerprint.hash == 0) || c.wasRotated(f)
	if wasLive || known || c.copiesLive(f) || f.same(c.last) {
		c.pass(f)
		return nil, f.close()
	}
	return f, nil
}

// index is that of the candidate in files.
func (c *chain) index() int {
	if c.step > 0 {
		return c.at
	}
	return c.at - 1
}

// lostName is the error for a file that is not there any more under the name that it had.
func (c *chain) lostName(candidate names.File) error {
	c.stale, c.moved = true, c.markOf(candidate)
	return errMoved
}

// openRotated opens a file that another program rotated, or gives nil if it is a copy of the live one.
func (c *chain) openRotated(candidate names.File) (*file, error) {
	known := c.held[candidate.Path]
	f, err := c.opener.open(candidate)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!known.is(f.info) || f.fingerprint.hash != known.hash) {
		if f != nil {
			_ = f.close() // It is another one.
		}
		return nil, c.lostName(candidate)
	}
	if err != nil {
		c.add(known.mark(), true)
		return nil, &CorruptError{Path: candidate.Path, Err: err}
	}
	if c.copiesLive(f) {
		return nil, f.close()
	}
	f.from = c.startOf(c.index())
	return f, nil
}

// wasLive reports whether f is the file that was handed out as the live one, and has been renamed or compressed since.
func (c *chain) wasLive(f *file) bool {
	if c.last == nil || !c.last.Live() {
		return false
	}
	c.last.identify()
	return f.same(c.last) || !f.plain && f.fingerprint.hash == c.last.fingerprint.hash && f.fingerprint.hash != 0
}

// copiesLive reports whether f is a copy of the live file, still to be read, which holds the same lines and perhaps more since:
// a compressed one, or one that another program made. It costs an opening of the live file for each such file.
func (c *chain) copiesLive(f *file) bool {
	if f.plain && !f.Rotated || f.fingerprint.hash == 0 || c.ended {
		return false
	}
	live, err := c.opener.open(names.File{Path: filepath.Join(c.dir, c.base)})
	if err != nil {
		return false // Who reads it reports that.
	}
	defer live.close()
	return live.fingerprint.hash == f.fingerprint.hash
}

// unreadable is the error for a file that cannot be opened, nil if it is not missed. The chain counts it as dealt with and goes on behind it.
func (c *chain) unreadable(f names.File, err error) error {
	if c.becameSealed(f, err) {
		return nil
	}
	c.from, c.seen = f.Stamp.Add(c.step*time.Second), nil
	if c.needless(f, err) {
		return nil
	}
	return &CorruptError{Path: f.Path, Err: err}
}

// openLive opens the live file, unless a backup has appeared that must be read first.
func (c *chain) openLive() (*file, error) {
	path := filepath.Join(c.dir, c.base)
	f, err := c.opener.open(names.File{Path: path})
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	newer, errList := c.newer(f)
	switch {
	case errList != nil:
		err = errList
	case newer:
		err = errMoved
	case missing && c.last != nil:
		return nil, io.EOF
	case missing:
		return nil, fmt.Errorf("open journal: %w", err)
	case c.follow && c.last != nil && os.SameFile(f.info, c.last.info):
		err = io.EOF
	}
	if err != nil && f != nil {
		_ = f.close() // It was only looked at.
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// newer lists the files anew, and reports whether there are backups that have not been dealt with. A second name of the
// live file is none; live is nil if that file is missing.
func (c *chain) newer(live *file) (bool, error) {
	if err := c.relist(); err != nil {
		return false, err
	}
	for _, f := range c.backups()[c.at:] {
		if !f.Rotated && f.Stamp.Equal(c.from) && c.seen != nil || c.skips(f) {
			continue
		}
		if k := c.held[f.Path]; k != nil && live != nil && k.hash == live.fingerprint.hash && k.hash != 0 {
			continue
		}
		if info, err := os.Stat(f.Path); live == nil || err != nil || !os.SameFile(info, live.info) {
			return true, nil
		}
	}
	return false, nil
}

// pass marks f as dealt with.
func (c *chain) pass(f *file) {
	c.settle(f, f.Rotated)
	switch {
	case f.Live():
		f.from, c.ended = c.from, true
		if c.seen != nil {
			f.from = c.from.Add(time.Second)
		}
		backups := c.backups()
		f.behind = len(backups) > 0 && backups[len(backups)-1].Rotated
		return
	case f.Rotated:
		return
	}
	f.from, c.passed = f.Stamp, f.File
	if !f.Stamp.Equal(c.from) || c.seen == nil {
		c.from, c.seen = f.Stamp, map[uint64]bool{}
	}
	c.seen[f.fingerprint.hash] = true
}

// current reports whether the file handed out last is still the live one, so that nothing follows it. It costs little.
func (c *chain) current() bool {
	info, err := os.Stat(filepath.Join(c.dir, c.base))
	return err == nil && c.last != nil && os.SameFile(info, c.last.info)
}

// find sets the chain so that next gives the file that at points into, and reports whether that file exists.
func (c *chain) find(at Cursor) (bool, error) {
	c.from = at.From
	if err := c.relist(); err != nil {
		return false, err
	}
	for i := c.at; i < len(c.files) && at.First != 0; i++ {
		if !c.files[i].Stamp.IsZero() && c.files[i].Stamp.Before(at.From) {
			continue
		}
		candidate, err := c.openFirst(i)
		if err != nil {
			continue // It was moved, or cannot be read: next reports that.
		}
		found := candidate.fingerprint.hash == at.First
		if err := candidate.close(); err != nil {
			return false, err
		}
		if found {
			c.startAt(i)
			return true, nil
		}
	}
	c.settleBefore(c.behind(at.From))
	return false, nil
}

// startAt sets the chain so that next gives files[i].
func (c *chain) startAt(i int) {
	c.from, c.at = c.startOf(i), i
	c.settleBefore(i)
}

// settleBefore takes the files before files[i] that another program rotated for dealt with.
func (c *chain) settleBefore(i int) {
	for _, f := range c.files[:i] {
		if f.Rotated {
			c.add(c.held[f.Path].mark(), true)
		}
	}
}

// forget sets the chain back to its beginning.
func (c *chain) forget() {
	*c = chain{listing: c.listing, bounds: c.bounds, stale: true, step: c.step, follow: c.follow}
}

// seek leaves out the files before the last one that begins before since, as far as halving finds it.
func (c *chain) seek(since int64) error {
	if err := c.relist(); err != nil {
		return err
	}
	i, err := lastBefore(len(c.files), since, c.openFirst)
	if i > 0 {
		c.startAt(i)
	}
	return err
}
