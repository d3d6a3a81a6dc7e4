package read

import (
	"errors"
	"io"
	"io/fs"

	"hbjournal/sink/names"
)

// Stdin is the name that stands for standard input among the paths of a reading.
const Stdin = "-"

// A list opens named files in the order given.
type list struct {
	paths  []string
	stdin  io.Reader
	opener *opener
}

func (l *list) next() (*file, error) {
	if len(l.paths) == 0 {
		return nil, io.EOF
	}
	path := l.paths[0]
	l.paths = l.paths[1:]
	if path == Stdin {
		return l.opener.openStream(l.stdin)
	}
	f, err := l.opener.open(names.File{Path: path})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &CorruptError{Path: path, Err: err}
	}
	return f, nil
}

// seek leaves out files by their times; the paths are those of one journal in order.
func (l *list) seek(since int64) error {
	i, err := lastBefore(len(l.paths), since, func(i int) (*file, error) { return l.opener.open(names.File{Path: l.paths[i]}) })
	l.paths = l.paths[i:]
	return err
}
