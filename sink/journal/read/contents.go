package read

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
)

// A content is what a file that another program rotated was found to begin with. Its name says little: logrotate gives the
// name .1 to another file at each rotation, and a copy may have any.
type content struct {
	fingerprint
	info  os.FileInfo
	since int64 // the time of its first entry, in Unix milliseconds; without one, that of the last change
	err   error // that it cannot be opened for
}

// empty reports whether nothing of it is to be read, as long as it stays so.
func (k *content) empty() bool { return k.hash == 0 && k.err == nil }

// is reports whether info is that of this file, by its inode.
func (k *content) is(info os.FileInfo) bool { return os.SameFile(k.info, info) }

// A mark is what a file of a journal is known by whatever becomes of its name: a backup by its stamp, another by its first
// line, and if that cannot be read, by what was found of it.
type mark struct {
	stamp int64
	hash  uint64
	of    *content
}

func (k *content) mark() mark {
	if k.hash == 0 {
		return mark{of: k}
	}
	return mark{hash: k.hash}
}

// contents remember what was found in files, by inode, size and time, so that each is opened once.
type contents struct {
	known map[contentKey][]*content
	fresh map[contentKey][]*content // what is known and still there; nil: they are not being renewed
}

type contentKey struct{ size, changed int64 }

// renew begins a round, in which what is not asked for is forgotten.
func (c *contents) renew() { c.fresh = map[contentKey][]*content{} }

func (c *contents) renewed() { c.known, c.fresh = c.fresh, nil }

// of returns what f holds; nil if it is not there any more.
func (c *contents) of(o *opener, f names.File) *content {
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil
	}
	key := contentKey{info.Size(), info.ModTime().UnixNano()}
	for _, k := range c.known[key] {
		if k.is(info) {
			c.keep(key, k)
			return k
		}
	}
	k := o.look(f, info)
	if k != nil {
		c.keep(key, k)
	}
	return k
}

func (c *contents) keep(key contentKey, k *content) {
	c.fresh[key] = append(c.fresh[key], k)
}

// lookAt is look for a file that is named, of any kind; nil: it is not there.
func (o *opener) lookAt(f names.File) *content {
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil
	}
	if !info.Mode().IsRegular() {
		return &content{info: info, since: info.ModTime().UnixMilli()} // What is read of it would be gone.
	}
	return o.look(f, info)
}

// look opens a file for its first line. It gives nil if the file is another one by then.
func (o *opener) look(f names.File, info os.FileInfo) *content {
	k := &content{info: info, since: info.ModTime().UnixMilli()}
	opened, err := o.open(f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		k.err = err
		return k
	}
	defer opened.close() // It was only looked at.
	if !k.is(opened.info) {
		return nil
	}
	k.fingerprint = opened.fingerprint
	if k.timed {
		k.since = k.millis
	} else if millis, ok := opened.firstTime(); ok {
		k.since = millis
	}
	return k
}

// firstTime is the time of the first line that has one, of those at the beginning of a file whose first line has none.
func (f *file) firstTime() (millis int64, ok bool) {
	if f.begin() != nil {
		return 0, false
	}
	r := bufio.NewReaderSize(io.LimitReader(f.text, maxFirstLine), 4<<10)
	for {
		prefix, _ := r.Peek(journal.MaxTimePrefix)
		if millis, ok = journal.LineTime(prefix); ok {
			return millis, true
		}
		if _, err := skipLine(r); err != nil {
			return 0, false
		}
	}
}

// starts are the fingerprints of backups, by their stamps, with which their content stays.
type starts map[time.Time]fingerprint

// of returns the fingerprint of a backup; the zero one if it could not be opened when it was first asked for.
func (s starts) of(o *opener, f names.File) fingerprint {
	first, ok := s[f.Stamp]
	if ok {
		return first
	}
	if opened, err := o.open(f); err == nil {
		first = opened.fingerprint
		_ = opened.close() // It was only looked at.
	}
	s[f.Stamp] = first
	return first
}
