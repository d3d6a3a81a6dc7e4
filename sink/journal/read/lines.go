package read

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"hbjournal/sink/journal"
)

// lines cuts what a reader gives into runs of whole lines. The end of the text is not terminal: what has been appended
// since is found by the next call.
type lines struct {
	text   io.Reader
	eager  bool   // give lines as soon as there is one, because waiting for more may take long
	rest   []byte // the beginning of a line whose end was not read yet
	offset int64  // of rest
	number int64  // of the line in rest, from 1; 0 if not known
	long   int64  // bytes read so far of a line that is too long, if in the middle of one
}

// errTooLong is the fault of a line of more than maxLine bytes.
var errTooLong = fmt.Errorf("%w: line longer than %d MiB", journal.ErrMalformed, maxLine>>20)

func (l *lines) start(text io.Reader, eager bool) {
	*l = lines{text: text, eager: eager, rest: l.rest[:0], number: 1}
}

// next puts whole lines into b. Without any it gives the reader's error, or errTooLong once for a line that it skips.
func (l *lines) next(b *Block) error {
	if err := l.skipLong(b); err != nil {
		return err
	}
	n := copy(b.sized(len(l.rest)), l.rest)
	for {
		if n == len(b.buf) && !l.grow(b) {
			l.rest, l.long = l.rest[:0], int64(n)
			return errTooLong
		}
		m, err := l.read(b.buf[n:])
		if i := bytes.LastIndexByte(b.buf[n:n+m], '\n'); i >= 0 {
			l.take(b, n+i+1, n+m)
			return nil
		}
		n += m
		if err != nil {
			l.rest = append(l.rest[:0], b.buf[:n]...)
			return err
		}
	}
}

// grow gives b room for a longer line, up to maxLine.
func (l *lines) grow(b *Block) bool {
	if len(b.buf) >= maxLine {
		return false
	}
	b.buf = slices.Grow(b.buf, len(b.buf))[:2*len(b.buf)]
	return true
}

// read fills p as far as the text goes.
func (l *lines) read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = l.text.Read(p[n:])
		n += m
		if l.eager && m > 0 {
			break
		}
	}
	return n, err
}

// take gives b the first cut of its n bytes, and keeps the others for the next block.
func (l *lines) take(b *Block, cut, n int) {
	b.Data, b.Offset, b.Number = b.buf[:cut], l.offset, l.number
	l.rest = append(l.rest[:0], b.buf[cut:n]...)
	l.advance(b.Data)
}

func (l *lines) advance(data []byte) {
	l.offset += int64(len(data))
	if l.number > 0 {
		l.number += int64(bytes.Count(data, newline))
	}
}

// skipLong reads to the end of a line that is too long, if in one.
func (l *lines) skipLong(b *Block) error {
	for l.long > 0 {
		n, err := l.read(b.sized(0))
		if i := bytes.IndexByte(b.buf[:n], '\n'); i >= 0 {
			l.rest = append(l.rest, b.buf[i+1:n]...)
			l.advance(b.buf[i : i+1])
			l.offset += l.long + int64(i)
			l.long = 0
			return nil
		}
		l.long += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// unfinished reports whether the text ended within a line.
func (l *lines) unfinished() bool { return len(l.rest) > 0 }

// takeRest puts the line that the text ended in into b.
func (l *lines) takeRest(b *Block) {
	if !l.unfinished() {
		return
	}
	n := copy(b.sized(len(l.rest)), l.rest)
	l.take(b, n, n)
}
