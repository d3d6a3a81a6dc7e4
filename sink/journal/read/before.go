package read

import (
	"bytes"
	"errors"
	"io"
)

// LineBefore returns the line that ends where at stands, without its newline: what a reader gave last before it stopped
// there. It is nil if the file ends before that place, which it did not then. Found is false if nothing can be said: the file
// is gone, or at stands at its beginning.
func LineBefore(opt Options, at Cursor) (line []byte, found bool, err error) {
	if at.First == 0 || at.Offset == 0 {
		return nil, false, nil
	}
	f := &Follower{chain: *newChain(opt), every: opt.every()}
	f.chain.follow = true
	start := at
	start.Offset = 0
	if err := f.resume(start); err != nil || f.missed {
		return nil, false, errors.Join(err, f.Close())
	}
	line, err = f.files[0].lineBefore(at.Offset)
	return line, err == nil, errors.Join(err, f.Close())
}

// lineBefore reads back from an offset to the newline before the line that ends there.
func (f *file) lineBefore(offset int64) ([]byte, error) {
	for window := int64(blockBytes); ; window *= 2 {
		start := max(0, offset-window)
		if err := f.begin(); err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, f.text, start); err != nil {
			return nil, unlessEnded(err)
		}
		text := make([]byte, offset-start)
		n, err := io.ReadFull(f.text, text)
		if n < len(text)-1 || n == 0 || n < len(text) && text[n-1] == '\n' {
			return nil, unlessEnded(err)
		}
		text = bytes.TrimSuffix(text[:n], []byte{'\n'})
		if cut := bytes.LastIndexByte(text, '\n'); cut >= 0 || start == 0 {
			return text[cut+1:], nil
		}
		if window > maxLine {
			return nil, errTooLong
		}
	}
}

// unlessEnded takes the end of a file for no error.
func unlessEnded(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
