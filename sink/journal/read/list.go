package read

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"hbjournal/sink/names"
)

// Stdin is the name that stands for standard input among the paths of a reading.
const Stdin = "-"

// A list opens named files one after another.
type list struct {
	named  []names.File
	stdin  io.Reader
	opener *opener
	one    bool  // the files are those of one journal
	last   *file // given last
}

// newList makes a list of the paths of a reading: in reading order, if they are the files of one journal, and else in the order
// given. It reports whether they are.
func newList(opt Options) (l *list, ordered bool) {
	l = &list{stdin: opt.Stdin, opener: newOpener(opt)}
	l.named, ordered = names.Sort(opt.Paths)
	l.one = ordered
	if n := rotatedOf(l.named); n > 0 && len(l.named) > 1 {
		l.arrange(n)
	}
	return l, ordered
}

// arrange puts the n files that another program rotated, which are the first, to their places, and leaves out copies.
func (l *list) arrange(n int) {
	held := make(map[string]*content, n)
	for _, f := range l.named[:n] {
		if held[f.Path] = l.opener.lookAt(f); held[f.Path] == nil {
			return // Who reads it reports that it is not there.
		}
	}
	files := withoutCopies(l.named, held)
	if last := files[len(files)-1]; last.Live() {
		if live := l.opener.lookAt(last); live != nil && live.hash != 0 {
			files = slices.DeleteFunc(files, func(f names.File) bool { return f.Rotated && held[f.Path].hash == live.hash })
		}
	}
	known := starts{}
	l.named = placed(files, held, func(f names.File) fingerprint { return known.of(l.opener, f) })
}

func (l *list) next() (*file, error) {
	if len(l.named) == 0 {
		return nil, io.EOF
	}
	next := l.named[0]
	l.named = l.named[1:]
	if next.Path == Stdin {
		return l.opener.openStream(l.stdin)
	}
	f, err := l.opener.open(next)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &CorruptError{Path: next.Path, Err: err}
	}
	if l.one && l.last != nil && !f.Stamp.IsZero() && f.Stamp.Equal(l.last.Stamp) && f.fingerprint.hash == l.last.fingerprint.hash {
		if err := f.close(); err != nil {
			return nil, err
		}
		return l.next() // It is a copy of that one.
	}
	l.last = f
	return f, nil
}

// seek leaves out files by their times; the paths are those of one journal in order.
func (l *list) seek(since int64) error {
	i, err := lastBefore(len(l.named), since, func(i int) (*file, error) { return l.opener.open(l.named[i]) })
	l.named = l.named[i:]
	return err
}
