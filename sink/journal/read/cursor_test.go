package read

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"hbjournal/sink/journal"
)

// stopAt reads entries from source up to number n, and returns the position behind that one, as it would be saved.
func stopAt(t *testing.T, source Source, filter *journal.Filter, n int) Cursor {
	t.Helper()
	defer source.Close()
	r := NewReader(t.Context(), source, filter, nil)
	for r.Next() {
		if numberOf(t, r.Entry()) != n {
			continue
		}
		at, err := ParseCursor(r.Cursor().String())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	t.Fatalf("entry %d did not come: %v", n, r.Err())
	return Cursor{}
}

// sources are the ways to read a journal entry by entry.
func sources(t *testing.T, dir string) map[string]Source {
	t.Helper()
	followed, errFollow := Follow(Options{Dir: dir, Base: base}, Cursor{})
	forwards, errOpen := Open(Options{Dir: dir, Base: base})
	backwards, errBack := Open(Options{Dir: dir, Base: base, Reverse: true})
	if err := errors.Join(errFollow, errOpen, errBack); err != nil {
		t.Fatal(err)
	}
	return map[string]Source{"followed": followed, "forwards": forwards, "backwards": backwards}
}

func TestACursorInMidBlockGoesOnBehindItsEntryWhateverHappensToTheFile(t *testing.T) {
	f := func(name string, happen func(t *testing.T, dir, live string)) {
		t.Helper()
		for _, n := range []int{0, 9, 10, 11, 500, 998, 999} {
			dir := t.TempDir()
			live := filepath.Join(dir, base)
			write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
			write(t, live, entryLines(10, 1000))
			saved := map[string]Cursor{}
			for way, source := range sources(t, dir) {
				saved[way] = stopAt(t, source, nil, n)
			}
			happen(t, dir, live)
			for way, at := range saved {
				t.Run(name+", "+way, func(t *testing.T) {
					again, stop := follow(t, dir, at)
					again.want(t, n+1, 1010)
					if stop(); len(again.numbers) > 0 || len(again.faults) > 0 {
						t.Errorf("behind entry %d: got %d entries and %d faults more than there are", n, len(again.numbers), len(again.faults))
					}
				})
			}
		}
	}
	f("in the same file", func(t *testing.T, _, live string) { appendTo(t, live, entryLines(1000, 1010)) })
	f("rotated", func(t *testing.T, dir, live string) {
		rename(t, live, filepath.Join(dir, backup(1000)))
		write(t, live, entryLines(1000, 1010))
	})
	f("rotated and compressed", func(t *testing.T, dir, live string) {
		rename(t, live, filepath.Join(dir, backup(1000)))
		compress(t, filepath.Join(dir, backup(1000)))
		write(t, live, entryLines(1000, 1010))
	})
	f("rotated, renamed and compressed twice", func(t *testing.T, dir, live string) {
		rename(t, live, filepath.Join(dir, backup(1000)+".1"))
		compress(t, filepath.Join(dir, backup(1000)+".1"))
		compress(t, filepath.Join(dir, backup(1000)+".1.gz"))
		write(t, live, entryLines(1000, 1010))
	})
}

func TestACursorBehindTheEndPassesWhatDidNotMatchButNoHalfLine(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, live, append(entryLines(0, 10), entryLine(10)[:50]...))
	source, err := Open(Options{Dir: dir, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	filter, err := journal.NewFilter(journal.FilterOptions{Fields: []journal.Field{field("n", "5")}})
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(t.Context(), source, filter, nil)
	for r.Next() {
		if got := numberOf(t, r.Entry()); got != 5 {
			t.Errorf("got entry %d, want 5 alone", got)
		}
	}
	appendTo(t, live, entryLine(10)[50:])
	again, _ := follow(t, dir, r.Cursor())
	again.want(t, 10, 11)
}

func TestAFaultWithoutLinesLeavesTheCursorBehindTheEntryBeforeIt(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, live, entryLines(0, 20))
	followed, err := Follow(Options{Dir: dir, Base: base}, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer followed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r := NewReader(ctx, followed, nil, func(fault *CorruptError) {
		if errors.Is(fault, ErrTruncated) {
			cancel()
		}
	})
	for n := 0; r.Next(); n++ {
		if n == 19 {
			truncatePath(t, live, 0)
		}
	}
	got, want := r.Cursor().Offset, int64(len(entryLines(0, 20)))
	if !errors.Is(r.Err(), context.Canceled) || got != want {
		t.Errorf("got offset %d and %v, want %d behind the last entry, and the end of the context", got, r.Err(), want)
	}
}
