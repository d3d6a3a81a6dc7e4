package journal

import (
	"bytes"
	"context"
	"slices"
)

// Tail returns the last n entries that match filter, oldest first, and the position behind the newest entry of all, from
// which Follow goes on without a gap. Faults that it meets, newest first, are given to onFault.
func Tail(ctx context.Context, opt Options, n int, filter *Filter, onFault func(*CorruptError)) ([]Entry, Cursor, error) {
	source := openBack(opt)
	defer source.Close()
	r := NewReader(ctx, source, filter, onFault)
	var entries []Entry
	for (len(entries) < n || source.start == nil) && r.Next() {
		entries = append(entries, r.Entry().clone())
	}
	if r.Err() != nil {
		return nil, Cursor{}, r.Err()
	}
	slices.Reverse(entries)
	var at Cursor
	if source.start != nil {
		at = *source.start
	}
	return entries[max(0, len(entries)-n):], at, nil
}

// clone returns the entry with memory of its own.
func (e *Entry) clone() Entry {
	c := *e
	c.Line = bytes.Clone(e.Line)
	start := bytes.Index(e.Line, []byte(openMessage)) + len(openMessage)
	c.Message = c.Line[start : start+len(e.Message)]
	return c
}
