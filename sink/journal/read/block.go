package read

import (
	"bytes"
	"context"
)

// Block is a run of whole lines of one file: the unit in which journals are read, and spread over cores.
type Block struct {
	Path    string
	Offset  int64  // of Data in the file, after decompression
	Number  int64  // of the first line of Data, from 1; 0 if not known
	Data    []byte // each line with its newline, except perhaps the last one of a file
	Reverse bool   // the lines are to be taken last first

	// Fault, if not nil, is a fault that stands behind Data: what stopped the reading of this file, or a line that was
	// skipped for its length. Reading goes on behind it with the next Read.
	Fault *CorruptError

	start Cursor // of Data
	buf   []byte // the memory behind Data, kept for the next read
	unit  int    // how much is read at once; 0: blockBytes
	runs  []run  // where Data is from, if it is of several journals; Path, Offset, Number and start are of no use then
}

// Source gives a journal in blocks. Read fills b, using its memory again; io.EOF says that there are no more.
type Source interface {
	Read(ctx context.Context, b *Block) error
	Close() error
}

const (
	blockBytes = 256 << 10 // fits a core's own cache together with what is made of it
	maxLine    = 64 << 20  // a longer line is a fault, and skipped
)

func (b *Block) reset() { *b = Block{buf: b.buf, unit: b.unit, runs: b.runs[:0]} }

// size is how much is read at once.
func (b *Block) size() int {
	if b.unit > 0 {
		return b.unit
	}
	return blockBytes
}

// End is the position behind Data, from which Follow goes on with what came after it; the zero Cursor if there is no Data.
func (b *Block) End() Cursor {
	if len(b.Data) == 0 {
		return Cursor{}
	}
	return b.at(len(b.Data))
}

// At is the position of pos, an index into b.Data at which a line starts.
func (b *Block) At(pos int) Cursor { return b.at(pos) }

// at is the position of pos, an index into b.Data. Of several journals it is in that of the line which ends at pos.
func (b *Block) at(pos int) Cursor {
	if len(b.runs) > 0 {
		return b.runs[b.runOf(max(0, pos-1))].at(pos)
	}
	at := b.start
	at.Offset = b.Offset + int64(pos)
	return at
}

// sized returns b's memory, with room for a block behind the first need bytes. Memory that an unusually long line took is
// let go of.
func (b *Block) sized(need int) []byte {
	if size := max(b.size(), 2*need); len(b.buf) < size || len(b.buf) > 4*size {
		b.buf = make([]byte, size)
	}
	return b.buf
}

// lineAt cuts the line off that starts at pos, and returns the position behind its newline.
func (b *Block) lineAt(pos int) (line []byte, next int) {
	rest := b.Data[pos:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		return rest[:i], pos + i + 1
	}
	return rest, len(b.Data)
}

// lineBefore is lineAt backwards: the line that ends before pos, and where it starts.
func (b *Block) lineBefore(pos int) (line []byte, start int) {
	rest := bytes.TrimSuffix(b.Data[:pos], newline)
	start = bytes.LastIndexByte(rest, '\n') + 1
	return rest[start:], start
}

var newline = []byte{'\n'}
