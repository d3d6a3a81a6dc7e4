package cli

import (
	"context"
	"errors"
	"fmt"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// results are what is to be printed for the entries of one block. They are made in pieces of some size, because an
// expression of --jq may give values without end: the first piece by start, which may run on several goroutines, the
// others by emit.
type results struct {
	ctx     context.Context
	scanner read.Scanner
	values  *jqValues // of the current entry; nil: it is done with
	text    []byte    // the piece
	count   int       // of its results
	faults  []*read.CorruptError
	done    bool // there are no more pieces
	err     error
}

// pieceBytes is how long a piece may become before it is printed. Those of most blocks are one.
const pieceBytes = 1 << 20

// start makes the first piece of a block.
func (q *query) start(ctx context.Context, b *read.Block) *results {
	r := &results{ctx: ctx, text: q.buffers.get()}
	r.scanner = read.Scanner{Filter: q.filter, OnFault: func(f *read.CorruptError) { r.faults = append(r.faults, f) }}
	r.scanner.Reset(b)
	q.advance(r)
	return r
}

// advance makes the next piece.
func (q *query) advance(r *results) {
	r.text, r.count, r.faults = r.text[:0], 0, nil
	for r.err == nil && len(r.text) < pieceBytes {
		if r.values == nil && !r.scanner.Next() {
			r.done = true
			return
		}
		if r.values == nil && q.program != nil {
			r.values = q.program.values(r.ctx, r.scanner.Entry())
		}
		q.step(r)
	}
}

// step adds the current entry to the piece, or the next value that --jq gives for it.
func (q *query) step(r *results) {
	e := r.scanner.Entry()
	if q.program == nil {
		r.count++
		if !q.count {
			r.text = q.render.entry(r.text, e)
		}
		return
	}
	value, ok, err := r.values.next()
	switch {
	case err != nil:
		r.err = err
	case !ok:
		r.values = nil
	default:
		r.count++
		r.text, r.err = q.appendValue(r.text, e, value)
	}
}

// appendValue appends a value in the form asked for; nothing if only the number of results is.
func (q *query) appendValue(dst []byte, e *journal.Entry, v jqResult) ([]byte, error) {
	switch {
	case q.count:
		return dst, nil
	case v.entry:
		return q.render.entry(dst, e), nil
	case q.render.value == nil:
		return dst, &usageError{
			fmt.Errorf("-o %s takes whole entries, and --jq gave another value", q.output),
			"use select(...) in --jq, or -o json or pretty",
		}
	}
	text, err := v.appendTo(nil, q.raw)
	if err != nil || q.output == "json" || q.raw {
		return append(dst, text...), err
	}
	return q.render.value(dst, text[:len(text)-1]), nil
}

// emit prints what a block came to, piece by piece.
func (q *query) emit(r *results) error {
	for {
		q.warn(r.faults)
		q.entries += int64(r.count)
		if err := q.print(r.text); err != nil || r.err != nil || r.done {
			q.buffers.put(r.text)
			return errors.Join(err, r.err)
		}
		q.advance(r)
	}
}

// print hands text over at once: somebody may wait for it at the other end of a pipe.
func (q *query) print(text []byte) error {
	if err := q.out.write(text); err != nil {
		return err
	}
	return q.out.flush()
}

func (q *query) warn(faults []*read.CorruptError) {
	for _, f := range faults {
		q.faults.report(f)
	}
}
