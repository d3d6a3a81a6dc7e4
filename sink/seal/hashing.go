package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// readBytes is how much is hashed between two looks at what else there is to do.
	readBytes = 256 << 10
	// maxLine is the longest line that is sealed. The daemon writes none that comes near it.
	maxLine = 64 << 20
)

// hash hashes all that was written by now, and notes what was packed and pruned meanwhile. Hashes that do not fill a block wait
// in memory: each write costs more than what it writes.
func (w *work) hash() error {
	if w.stopped != nil || !w.running {
		return w.stopped
	}
	for {
		if w.givesUp() {
			return errors.Join(errUnfinished, w.flush())
		}
		w.notePacked()
		w.prune()
		f, one := w.s.nextSpan()
		if f == nil {
			return nil
		}
		var err error
		if one == nil {
			err = w.leave(f)
		} else {
			err = w.hashSpan(f, *one)
		}
		if err != nil {
			return errors.Join(err, w.flush())
		}
		if len(w.leaves.pending) > readBytes {
			_ = w.flush() // What does not go stays pending, and is told at the end.
		}
	}
}

// givesUp reports whether the journal is being closed, and that has taken long enough.
func (w *work) givesUp() bool {
	select {
	case <-w.giveUp: // Never, while it is nil.
		return true
	default:
		return false
	}
}

// nextSpan returns what is to be hashed next: nil if there is nothing, and no span for a file that is done with.
func (s *Sealer) nextSpan() (*source, *span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sources) == 0 {
		return nil, nil
	}
	f := s.sources[0]
	for len(f.spans) > 0 && f.spans[0].from >= f.spans[0].to {
		f.spans = f.spans[1:]
	}
	switch {
	case len(f.spans) > 0:
		one := f.spans[0]
		return f, &one
	case f.done:
		return f, nil
	}
	return nil, nil
}

// advance says that the first bytes of a file's first span are dealt with.
func (s *Sealer) advance(f *source, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(f.spans) > 0 { // Else it was cut meanwhile.
		f.spans[0].from += n
	}
}

// join has the span behind the first one belong to it: it begins in the middle of a line.
func (s *Sealer) join(f *source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(f.spans) < 2 {
		return false
	}
	f.spans[1] = span{f.spans[0].from, f.spans[1].to, f.spans[0].foreign}
	f.spans = f.spans[1:]
	return true
}

// hashSpan hashes the next lines of a span.
func (w *work) hashSpan(f *source, one span) error {
	if err := w.enter(f, one.from); err != nil {
		return err
	}
	if one.foreign {
		f.record.addSkip(skip{From: one.from, To: one.to})
		w.s.opts.Log.Error().Str("path", w.s.path).Int64("offset", one.from).Int64("bytes", one.to-one.from).
			Msg("lines that the journal did not write are in its file; they are not sealed, and verify names them")
		w.s.advance(f, one.to-one.from)
		return w.ledger.put(f.record, true)
	}
	text, err := w.readLines(f.file, one)
	if err != nil {
		return err
	}
	if len(text) <= 1 {
		if w.s.join(f) {
			return nil
		}
		return errMidLine
	}
	w.hashText(f, one.from, text)
	w.s.at(stepHashed)
	w.s.advance(f, int64(len(text)-1))
	return nil
}

var errMidLine = errors.New("hash journal: the file ends within a line")

// readLines reads whole lines from the start of a span, behind one byte of room.
func (w *work) readLines(file *os.File, one span) ([]byte, error) {
	for size := int64(readBytes); ; size *= 2 {
		n := min(size, one.to-one.from)
		if int64(len(w.tail)) < n+1 {
			w.tail = make([]byte, n+1)
		}
		text := w.tail[:n+1]
		if _, err := file.ReadAt(text[1:], one.from); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("read what was written to %s: %w", file.Name(), err)
		}
		end := bytes.LastIndexByte(text[1:], '\n') + 1
		if end > 0 || n < size || size > maxLine {
			if len(w.tail) > 4*readBytes {
				w.tail = nil // An unusually long line took it.
			}
			return text[:end+1], nil
		}
	}
}

