package read

import (
	"bytes"
	"sort"
)

// A run is a stretch of a block's Data that is from one file of one of several journals.
type run struct {
	pos    int // in Data, where it starts
	path   string
	offset int64  // of its first line in the file
	number int64  // of that line, from 1; 0 if not known
	start  Cursor // of that line
}

// at is the position of pos, an index into the Data of the block.
func (r *run) at(pos int) Cursor {
	at := r.start
	at.Offset = r.offset + int64(pos-r.pos)
	return at
}

// runOf is the index of the run that pos, an index into b.Data, is in. There must be one.
func (b *Block) runOf(pos int) int {
	return max(0, sort.Search(len(b.runs), func(i int) bool { return b.runs[i].pos > pos })-1)
}

// origin is where the line that starts at pos is from. Of one that was asked for before, in the same run, counted says
// where that started, and number what it was.
func (s *Scanner) origin(pos int) (path string, number, offset int64) {
	b := s.block
	if len(b.runs) == 0 {
		return b.Path, s.number, b.Offset + int64(pos)
	}
	i := s.run
	if i < 0 || pos < b.runs[i].pos || i+1 < len(b.runs) && pos >= b.runs[i+1].pos {
		i = b.runOf(pos)
		s.run, s.counted, s.number = i, b.runs[i].pos, b.runs[i].number
	}
	r := &b.runs[i]
	if s.number > 0 && pos >= s.counted {
		s.number += int64(bytes.Count(b.Data[s.counted:pos], newline))
		s.counted = pos
	}
	return r.path, s.number, r.offset + int64(pos-r.pos)
}
