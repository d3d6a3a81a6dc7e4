package read

import (
	"slices"
	"sort"
	"time"

	"hbjournal/sink/names"
)

// A listing is the files of one journal in reading order, as they were when they were last listed.
//
// It may be out of date and is useful nevertheless. A name that is gone shows when the file is opened, and so does one that
// logrotate has given to another file. New files come at the end, since each rotation gives a later stamp; what appears in the
// middle, such as a compressed copy, has a stamp that was there before. So a walk lists anew only when a file is gone and when
// it has come to the end, and a step costs the same however many files there are.
type listing struct {
	dir, base string
	opener    *opener
	files     []names.File
	own       []names.File        // of files, the backups
	held      map[string]*content // by path, of the files that another program rotated
	hashes    map[uint64]bool     // of the first lines of those
	floors    []time.Time         // for each of files: a stamp that it and all later backups have or exceed, and none before it
	made      int                 // how often the directory was listed
	contents  contents
	starts    starts
}

// renew lists until two listings agree, because a directory that is read while files in it are renamed may show a file
// twice or not at all. A journal that rotates faster than that gets the last listing. Where another program rotates, which moves
// every file, it takes more patience.
func (l *listing) renew() error {
	const tries, patience = 10, 100
	last, held, err := l.list()
	for try := 0; try < tries || len(held) > 0 && try < patience; try++ {
		if err != nil {
			return err
		}
		l.made++
		var again []names.File
		var heldAgain []*content
		again, heldAgain, err = l.list()
		same := err == nil && slices.Equal(last, again) && slices.Equal(held, heldAgain)
		if last, held = again, heldAgain; same {
			break
		}
	}
	l.arrange(last, held)
	return err
}

// list lists the files once, and what those hold that another program rotated: they are the first.
func (l *listing) list() ([]names.File, []*content, error) {
	files, err := names.Files(l.dir, l.base)
	if err != nil {
		return nil, nil, err
	}
	l.contents.renew()
	defer l.contents.renewed()
	held := make([]*content, 0, rotatedOf(files))
	there := files[:0]
	for _, f := range files {
		if f.Rotated {
			k := l.contents.of(l.opener, f)
			if k == nil {
				continue // It has just been moved.
			}
			held = append(held, k)
		}
		there = append(there, f)
	}
	return there, held, nil
}

// rotatedOf is how many of files, which are the first of them, another program has rotated.
func rotatedOf(files []names.File) int {
	return sort.Search(len(files), func(i int) bool { return !files[i].Rotated })
}

// arrange puts files into reading order.
func (l *listing) arrange(files []names.File, held []*content) {
	l.held, l.hashes = make(map[string]*content, len(held)), make(map[uint64]bool, len(held))
	for i, k := range held {
		l.held[files[i].Path], l.hashes[k.hash] = k, true
	}
	if l.starts == nil || len(l.starts) > 2*len(files) {
		l.starts = starts{}
	}
	first := func(f names.File) fingerprint { return l.starts.of(l.opener, f) }
	l.files = placed(withoutHalves(withoutCopies(files, l.held), l.held), l.held, first)
	l.own = slices.DeleteFunc(slices.Clone(l.files), func(f names.File) bool { return f.Stamp.IsZero() })
	l.floors = floorsIn(l.files)
}

// floorsIn makes the floors of a listing. That of the live file holds even if it is rotated meanwhile.
func floorsIn(files []names.File) []time.Time {
	floors := make([]time.Time, len(files))
	next := time.Time{}
	for i, f := range files {
		if f.Stamp.IsZero() {
			floors[i] = next
			continue
		}
		floors[i], next = f.Stamp, f.Stamp.Add(time.Second)
	}
	return floors
}

// backups are the files without the live one.
func (l *listing) backups() []names.File {
	if n := len(l.files); n > 0 && l.files[n-1].Live() {
		return l.files[:n-1]
	}
	return l.files
}

// from is the index of the first file that may be a backup with this stamp or a later one, or one without a stamp.
func (l *listing) from(stamp time.Time) int {
	if len(l.held) > 0 {
		return 0
	}
	backups := l.backups()
	return sort.Search(len(backups), func(i int) bool { return !backups[i].Stamp.Before(stamp) })
}

// upTo is the index behind the last file that may be a backup with this stamp or an earlier one, or one without a stamp.
func (l *listing) upTo(stamp time.Time) int {
	if len(l.held) > 0 {
		return len(l.backups())
	}
	return l.from(stamp.Add(time.Second))
}

// behind is the index behind the last backup with a stamp before this one; 0 if there is none.
func (l *listing) behind(stamp time.Time) int {
	for i := len(l.files) - 1; i >= 0; i-- {
		if f := l.files[i]; !f.Stamp.IsZero() && f.Stamp.Before(stamp) {
			return i + 1
		}
	}
	return 0
}

// holds reports whether a file that was read is still there.
func (l *listing) holds(f *file) bool {
	if f.Rotated {
		return l.hashes[f.fingerprint.hash]
	}
	i := sort.Search(len(l.own), func(i int) bool { return !l.own[i].Stamp.Before(f.Stamp) })
	return i < len(l.own) && l.own[i].Stamp.Equal(f.Stamp)
}

// startOf is a stamp that files[i] and all later backups have or exceed, even if the live file is rotated meanwhile.
func (l *listing) startOf(i int) time.Time { return l.floors[i] }

// marks are what the files without a stamp are known by.
func (l *listing) marks() map[mark]bool {
	marks := make(map[mark]bool, len(l.held))
	for _, k := range l.held {
		marks[k.mark()] = true
	}
	return marks
}

// openFirst opens files[i] for its fingerprint; what is known is not opened for it.
func (l *listing) openFirst(i int) (*file, error) {
	if k := l.held[l.files[i].Path]; k != nil {
		return &file{File: l.files[i], fingerprint: k.fingerprint}, k.err
	}
	return l.opener.open(l.files[i])
}
