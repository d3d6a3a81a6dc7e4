package read

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// readEntries reads n entries and returns the position behind the last one, as it would be after a crash there.
func readEntries(t *testing.T, source Source, first, n int) Cursor {
	t.Helper()
	r := NewReader(t.Context(), source, nil, nil)
	for i := range n {
		if !r.Next() {
			t.Fatalf("entry %d did not come: %v", first+i, r.Err())
		}
		if got := numberOf(t, r.Entry()); got != first+i {
			t.Fatalf("got entry %d, want %d", got, first+i)
		}
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	at, err := ParseCursor(r.Cursor().String())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// resume follows a journal from a position.
func resume(t *testing.T, dir string, at Cursor) *Follower {
	t.Helper()
	f, err := Follow(Options{Dir: dir, Base: base}, at)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCursorOfAnEntryThatIsGoneSaysSo(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
	write(t, filepath.Join(dir, backup(20)), entryLines(10, 20))
	write(t, filepath.Join(dir, base), entryLines(20, 30))
	at := readEntries(t, resume(t, dir, Cursor{}), 0, 5)
	remove(t, filepath.Join(dir, backup(10)))
	f, _ := follow(t, dir, at)
	f.wantFault(t, ErrMissed)
	f.want(t, 10, 30)
}

func TestCursorInTheOnlyLineOfABackupWithoutANewlineIsBehindIt(t *testing.T) {
	dir := t.TempDir()
	line := entryLine(0)
	write(t, filepath.Join(dir, backup(10)), line[:len(line)-1])
	write(t, filepath.Join(dir, base), entryLines(1, 3))
	at := readEntries(t, resume(t, dir, Cursor{}), 0, 1)
	readEntries(t, resume(t, dir, at), 1, 2)
}

func TestCursorBeyondTheEndOfItsFileGoesOnAtTheEnd(t *testing.T) {
	f := func(name string, cut func(t *testing.T, dir, live string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			live := filepath.Join(dir, base)
			write(t, live, entryLines(0, 10))
			at := readEntries(t, resume(t, dir, Cursor{}), 0, 10)
			cut(t, dir, live)
			f, _ := follow(t, dir, at)
			f.wantFault(t, ErrTruncated)
			appendTo(t, live, entryLines(10, 20))
			f.want(t, 10, 20)
			f.wantNoMore(t)
		})
	}
	f("plain", func(t *testing.T, _, live string) { truncatePath(t, live, int64(len(entryLines(0, 8)))) })
	f("compressed", func(t *testing.T, dir, live string) {
		write(t, filepath.Join(dir, backup(10)+".gz"), gzipped(t, entryLines(0, 8)))
		remove(t, live)
		write(t, live, nil)
	})
}

func TestAFollowerIsReadBlockByBlockAndEntryByEntryAlike(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, base), entryLines(0, 10))
	f := resume(t, dir, Cursor{})
	var b Block
	if err := f.Read(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	readEntries(t, resume(t, dir, Cursor{First: b.End().First, Offset: int64(len(entryLines(0, 7)))}), 7, 3)
	if got, want := b.End().Offset, int64(len(b.Data)); got != want {
		t.Errorf("behind the block: got offset %d, want %d", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Read(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	appendTo(t, filepath.Join(dir, base), entryLines(10, 12))
	readEntries(t, f, 10, 2) // A Read that was ended has lost nothing.
}
