package read

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// tail returns the last n entries that match filter, oldest first, and the position from which Follow goes on.
func tail(ctx context.Context, opt Options, n int, filter *journal.Filter) ([]journal.Entry, Cursor, error) {
	source := OpenBack(opt)
	defer source.Close()
	r := NewReader(ctx, source, filter, nil)
	var entries []journal.Entry
	for (len(entries) < n || source.(*Back).start == nil) && r.Next() {
		entries = append(entries, r.Entry().Clone())
	}
	if r.Err() != nil {
		return nil, Cursor{}, r.Err()
	}
	slices.Reverse(entries)
	return entries[max(0, len(entries)-n):], *source.Ends()[0], nil
}

func TestReverseGivesTheSameEntriesLastFirst(t *testing.T) {
	dir := t.TempDir()
	const each = 20_000 // several blocks
	write(t, filepath.Join(dir, backup(1)), entryLines(0, each))
	write(t, filepath.Join(dir, backup(2)+".gz"), gzipped(t, entryLines(each, 2*each)))
	write(t, filepath.Join(dir, backup(3)+".zst"), zstded(t, entryLines(2*each, 3*each)))
	write(t, filepath.Join(dir, base), entryLines(3*each, 4*each))
	numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: true}, nil)
	for i, n := range numbers {
		if want := 4*each - 1 - i; n != want {
			t.Fatalf("entry %d from the end: got %d, want %d", i, n, want)
		}
	}
	if len(numbers) != 4*each || len(faults) > 0 {
		t.Errorf("got %d entries and faults %v, want %d and none", len(numbers), faults, 4*each)
	}
}

func TestTailGivesTheLastEntriesThatMatchAndWhereToGoOn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(1)), entryLines(0, 10))
	write(t, filepath.Join(dir, base), entryLines(10, 20))
	f := func(n int, pattern, want string) {
		t.Helper()
		filter, err := journal.NewFilter(journal.FilterOptions{Fields: []journal.Field{{Path: "n", Patterns: []string{pattern}}}})
		if err != nil {
			t.Fatal(err)
		}
		entries, at, err := tail(t.Context(), Options{Dir: dir, Base: base}, n, filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, fmt.Sprint(numberOf(t, &e)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("last %d of %s: got %v, want %s", n, pattern, got, want)
		}
		if at.Offset != int64(len(entryLines(10, 20))) {
			t.Errorf("got to go on at %v, want the end of the live file", at)
		}
	}
	f(3, "*", "17 18 19")
	f(12, "*", "8 9 10 11 12 13 14 15 16 17 18 19")
	f(100, "?5", "15")
	f(2, "?", "8 9")
	f(0, "*", "")
}

func TestFollowAfterTailNeitherMissesNorRepeats(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, live, entryLines(0, 10))
	_, at, err := tail(t.Context(), Options{Dir: dir, Base: base}, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	rename(t, live, filepath.Join(dir, backup(10)))
	compress(t, filepath.Join(dir, backup(10)))
	write(t, live, entryLines(10, 20))
	f, _ := follow(t, dir, at)
	f.want(t, 10, 20)
}

func TestReverseReportsHowFarACompressedFileCouldBeRead(t *testing.T) {
	dir := t.TempDir()
	whole := gzipped(t, entryLines(0, 50_000))
	write(t, filepath.Join(dir, backup(1)+".gz"), whole[:len(whole)/2])
	write(t, filepath.Join(dir, base), entryLines(50_000, 50_010))
	forward, faults := readAll(t, Options{Dir: dir, Base: base}, nil)
	backward, faultsBack := readAll(t, Options{Dir: dir, Base: base, Reverse: true}, nil)
	if len(forward) != len(backward) || len(forward) < 10_000 {
		t.Errorf("got %d entries forwards and %d backwards, want as many and about half", len(forward), len(backward))
	}
	// The end of the file, and the line that it stands in.
	if len(faults) == 0 || len(faultsBack) == 0 {
		t.Errorf("got faults %v forwards and %v backwards, want some", faults, faultsBack)
	}
}

