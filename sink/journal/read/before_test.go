package read

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLineBeforeAPositionIsTheOneReadLast(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
	write(t, live, entryLines(10, 20))
	for n := 1; n <= 20; n++ {
		at := readEntries(t, resume(t, dir, Cursor{}), 0, n)
		line, found, err := LineBefore(Options{Dir: dir, Base: base}, at)
		if want := bytes.TrimSuffix(entryLine(n-1), []byte{'\n'}); err != nil || !found || !bytes.Equal(line, want) {
			t.Fatalf("before entry %d: got %q, %v, %v; want %q", n, line, found, err, want)
		}
	}
}

func TestTheLineBeforeAPositionIsFoundAfterItsFileMoved(t *testing.T) {
	dir := t.TempDir()
	live, old := filepath.Join(dir, base), filepath.Join(dir, backup(10))
	long := []byte(`{"x":"` + strings.Repeat("x", 3*blockBytes) + `"}` + "\n")
	write(t, live, append(entryLines(0, 10), long...))
	f := resume(t, dir, Cursor{})
	at := f.files[0].at(int64(len(entryLines(0, 10)) + len(long)))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	rename(t, live, old)
	compress(t, old)
	write(t, live, entryLines(10, 20))
	line, found, err := LineBefore(Options{Dir: dir, Base: base}, at)
	if err != nil || !found || !bytes.Equal(append(line, '\n'), long) {
		t.Errorf("got %d bytes, %v, %v; want the %d of the long line", len(line), found, err, len(long))
	}
}

func TestAPositionWithoutItsLineSaysWhy(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, live, entryLines(0, 10))
	at := readEntries(t, resume(t, dir, Cursor{}), 0, 5)
	f := func(name string, at Cursor, wantFound bool) {
		t.Helper()
		line, found, err := LineBefore(Options{Dir: dir, Base: base}, at)
		if line != nil || found != wantFound || err != nil {
			t.Errorf("%s: got %q, found %v, %v", name, line, found, err)
		}
	}
	f("the beginning of a journal", Cursor{}, false)
	begin := at
	begin.Offset = 0
	f("the beginning of a file", begin, false)
	gone := at
	gone.First++
	f("a file that is gone", gone, false)
	truncatePath(t, live, at.Offset-2)
	f("a file that lost the end of the line", at, true)
	truncatePath(t, live, int64(len(entryLines(0, 2))))
	f("a file that lost the line", at, true)
}
