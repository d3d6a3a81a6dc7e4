package read

import (
	"bytes"

	"hbjournal/sink/journal"
)

// A Scanner takes the lines of one block after another, gives the entries that match, and passes over the others as
// cheaply as it can: those outside the time asked for, or without a text that each match holds, are not parsed, so a
// fault in them is not seen either. The zero value takes every line.
type Scanner struct {
	Filter  *journal.Filter     // nil takes every entry
	OnFault func(*CorruptError) // called for lines that are no entries, and for the faults of blocks; may be nil

	block   *Block
	pos     int // in block.Data, where the next line starts; or ends, in reverse
	number  int64
	run     int    // in block.runs, of the line asked for last; -1: none yet
	counted int    // in block.Data, of the line that number is of, if there are runs
	behind  int    // in block.Data, where the current entry ends; 0: there is none
	at      Cursor // the position while there is no current entry: behind the lines of the blocks so far
	entry   journal.Entry
	finder  finder
}

// Reset goes on with the lines of b, which must stay as it is until the last Next.
func (s *Scanner) Reset(b *Block) {
	s.block, s.pos, s.number, s.behind, s.run = b, 0, b.Number, 0, -1
	if b.Reverse {
		s.pos = len(b.Data)
	}
	needle := s.Filter.Needle()
	if len(needle) > 0 && isSpaced(b.Data) {
		needle = nil
	}
	s.finder = newFinder(b.Data, needle)
}

// Next goes to the next entry that matches. It returns false at the end of the block, once.
func (s *Scanner) Next() bool {
	for {
		line, offset, ok := s.line()
		if !ok {
			break
		}
		if s.take(line, offset) {
			s.behind = min(offset+len(line)+1, len(s.block.Data))
			return true
		}
	}
	s.leave()
	if fault := s.block.Fault; fault != nil && s.OnFault != nil {
		s.OnFault(fault)
	}
	return false
}

// Entry returns the entry that Next went to. It is valid until the next Next or Reset.
func (s *Scanner) Entry() *journal.Entry { return &s.entry }

// Cursor returns the position behind the entry that Next went to, from which Follow goes on with the entry after it,
// whatever of the block was not taken yet. Once Next has returned false, that is behind the whole lines of the block.
// In reverse it stays behind the entry taken last, which is the oldest one. It is the zero Cursor before the first entry.
func (s *Scanner) Cursor() Cursor {
	if s.behind > 0 {
		return s.block.at(s.behind)
	}
	return s.at
}

// leave keeps the position at the end of the block, since its memory is used again. A line without its newline, which
// may still be written to, is not passed unless it was an entry.
func (s *Scanner) leave() {
	if !s.block.Reverse {
		s.behind = max(s.behind, bytes.LastIndexByte(s.block.Data, '\n')+1)
	}
	s.at, s.behind = s.Cursor(), 0
}

// line returns the next line that may match and where it starts in the block.
func (s *Scanner) line() (line []byte, start int, ok bool) {
	if s.block.Reverse {
		return s.lineBack()
	}
	start = s.finder.lineFrom(s.pos)
	if s.number > 0 && len(s.block.runs) == 0 {
		s.number += int64(bytes.Count(s.block.Data[s.pos:start], newline))
	}
	if s.pos = start; start == len(s.block.Data) {
		return nil, 0, false
	}
	line, s.pos = s.block.lineAt(start)
	return line, start, true
}

func (s *Scanner) lineBack() (line []byte, start int, ok bool) {
	for s.pos > 0 {
		if line, s.pos = s.block.lineBefore(s.pos); s.finder.maybe(line) {
			return line, s.pos, true
		}
	}
	return nil, 0, false
}

// take makes line the current entry if it is one that matches.
func (s *Scanner) take(line []byte, start int) bool {
	e, taken, err := s.Filter.Take(line)
	skipped := !taken && err == nil
	if !skipped {
		e.Path, e.Number, e.Offset = s.origin(start)
	}
	if s.number > 0 && len(s.block.runs) == 0 {
		s.number++
	}
	if skipped {
		return false
	}
	if err != nil {
		s.fault(&e, err)
		return false
	}
	s.entry = e
	return true
}

func (s *Scanner) fault(at *journal.Entry, err error) {
	if s.OnFault != nil {
		s.OnFault(&CorruptError{Path: at.Path, Line: at.Number, Offset: at.Offset, Err: err})
	}
}
