package read

import (
	"slices"
	"sort"
	"time"

	"hbjournal/sink/names"
)

// A listing is the files of one journal in reading order, as they were when they were last listed.
//
// It may be out of date and is useful nevertheless. A name that is gone shows when the file is opened. New files come at
// the end, since each rotation gives a later stamp; what appears in the middle, such as a compressed copy, has a stamp that
// was there before. So a walk lists anew only when a file is gone and when it has come to the end, and a step costs the same
// however many files there are.
type listing struct {
	dir, base string
	files     []names.File
	made      int // how often the directory was listed
}

// renew lists until two listings agree, because a directory that is read while files in it are renamed may show a file
// twice or not at all. A journal that rotates faster than that gets the last listing.
func (l *listing) renew() error {
	const tries = 10
	last, err := names.Files(l.dir, l.base)
	for range tries {
		if err != nil {
			return err
		}
		l.made++
		var again []names.File
		again, err = names.Files(l.dir, l.base)
		if err == nil && slices.Equal(last, again) {
			break
		}
		last = again
	}
	l.files = last
	return err
}

// backups are the files without the live one.
func (l *listing) backups() []names.File {
	if n := len(l.files); n > 0 && l.files[n-1].Live() {
		return l.files[:n-1]
	}
	return l.files
}

// from is the index of the first backup with this stamp or a later one.
func (l *listing) from(stamp time.Time) int {
	backups := l.backups()
	return sort.Search(len(backups), func(i int) bool { return !backups[i].Stamp.Before(stamp) })
}

// holds reports whether a backup has this stamp.
func (l *listing) holds(stamp time.Time) bool {
	backups, i := l.backups(), l.from(stamp)
	return i < len(backups) && backups[i].Stamp.Equal(stamp)
}

// startOf is a stamp that files[i] and all later files have or exceed, even if the live file is rotated meanwhile.
func (l *listing) startOf(i int) time.Time {
	switch {
	case !l.files[i].Live():
		return l.files[i].Stamp
	case i > 0:
		return l.files[i-1].Stamp.Add(time.Second)
	}
	return time.Time{}
}
