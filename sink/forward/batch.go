package forward

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// A Batch is a run of whole lines of one file of the journal, in their order. It is valid until Send returns.
type Batch struct {
	Journal string // the journal's id, made once by its daemon
	Number  int64  // of the first line, among all that this output ships; from 0
	From    read.Cursor
	To      read.Cursor
	Gone    *Gone // lines before the first that the receiver will never get; nil: there are none

	text  []byte // the lines, each with its newline, one behind the other
	lines []span
}

// span is where a line lies: in the batch, without its newline, and in its file.
type span struct {
	start, end int
	offset     int64
}

// NewBatch makes an empty batch, whose first line will be the one behind from. Lines are added in the order of the file.
func NewBatch(journalID string, number int64, from read.Cursor) *Batch {
	return &Batch{Journal: journalID, Number: number, From: from, To: from}
}

// reset makes b empty, and keeps its memory, unless a huge line took it.
func (b *Batch) reset(number int64, from read.Cursor) {
	if cap(b.text) > 2*grownBatch {
		b.text = nil
	}
	*b = Batch{Journal: b.Journal, Number: number, From: from, To: from, text: b.text[:0], lines: b.lines[:0]}
}

// Add appends a copy of a line, which is given without its newline; it starts at at, and the next one of the file, which
// a filter may leave out, at next.
func (b *Batch) Add(line []byte, at, next read.Cursor) {
	if len(b.lines) == 0 {
		b.From = at
	}
	start := len(b.text)
	b.text = append(append(b.text, line...), '\n')
	b.lines = append(b.lines, span{start: start, end: start + len(line), offset: at.Offset})
	b.To = next
}

// Len is the number of lines.
func (b *Batch) Len() int { return len(b.lines) }

// Size is the number of bytes of all lines, with their newlines.
func (b *Batch) Size() int { return len(b.Text()) }

// Line is the i-th line without its newline.
func (b *Batch) Line(i int) []byte { return b.text[b.lines[i].start:b.lines[i].end] }

// Text is all lines, each with its newline.
func (b *Batch) Text() []byte {
	if len(b.lines) == 0 {
		return nil
	}
	return b.text[b.lines[0].start : b.lines[len(b.lines)-1].end+1]
}

// At is the position of the i-th line in the journal.
func (b *Batch) At(i int) read.Cursor {
	at := b.From
	at.Offset = b.lines[i].offset
	return at
}

// Entry takes the i-th line apart. Its slices are valid as long as the batch is.
func (b *Batch) Entry(i int) (journal.Entry, error) {
	e, err := journal.ParseLine(b.Line(i))
	e.Offset = b.lines[i].offset
	return e, err
}

// Slice is the batch of the lines from i on, up to j and without it: what is left of one that was refused as a whole, or
// was too large. It shares the lines of b.
func (b *Batch) Slice(i, j int) *Batch {
	part := *b
	part.lines = b.lines[i:j]
	part.Number += int64(i)
	if i > 0 {
		part.Gone = nil
	}
	switch {
	case i == len(b.lines):
		part.From = b.To
	case i > 0:
		part.From = b.At(i)
	}
	if j < len(b.lines) {
		part.To = b.At(j)
	}
	return &part
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// idLength is how much of the hash an id shows: 130 bits.
const idLength = 26

// ID is the id of the i-th line: the same for ever, wherever its file goes and whoever ships it, and another for every
// other line, even if a power cut took lines back and others came to their place.
func (b *Batch) ID(i int) string { return string(b.AppendID(make([]byte, 0, idLength), i)) }

// AppendID appends the id of the i-th line, which is of letters and digits. It allocates nothing for lines that are not long.
func (b *Batch) AppendID(dst []byte, i int) []byte {
	var room [1 << 10]byte
	text := append(room[:0], b.Journal...)
	text = binary.BigEndian.AppendUint64(text, b.From.First)
	text = binary.BigEndian.AppendUint64(text, uint64(b.lines[i].offset))
	hash := sha256.Sum256(append(text, b.Line(i)...))
	var id [32]byte // of 20 bytes, which are more than idLength shows
	idEncoding.Encode(id[:], hash[:20])
	return append(dst, id[:idLength]...)
}
