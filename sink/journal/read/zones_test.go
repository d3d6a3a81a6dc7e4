package read

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// zoned makes a line for each offset in hours, a step apart.
func zoned(step time.Duration, hours ...int) (lines []byte) {
	for i, h := range hours {
		at := start.Add(time.Duration(i) * step)
		shown := at.Add(time.Duration(h) * time.Hour).UTC().Format(journal.DatetimeLayout)
		lines = fmt.Appendf(lines, `{"timestamp":%d.000,"datetime":"%s","source_ip":"10.0.0.1","source_port":1,"message":{"n":%d}}`+"\n",
			at.Unix(), shown, i)
	}
	return lines
}

func TestVerifyTellsAZoneThatChangesFromLinesThatAreOff(t *testing.T) {
	f := func(name string, data []byte, lines ...int64) {
		t.Helper()
		dir := t.TempDir()
		write(t, filepath.Join(dir, base), data)
		_, faults := verifyAll(t, dir)
		if len(faults) != len(lines) {
			t.Fatalf("%s: got %v, want %d faults", name, faults, len(lines))
		}
		for i, fault := range faults {
			if !errors.Is(fault, ErrZone) || fault.Line != lines[i] {
				t.Errorf("%s: got %v, want another zone at line %d", name, fault, lines[i])
			}
		}
	}
	f("one line", zoned(time.Second, 9, 9, 10, 9, 9), 3)
	f("one line of a slow journal", zoned(24*time.Hour, 0, 0, 1, 0, 0), 3)
	f("a few lines", zoned(time.Second, 0, 1, 1, 1, 0), 2)
	f("two kinds", zoned(time.Second, 0, 1, -1, 0, 1, 0), 2, 3, 5)
	f("summer begins", zoned(time.Second, 1, 1, 2, 2, 2))
	f("summer and winter", zoned(30*24*time.Hour, 1, 2, 2, 2, 1, 1))
	f("no zone at the end", zoned(time.Second, 0, 0, 1))
}

func TestVerifyTakesTheZonesOfSeveralJournalsForTheirOwn(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, hours := range []int{0, 1, 0} {
		path := filepath.Join(dir, fmt.Sprintf("journal%d", i))
		write(t, path, zoned(time.Second, hours, hours))
		paths = append(paths, path)
	}
	result, err := Verify(t.Context(), VerifyOptions{
		Options: Options{Paths: paths},
		Fault:   func(f *CorruptError) { t.Errorf("got %v, want no fault", f) },
	})
	if err != nil || result.Entries != 6 {
		t.Errorf("got %d entries and error %v, want 6 and none", result.Entries, err)
	}
}
