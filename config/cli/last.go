package cli

import (
	"context"
	"slices"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// lasts are the results of the newest entries of one block, as many as may be needed for the last ones of all.
type lasts struct {
	entries [][][]byte // the results of each entry in their order, the newest entry first
	count   int        // of the results
	faults  []*read.CorruptError
	err     error
}

// readLast prints the last results, and returns where the journals go on after them. It reads backwards in both
// directions of printing, so that both print the same: of an entry for which --jq gives several values, the last ones.
func (q *query) readLast(ctx context.Context) ([]*read.Cursor, error) {
	source := read.OpenBack(q.options)
	defer source.Close()
	var kept [][][]byte // to be printed the other way round
	work := func(b *read.Block) *lasts { return q.lastsOf(ctx, b) }
	err := read.Ordered(ctx, source, work, func(l *lasts) error {
		q.bar.show()
		q.warn(l.faults)
		for _, results := range l.entries {
			results = results[max(0, len(results)-q.wanted()):]
			q.entries += int64(len(results))
			if !q.reverse {
				kept = append(kept, results)
			} else if err := q.printAll(results); err != nil {
				return err
			}
		}
		if l.err == nil && q.wanted() == 0 {
			return errEnough
		}
		return l.err
	})
	for _, results := range slices.Backward(kept) {
		if failed := q.printAll(results); failed != nil {
			return source.Ends(), failed
		}
	}
	return source.Ends(), err
}

// wanted is how many more of the last results are to be found.
func (q *query) wanted() int { return q.last - int(q.entries) }

func (q *query) printAll(results [][]byte) error {
	for _, text := range results {
		if err := q.out.write(text); err != nil {
			return err
		}
	}
	return nil
}

// lastsOf goes through a block that is read backwards until there are enough results. It runs on several goroutines.
func (q *query) lastsOf(ctx context.Context, b *read.Block) *lasts {
	l := &lasts{}
	scanner := read.Scanner{Filter: q.filter, OnFault: func(f *read.CorruptError) { l.faults = append(l.faults, f) }}
	scanner.Reset(b)
	for l.err == nil && l.count < q.last && scanner.Next() {
		var results [][]byte
		results, l.err = q.lastOf(ctx, scanner.Entry())
		l.entries, l.count = append(l.entries, results), l.count+len(results)
	}
	return l
}

// lastOf gives the last results of one entry.
func (q *query) lastOf(ctx context.Context, e *journal.Entry) (results [][]byte, err error) {
	if q.program == nil {
		return [][]byte{q.entryText(e)}, nil
	}
	values := q.program.values(ctx, e)
	for {
		value, ok, err := values.next()
		if !ok || err != nil {
			return results, err
		}
		text, err := q.appendValue(nil, e, value)
		if err != nil {
			return results, err
		}
		if results = append(results, text); len(results) > q.last {
			results = results[1:]
		}
	}
}

// entryText is an entry in the form asked for; nothing if only the number of results is.
func (q *query) entryText(e *journal.Entry) []byte {
	if q.count {
		return nil
	}
	return q.render.entry(nil, e)
}
