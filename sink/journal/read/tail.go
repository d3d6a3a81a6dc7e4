package read

import (
	"context"
	"slices"

	"hbjournal/sink/journal"
)

// Tail returns the last n entries that match filter, oldest first, and the position behind the newest entry of all, from
// which Follow goes on without a gap. Faults that it meets, newest first, are given to onFault.
func Tail(ctx context.Context, opt Options, n int, filter *journal.Filter, onFault func(*CorruptError)) ([]journal.Entry, Cursor, error) {
	source := OpenBack(opt)
	defer source.Close()
	r := NewReader(ctx, source, filter, onFault)
	var entries []journal.Entry
	for (len(entries) < n || source.start == nil) && r.Next() {
		entries = append(entries, r.Entry().Clone())
	}
	if r.Err() != nil {
		return nil, Cursor{}, r.Err()
	}
	slices.Reverse(entries)
	return entries[max(0, len(entries)-n):], source.End(), nil
}
