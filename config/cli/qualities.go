package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// quality is something that entries are selected by, for which people want to know what there is.
type quality struct {
	flag, plural string
	value        func(*journal.Entry) string
}

// qualities are all that have a flag.
var qualities = []quality{
	{"id", "IDs", fieldValue("ID")},
	{"name", "hosts", fieldValue("name")},
	{"plugin", "plugins", fieldValue("plugin")},
	{"source", "sources", func(e *journal.Entry) string { return e.Source.Addr().String() }},
}

func fieldValue(path string) func(*journal.Entry) string {
	lookup := journal.NewLookup(path)
	return func(e *journal.Entry) string {
		var value [1][]byte
		lookup.Values(e.Message, value[:])
		return journal.Text(value[0])
	}
}

// Somebody waits for the values, so there are only as many as can be found soon, the newest first.
const (
	valuesWithin = 400 * time.Millisecond
	valuesMost   = 10_000
)

// values are the different values that the entries have, sorted, of those that keep takes. What goes wrong gives none.
func (q quality) values(ctx context.Context, opt read.Options, keep func(string) bool) []string {
	ctx, cancel := context.WithTimeout(ctx, valuesWithin)
	defer cancel()
	source := read.OpenBack(opt)
	defer source.Close()
	found := map[string]bool{}
	// An error, such as that the time is over, ends the search: what was found by then is given.
	_ = read.Ordered(ctx, source, func(b *read.Block) map[string]bool {
		return q.valuesOf(b, keep)
	}, func(some map[string]bool) error {
		if maps.Copy(found, some); len(found) > valuesMost {
			return io.EOF
		}
		return nil
	})
	return slices.Sorted(maps.Keys(found))
}

// valuesOf are those of one block. It runs on several goroutines.
func (q quality) valuesOf(b *read.Block, keep func(string) bool) map[string]bool {
	found := map[string]bool{}
	var scanner read.Scanner
	for scanner.Reset(b); scanner.Next(); {
		if v := q.value(scanner.Entry()); v != "" && !found[v] && keep(v) {
			found[v] = true
		}
	}
	return found
}
