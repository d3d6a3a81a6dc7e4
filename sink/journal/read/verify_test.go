package read

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

func verifyAll(t *testing.T, dir string) (VerifyResult, []*CorruptError) {
	t.Helper()
	var faults []*CorruptError
	result, err := Verify(t.Context(), VerifyOptions{
		Options: Options{Dir: dir, Base: base},
		Fault:   func(f *CorruptError) { faults = append(faults, f) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, faults
}

func TestVerifyFindsEachDamageAndItsPlace(t *testing.T) {
	line := int64(len(entryLine(10))) // of the entries from 10 to 99
	tests := map[string]struct {
		damage func(f *os.File)
		want   error
		number int64
		offset int64
		intact int64
	}{
		"last line cut":         {func(f *os.File) { truncate(f, 20*line-30) }, journal.ErrMalformed, 20, 19 * line, 19},
		"last newline cut":      {func(f *os.File) { truncate(f, 20*line-1) }, ErrTornEnd, 0, 19 * line, 20},
		"zeros in the middle":   {func(f *os.File) { writeAt(f, make([]byte, 10), 5*line+60) }, journal.ErrMalformed, 6, 5 * line, 19},
		"line break in a line":  {func(f *os.File) { writeAt(f, newline, 5*line+1) }, journal.ErrMalformed, 6, 5 * line, 19},
		"brace lost":            {func(f *os.File) { writeAt(f, []byte(" "), 6*line-2) }, journal.ErrMalformed, 6, 5 * line, 19},
		"quote lost":            {func(f *os.File) { writeAt(f, []byte(" "), 6*line-10) }, journal.ErrMalformed, 6, 5 * line, 19},
		"timestamp changed":     {func(f *os.File) { writeAt(f, []byte("7"), 5*line+21) }, ErrDatetime, 6, 5 * line, 20},
		"whole day off":         {func(f *os.File) { writeAt(f, []byte("29"), 5*line+48) }, ErrDatetime, 6, 5 * line, 20},
		"foreign line appended": {func(f *os.File) { writeAt(f, []byte("hello\n"), 20*line) }, journal.ErrMalformed, 21, 20 * line, 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, base)
			write(t, path, entryLines(10, 30))
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			test.damage(f)
			f.Close()
			result, faults := verifyAll(t, dir)
			if len(faults) == 0 || !errors.Is(faults[0], test.want) {
				t.Fatalf("got faults %v, want %v", faults, test.want)
			}
			if got := faults[0]; got.Path != path || got.Line != test.number || got.Offset != test.offset {
				t.Errorf("got the fault at line %d, offset %d, want %d, %d", got.Line, got.Offset, test.number, test.offset)
			}
			if result.Entries != test.intact || result.Faults != int64(len(faults)) {
				t.Errorf("got %d entries and %d faults, want %d and %d", result.Entries, result.Faults, test.intact, len(faults))
			}
		})
	}
}

func TestVerifyFindsTimesThatGoBack(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(200)), append(entryLines(100, 200), entryLines(41, 45)...))
	write(t, filepath.Join(dir, base), entryLines(0, 10))
	if _, faults := verifyAll(t, dir); len(faults) != 0 {
		// 199 to 41 is too far; 44 to 0 is not.
		if len(faults) != 1 || !errors.Is(faults[0], ErrStepBack) || faults[0].Line != 101 {
			t.Errorf("got %v, want one step back at line 101", faults)
		}
	} else {
		t.Error("got no fault, want a step back")
	}
	write(t, filepath.Join(dir, backup(200)), entryLines(100, 200))
	_, faults := verifyAll(t, dir)
	if len(faults) != 1 || !errors.Is(faults[0], ErrStepBack) || faults[0].Path != filepath.Join(dir, base) {
		t.Errorf("got %v, want one step back at the start of the live file", faults)
	}
}

func TestVerifyFindsANameThatIsOlderThanItsEntries(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(-2*24*3600)), entryLines(0, 10))
	write(t, filepath.Join(dir, base), entryLines(10, 20))
	if _, faults := verifyAll(t, dir); len(faults) != 1 || !errors.Is(faults[0], ErrName) {
		t.Errorf("got %v, want a name before its entries", faults)
	}
}

func TestVerifyOfASoundJournalCountsWhatIsInIt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(10)+".gz"), gzipped(t, entryLines(0, 10)))
	write(t, filepath.Join(dir, base), entryLines(10, 20))
	got, faults := verifyAll(t, dir)
	want := VerifyResult{
		Files: 2, Entries: 20, Bytes: int64(len(entryLines(0, 20))),
		First: journal.InstantOf(start), Last: journal.InstantOf(start.Add(19 * time.Second)),
	}
	if got != want || len(faults) > 0 {
		t.Errorf("got %+v and faults %v, want %+v", got, faults, want)
	}
}