// hashText puts the lines of text[1:] into the tree; at is the offset of the first one.
func (w *work) hashText(f *source, at int64, text []byte) {
	notes := bytes.Contains(text, []byte(noteMark))
	hashLines(text, func(h Hash, start int) {
		line := func() []byte { // Its newline may be overwritten already, but not what is behind.
			rest := text[start:]
			if i := bytes.IndexByte(rest, '\n'); i >= 0 {
				return rest[:i]
			}
			return rest
		}
		if w.awaited != nil && !w.begins(f, line(), at+int64(start-1)) {
			return
		}
		own := false
		if notes {
			own = w.look(line(), w.tree.size)
		}
		w.take(h, own)
	})
}

// begins reports whether a line is the note that the tree begins with. Lines before it are none of it.
func (w *work) begins(f *source, line []byte, at int64) bool {
	if !bytes.Contains(line, w.awaited) {
		f.record.addSkip(skip{From: at, To: at + int64(len(line)) + 1, Before: true})
		return false
	}
	w.awaited = nil
	return true
}

// look looks at a line that may be a note of the seal, and reports whether it is one.
func (w *work) look(line []byte, index int64) bool {
	if n, ok := sealNoteIn(line); ok {
		w.since.closing = n.At == atClose && n.Origin == w.origin
		return true
	}
	w.since.closing = false
	if p, ok := prunedNoteIn(line, w.origin); ok {
		w.notes.sawPruned(p.Before, index)
		return true
	}
	if n, ok := storedNoteIn(line, w.origin); ok {
		w.notes.stored = &n
		return true
	}
	return false
}

// take puts a leaf into the tree; own says that it is a note of the seal.
func (w *work) take(h Hash, own bool) {
	w.tree.add(h)
	w.count(h, own)
}

// count keeps a leaf that is in the tree, or is about to be.
func (w *work) count(h Hash, own bool) {
	w.leaves.add(h)
	if !own {
		w.since.lines++
		w.since.all++
		w.since.closing = false
	}
}

// enter begins the record of a file, if it has none yet. What is before from is older than the tree.
func (w *work) enter(f *source, from int64) error {
	if f.record != nil {
		return nil
	}
	line, err := firstLine(f.file)
	if err != nil {
		return fmt.Errorf("read the first line of %s: %w", f.file.Name(), err)
	}
	f.record = w.ledger.begin(w.origin, w.tree.size, LeafHash(line))
	if from > 0 {
		f.record.addSkip(skip{To: from, Before: true})
	}
	return w.beginFile(f.record, true)
}

// beginFile keeps what is known at the start of a file: its record, the edge, and where its leaves go.
func (w *work) beginFile(r *fileRecord, plain bool) error {
	err := errors.Join(w.ledger.put(r, false), w.keepEdge(), w.leaves.close())
	w.leaves = array{path: os.DevNull}
	if plain {
		w.leaves = array{path: w.s.dir.numbered(dirLeaves, r.First)}
		err = errors.Join(err, w.leaves.cut(0))
	}
	return err
}

func firstLine(file *os.File) ([]byte, error) {
	for size := int64(4 << 10); size <= maxLine; size *= 4 {
		text := make([]byte, size)
		n, err := file.ReadAt(text, 0)
		if i := bytes.IndexByte(text[:n], '\n'); i >= 0 {
			return text[:i], nil
		}
		if err != nil {
			return nil, errors.Join(errMidLine, err)
		}
	}
	return nil, errMidLine
}

// leave ends the record of a file that is not the live one any more, and all of which is hashed.
func (w *work) leave(f *source) error {
	var err error
	if f.record != nil {
		err = w.endFile(f.record, f.name)
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.sources = w.s.sources[1:]
	return errors.Join(err, f.file.Close())
}

func (w *work) endFile(r *fileRecord, name string) error {
	r.Count, r.Name = w.tree.size-r.First, name
	err := w.flush()
	for i := range w.tiles {
		err = errors.Join(err, w.tiles[i].sync())
	}
	err = errors.Join(err, w.ledger.put(r, true))
	w.s.at(stepEnded)
	return err
}

// flush writes the hashes that wait.
func (w *work) flush() error {
	err := w.leaves.flush()
	for i := range w.tiles {
		err = errors.Join(err, w.tiles[i].flush())
	}
	if errors.Is(err, errFull) && len(w.leaves.pending) > maxPending {
		w.leaves = array{path: os.DevNull} // They can be made again.
	}
	if err != nil {
		return fmt.Errorf("keep hashes: %w", err)
	}
	return nil
}

// onNode keeps the node of a full tile.
func (w *work) onNode(level int, h Hash) {
	if i := level/tileBits - 1; i < len(w.tiles) {
		w.tiles[i].add(h)
	}
}
