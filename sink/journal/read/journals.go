package read

import (
	"errors"
	"path/filepath"
	"slices"

	"hbjournal/sink/names"
)

// A Journal is one of several that are read together: Base in Dir with all its backups, or the files at Paths, if given.
type Journal struct {
	Dir, Base string
	Paths     []string
}

// String is what people know the journal by.
func (j Journal) String() string {
	if len(j.Paths) > 0 {
		return j.Paths[0]
	}
	return filepath.Join(j.Dir, j.Base)
}

// Place is the directory of the journal and the name of its live file; of files alone, as their names tell.
func (j Journal) Place() (dir, base string) {
	if len(j.Paths) == 0 {
		return j.Dir, j.Base
	}
	return filepath.Dir(j.Paths[0]), names.Bases(j.Paths)[0]
}

// ReadsStdin reports whether standard input is among what is read.
func (j Journal) ReadsStdin() bool { return slices.Contains(j.Paths, Stdin) }

// Each returns what opt covers as journals, one at least.
func (opt Options) Each() []Journal {
	if len(opt.Journals) > 0 {
		return opt.Journals
	}
	return []Journal{{opt.Dir, opt.Base, opt.Paths}}
}

// ReadsStdin reports whether standard input is among what is read, so that it cannot be read once more.
func (opt Options) ReadsStdin() bool { return slices.ContainsFunc(opt.Each(), Journal.ReadsStdin) }

// of is opt for one of its journals alone.
func (opt Options) of(j Journal) Options {
	opt.Dir, opt.Base, opt.Paths, opt.Journals = j.Dir, j.Base, j.Paths, nil
	return opt
}

// Backward is a Source that reads from the newest entry to the oldest.
type Backward interface {
	Source
	// Ends are the positions behind the newest entry of each journal, from which FollowAll goes on without a gap. They are
	// known once Read has given a block or io.EOF; nil stands for a journal that could not be read.
	Ends() []*Cursor
}

// OpenBack starts a reading from the newest entry to the oldest. A missing file gives an error that wraps fs.ErrNotExist
// at the first Read; of several journals, it is a fault of one.
func OpenBack(opt Options) Backward {
	if len(opt.Journals) == 0 {
		return openBack(opt, nil)
	}
	m := newMerged(opt, &scratch{})
	m.reverse = true
	for _, j := range opt.Journals {
		m.add(j, openBack(opt.of(j), m.room))
	}
	return m
}

// openMerged starts a forward reading of several journals. If on, it is to be followed by more.
func openMerged(opt Options, on bool) (*merged, error) {
	m := newMerged(opt, &scratch{})
	for _, j := range opt.Journals {
		s, err := openStream(opt.of(j), m.room)
		if err != nil {
			return m, errors.Join(err, m.Close())
		}
		s.on = on
		m.add(j, s)
	}
	return m, nil
}

// FollowAll starts at the positions of the journals in opt, as Ends gave them, or without any at the oldest entries that
// there are, and goes on with what is added to each. What comes is merged by time as far as it is there: nothing waits for
// a journal in which nothing comes.
func FollowAll(opt Options, at []*Cursor) (Source, error) {
	if len(opt.Journals) > 0 {
		return newJoint(opt, at)
	}
	from := Cursor{}
	if len(at) > 0 && at[0] != nil {
		from = *at[0]
	}
	return Follow(opt, from)
}

// again opens f, which was closed, wherever it is now; nil: it is gone.
func (c *chain) again(f *file) *file {
	if g := c.opener.reopen(f, f.File); g != nil {
		return g
	}
	const tries = 3
	for range tries {
		files, held, err := c.list()
		if err != nil {
			return nil
		}
		for i, candidate := range files {
			if candidate.Rotated && held[i].hash != f.fingerprint.hash || !candidate.Stamp.IsZero() && candidate.Stamp.Before(f.from) {
				continue
			}
			if g := c.opener.reopen(f, candidate); g != nil {
				return g
			}
		}
	}
	return nil
}

// again opens f, which was closed, if it is still there.
func (l *list) again(f *file) *file { return l.opener.reopen(f, f.File) }

// reopen opens the file at, if it is f by its first line, or by its inode as long as f had no line.
func (o *opener) reopen(f *file, at names.File) *file {
	g, err := o.open(at)
	if err != nil {
		return nil // It was moved, or cannot be read any more.
	}
	if f.fingerprint.hash == g.fingerprint.hash && f.fingerprint.hash != 0 || f.fingerprint.hash == 0 && f.sameInode(g) {
		return g
	}
	_ = g.close() // It was only looked at.
	return nil
}