func TestALineLongerThanAnyBlockIsRead(t *testing.T) {
	dir := t.TempDir()
	long := journal.NewEncoder(nil).AppendLine(nil, start, sampleFrom, []byte(`{"n":1,"x":"`+strings.Repeat("x", 3*blockBytes)+`"}`))
	data := append(append(entryLines(0, 1), long...), entryLines(2, 3)...)
	write(t, filepath.Join(dir, base), data)
	f := func(reverse bool, want string) {
		t.Helper()
		numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: reverse}, nil)
		if fmt.Sprint(numbers) != want || len(faults) > 0 {
			t.Errorf("reverse %v: got %v and faults %v, want %s", reverse, numbers, faults, want)
		}
	}
	f(false, "[0 1 2]")
	f(true, "[2 1 0]")
}

func TestALineBeyondAllBoundsIsAFaultAndReadingGoesOn(t *testing.T) {
	dir := t.TempDir()
	data := append(entryLines(0, 1), make([]byte, maxLine+blockBytes)...)
	data = append(append(data, '\n'), entryLines(1, 2)...)
	write(t, filepath.Join(dir, base), data)
	for _, reverse := range []bool{false, true} {
		numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: reverse}, nil)
		if len(numbers) != 2 || len(faults) != 1 || faults[0].Offset != int64(len(entryLine(0))) {
			t.Errorf("reverse %v: got %v and faults %v, want 2 entries and a fault at %d",
				reverse, numbers, faults, len(entryLine(0)))
		}
	}
}

func TestALineOfNothingButBracketsIsAFaultAndNoCrash(t *testing.T) {
	dir := t.TempDir()
	const deep = 8 << 20
	line := journal.NewEncoder(nil).AppendLine(nil, start, sampleFrom,
		[]byte(`{"x":`+strings.Repeat("[", deep)+strings.Repeat("]", deep)+`}`))
	write(t, filepath.Join(dir, base), append(line, entryLines(1, 2)...))
	numbers, faults := readAll(t, Options{Dir: dir, Base: base}, nil)
	if len(numbers) != 1 || len(faults) != 1 {
		t.Errorf("got %d entries and faults %v, want 1 and a fault", len(numbers), faults)
	}
}

func TestSinceAndUntilGiveExactlyWhatAFullReadingWould(t *testing.T) {
	dir := t.TempDir()
	const each = 20_000
	ends := map[int]string{1: "", 2: ".gz", 3: ".zst"}
	for i := range 4 {
		data := shuffled(entryLines(i*each, (i+1)*each))
		switch name := filepath.Join(dir, backup(i+1)+ends[i]); {
		case i == 3:
			write(t, filepath.Join(dir, base), data)
		case ends[i] == ".gz":
			write(t, name, gzipped(t, data))
		case ends[i] == ".zst":
			write(t, name, zstded(t, data))
		default:
			write(t, name, data)
		}
	}
	for first := 0; first < 4*each; first += 7_321 {
		end := min(first+each, 4*each)
		opt := Options{Dir: dir, Base: base, Since: atNumber(first), Until: atNumber(end)}
		filter, err := journal.NewFilter(journal.FilterOptions{Since: opt.Since, Until: opt.Until})
		if err != nil {
			t.Fatal(err)
		}
		for _, reverse := range []bool{false, true} {
			opt.Reverse = reverse
			numbers, faults := readAll(t, opt, filter)
			seen := map[int]bool{}
			for _, n := range numbers {
				seen[n] = n >= first && n < end
			}
			if len(seen) != end-first || len(numbers) != end-first || len(faults) > 0 {
				t.Errorf("reverse %v, %d to %d: got %d entries, %d different, faults %v",
					reverse, first, end, len(numbers), len(seen), faults)
			}
		}
	}
}

func atNumber(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// shuffled swaps neighbours, so that the time goes back by some seconds again and again.
func shuffled(lines []byte) []byte {
	all := strings.SplitAfter(string(lines), "\n")
	for i := 0; i+7 < len(all); i += 7 {
		all[i], all[i+6] = all[i+6], all[i]
	}
	return []byte(strings.Join(all, ""))
}
