package read

import (
	"context"
	"io"

	"hbjournal/sink/journal"
)

// A Reader gives the entries of a Source one by one:
//
//	for r.Next() {
//		use(r.Entry())
//	}
//	return r.Err()
type Reader struct {
	ctx     context.Context
	source  Source
	block   Block
	scanner Scanner
	started bool
	err     error
}

// NewReader reads source until its end or that of ctx; nil for filter takes every entry. Torn and foreign lines, and
// files that cannot be read further, are given to onFault, which may be nil, and reading goes on behind them. The
// caller closes source.
func NewReader(ctx context.Context, source Source, filter *journal.Filter, onFault func(*CorruptError)) *Reader {
	return &Reader{ctx: ctx, source: source, scanner: Scanner{Filter: filter, OnFault: onFault}}
}

// Next goes to the next entry. It returns false at the end, and when reading failed.
func (r *Reader) Next() bool {
	for r.err == nil {
		if r.started && r.scanner.Next() {
			return true
		}
		if r.err = r.source.Read(r.ctx, &r.block); r.err == nil {
			r.scanner.Reset(&r.block)
			r.started = true
		}
	}
	return false
}

// Entry returns the current entry. It is valid until the next Next.
func (r *Reader) Entry() *journal.Entry { return r.scanner.Entry() }

// Cursor returns the position behind the current entry: saved when that entry has been dealt with, it is where Follow
// goes on without losing or repeating any. Once Next has returned false, the lines behind the last entry, of which none
// matched, are passed too. It is the zero Cursor until there was an entry.
func (r *Reader) Cursor() Cursor { return r.scanner.Cursor() }

// Err returns what ended the reading, and nil if it was the end of the journal.
func (r *Reader) Err() error {
	if r.err == io.EOF {
		return nil
	}
	return r.err
}
