package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// bzipped compresses with the program, since the standard library only unpacks.
func bzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bzip2", "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Skip("needs bzip2: ", err)
	}
	return out
}

// bothWays reads a journal in both directions, wants the entries up to end once each, and returns the faults.
func bothWays(t *testing.T, opt Options, end int) (faults []*CorruptError) {
	t.Helper()
	numbers, faults := readAll(t, opt, nil)
	checkSequence(t, numbers, 0, end)
	opt.Reverse = true
	numbers, again := readAll(t, opt, nil)
	slices.Reverse(numbers)
	checkSequence(t, numbers, 0, end)
	if len(again) != len(faults) {
		t.Errorf("got faults %v backwards and %v forwards, want the same", again, faults)
	}
	return faults
}

func TestFilesThatLogrotateRotatedAreReadInOrderOfTime(t *testing.T) {
	f := func(name string, files map[string][2]int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			dir, end := t.TempDir(), 0
			var paths []string
			for file, of := range files {
				data := entryLines(of[0], of[1])
				switch filepath.Ext(file) {
				case ".gz":
					data = gzipped(t, data)
				case ".zst":
					data = zstded(t, data)
				}
				write(t, filepath.Join(dir, file), data)
				paths = append(paths, filepath.Join(dir, file))
				end = max(end, of[1])
			}
			if faults := bothWays(t, Options{Dir: dir, Base: base}, end); len(faults) > 0 {
				t.Errorf("got faults %v, want none", faults)
			}
			for range 4 {
				rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
				bothWays(t, Options{Paths: paths}, end)
			}
			followed, stop := follow(t, dir, Cursor{})
			followed.want(t, 0, end)
			followed.wantNoMore(t)
			stop()
			for _, since := range []int{0, end / 3, end - 1} {
				filter, err := journal.NewFilter(journal.FilterOptions{Since: atNumber(since)})
				if err != nil {
					t.Fatal(err)
				}
				numbers, _ := readAll(t, Options{Dir: dir, Base: base, Since: atNumber(since)}, filter)
				checkSequence(t, numbers, since, end)
			}
		})
	}
	f("numbers", map[string][2]int{
		base + ".10": {0, 10}, base + ".9.gz": {10, 20}, base + ".3.zst": {20, 30}, base + ".2.gz": {30, 40}, base + ".1": {40, 50},
		base: {50, 60},
	})
	f("dates", map[string][2]int{
		base + "-20240319": {0, 10}, base + "-20240320.gz": {10, 20}, base + "-20240320-1710979200": {20, 30},
		base + "-2024032114": {30, 40}, base + "-20240321-15": {40, 50}, "messages-20240322.journal.gz": {50, 60}, base: {60, 70},
	})
	f("without a live file", map[string][2]int{base + ".2.gz": {0, 10}, base + ".1": {10, 20}})
	f("numbers that count upwards", map[string][2]int{base + ".1": {0, 10}, base + ".2": {10, 20}, base: {20, 30}})
	f("backups and then logrotate", map[string][2]int{
		backup(10): {0, 10}, backup(20) + ".gz": {10, 20}, base + ".2.gz": {20, 30}, base + ".1": {30, 40}, base: {40, 50},
	})
	f("logrotate and then backups", map[string][2]int{
		base + ".2.gz": {0, 10}, base + ".1": {10, 20}, backup(30): {20, 30}, backup(40) + ".zst": {30, 40}, base: {40, 50},
	})
	f("backups and logrotate in turn", map[string][2]int{
		base + ".4": {0, 10}, backup(20): {10, 20}, base + ".3.gz": {20, 30}, base + "-20260328": {30, 40}, backup(50): {40, 50},
		backup(60): {50, 60}, base + ".1": {60, 70}, base: {70, 80},
	})
	const hour = 3600
	f("stamps of another zone", map[string][2]int{
		base + ".3": {0, 10}, backup(20 + 9*hour): {10, 20}, base + ".2": {20, 30}, backup(40 + 9*hour): {30, 40}, base + ".1": {40, 50},
		base: {50, 60},
	})
	f("stamps that ran ahead of the clock", map[string][2]int{
		backup(1): {0, 1}, backup(100): {1, 2}, backup(101): {2, 3}, base + ".1": {3, 4}, backup(102): {4, 5}, base: {5, 6},
	})
}

func TestBzip2IsRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, base+".4.bz2"), bzipped(t, entryLines(0, 10)))
	write(t, filepath.Join(dir, backup(20)+".bz2"), bzipped(t, entryLines(10, 20)))
	write(t, filepath.Join(dir, base), entryLines(20, 30))
	bothWays(t, Options{Dir: dir, Base: base}, 30)
}

func TestACopyUnderAnotherNameCountsOnce(t *testing.T) {
	f := func(name string, happen func(dir string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, base+".3.gz"), gzipped(t, entryLines(0, 10)))
			write(t, filepath.Join(dir, base+".2"), entryLines(10, 20))
			write(t, filepath.Join(dir, backup(30)), entryLines(20, 30))
			write(t, filepath.Join(dir, base+".1"), entryLines(30, 40))
			write(t, filepath.Join(dir, base), entryLines(40, 50))
			happen(dir)
			if faults := bothWays(t, Options{Dir: dir, Base: base}, 50); len(faults) > 0 {
				t.Errorf("got faults %v, want none", faults)
			}
			paths, err := filepath.Glob(filepath.Join(dir, base+"*"))
			if err != nil {
				t.Fatal(err)
			}
			bothWays(t, Options{Paths: paths}, 50)
			followed, stop := follow(t, dir, Cursor{})
			followed.want(t, 0, 50)
			followed.wantNoMore(t)
			stop()
		})
	}
	put := func(name string, data []byte) func(string) {
		return func(dir string) { write(t, filepath.Join(dir, name), data) }
	}
	f("none", func(string) {})
	f("of a number, under another", put(base+".7", entryLines(10, 20)))
	f("of a number, compressed, under another", put(base+".7.gz", gzipped(t, entryLines(10, 20))))
	f("of a number, under a date", put(base+"-20240320", entryLines(30, 40)))
	f("of a compressed one, plain", put(base+".8", entryLines(0, 10)))
	f("compressed, beside the file", put(base+".1.gz", gzipped(t, entryLines(30, 40))))
	f("compressed, and not whole yet", put(base+".1.gz", gzipped(t, entryLines(30, 40))[:20]))
	f("compressed, and empty yet", put(base+".1.gz", nil))
	f("compressed by what we cannot read, beside the file", put(base+".1.xz", []byte(magicXz)))
	f("of a backup, under a number", put(base+".5", entryLines(20, 30)))
	f("of a backup, compressed, under a number", put(base+".5.gz", gzipped(t, entryLines(20, 30))))
	f("of a backup that had not its end yet", put(base+".5.gz", gzipped(t, entryLines(20, 25))))
	f("of a backup, by what we cannot read, beside it", put(backup(30)+".xz", []byte(magicXz)))
	f("of the live file, under a number", put(base+".9", entryLines(40, 50)))
	f("of the live file when it was shorter", put(base+".9", entryLines(40, 42)))
	f("of the live file when it was shorter, compressed", put(base+".gz", gzipped(t, entryLines(40, 42))))
	f("of a number when it was the live file and shorter", func(dir string) {
		path := filepath.Join(dir, base+".6")
		write(t, path, entryLines(10, 12))
		earlier := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, earlier, earlier); err != nil {
			t.Fatal(err)
		}
	})
	f("as a second name", func(dir string) {
		if err := os.Link(filepath.Join(dir, base), filepath.Join(dir, base+".4")); err != nil {
			t.Fatal(err)
		}
	})
	f("beside files that are empty", func(dir string) {
		write(t, filepath.Join(dir, base+".4"), nil)
		write(t, filepath.Join(dir, base+".5.gz"), gzipped(t, nil))
	})
}

func TestOnlyWhatCannotBeReadIsSaid(t *testing.T) {
	for name, magic := range map[string]string{
		".xz": magicXz, ".lz4": magicLz4, ".age": magicAge, ".lzo": magicLzop, ".lz": magicLzip, ".Z": magicCompress, ".zip": magicZip,
		".7z": magic7z, ".lzma": magicLzma,
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, base+".2"+name), []byte(magic+"\x01\x02\x03\n"))
		write(t, filepath.Join(dir, base+".1"), entryLines(0, 10))
		write(t, filepath.Join(dir, base), entryLines(10, 20))
		for _, other := range []string{".bak", "~", ".old", ".1.bak"} {
			write(t, filepath.Join(dir, base+other), []byte("no entry\n"))
		}
		faults := bothWays(t, Options{Dir: dir, Base: base}, 20)
		if len(faults) != 1 || filepath.Base(faults[0].Path) != base+".2"+name || !strings.Contains(faults[0].Error(), "first") && !errors.Is(faults[0], ErrEncrypted) {
			t.Errorf("%s: got faults %v, want one that says what to do about the file", name, faults)
		}
	}
}

func TestFollowGivesEachLineOnceWhileLogrotateRotates(t *testing.T) {
	// shift does what logrotate does with three files.
	shift := func(t *testing.T, live string) {
		t.Helper()
		for n := 3; n > 0; n-- {
			for _, ending := range []string{"", ".gz"} {
				err := os.Rename(fmt.Sprintf("%s.%d%s", live, n, ending), fmt.Sprintf("%s.%d%s", live, n+1, ending))
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
		}
		rename(t, live, live+".1")
	}
	followWhile(t, "by numbers", func(t *testing.T, f *following, _, live string) {
		for n := 20; n < 100; n += 10 {
			shift(t, live)
			write(t, live, entryLines(n, n+10))
			f.want(t, n, n+10)
		}
		f.wantNoMore(t)
	})
	followWhile(t, "twice between two looks", func(t *testing.T, f *following, _, live string) {
		for n := 20; n < 100; n += 20 {
			shift(t, live)
			write(t, live, entryLines(n, n+10))
			shift(t, live)
			write(t, live, entryLines(n+10, n+20))
			f.want(t, n, n+20)
		}
		f.wantNoMore(t)
	})
	followWhile(t, "and compresses", func(t *testing.T, f *following, _, live string) {
		for n := 20; n < 100; n += 10 {
			shift(t, live)
			write(t, live, entryLines(n, n+10))
			compress(t, live+".1")
			f.want(t, n, n+10)
		}
		f.wantNoMore(t)
	})
	followWhile(t, "by dates", func(t *testing.T, f *following, _, live string) {
		for n := 20; n < 100; n += 10 {
			rename(t, live, fmt.Sprintf("%s-202403%02d", live, n/10))
			write(t, live, entryLines(n, n+10))
			f.want(t, n, n+10)
		}
		f.wantNoMore(t)
	})
	followWhile(t, "a file that is empty and written to later", func(t *testing.T, f *following, _, live string) {
		shift(t, live)
		write(t, live, nil)
		f.wantNoMore(t)
		shift(t, live)
		write(t, live, nil)
		f.wantNoMore(t)
		appendTo(t, live+".1", entryLines(20, 30))
		f.want(t, 20, 30)
		appendTo(t, live, entryLines(30, 40))
		f.want(t, 30, 40)
		shift(t, live)
		write(t, live, entryLines(40, 50))
		f.want(t, 40, 50)
		f.wantNoMore(t)
	})
	followWhile(t, "by copies, and truncates", func(t *testing.T, f *following, dir, live string) {
		n := 20
		for day := range 20 {
			data, err := os.ReadFile(live)
			if err != nil {
				t.Fatal(err)
			}
			write(t, live+start.AddDate(0, 0, day).Format("-20060102"), data)
			truncatePath(t, live, 0)
			f.wantFault(t, ErrTruncated)
			appendTo(t, live, entryLines(n, n+10))
			f.want(t, n, n+10)
			n += 10
		}
		rename(t, live, filepath.Join(dir, backup(50)))
		write(t, live, entryLines(n, n+10))
		f.want(t, n, n+10)
		shift(t, live)
		write(t, live, entryLines(n+10, n+20))
		f.want(t, n+10, n+20)
		f.wantNoMore(t)
	})
	followWhile(t, "a copy is made of an old file", func(t *testing.T, f *following, dir, live string) {
		write(t, live+".5", entryLines(0, 10))
		write(t, live+".6.gz", gzipped(t, entryLines(10, 15)))
		rename(t, filepath.Join(dir, backup(10)), live+".7")
		shift(t, live)
		write(t, live, entryLines(20, 30))
		f.want(t, 20, 30)
		f.wantNoMore(t)
	})
}

// logrotated makes a journal of n files that logrotate rotated, with one entry each, and a live file with entry n.
func logrotated(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := range n {
		write(t, filepath.Join(dir, fmt.Sprintf("%s.%d", base, n-i)), entryLine(i))
	}
	write(t, filepath.Join(dir, base), entryLine(n))
	return dir
}

func TestEachEntryIsReadOnceWhileLogrotateShiftsManyFiles(t *testing.T) {
	const files, shifts = 60, 30
	for _, reverse := range []bool{false, true} {
		t.Run(fmt.Sprintf("reverse %v", reverse), func(t *testing.T) {
			dir := logrotated(t, files)
			live := filepath.Join(dir, base)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				for n := files; n < files+shifts && ctx.Err() == nil; n++ {
					for i := n; i > 0; i-- {
						rename(t, fmt.Sprintf("%s.%d", live, i), fmt.Sprintf("%s.%d", live, i+1))
					}
					rename(t, live, live+".1")
					write(t, live, entryLine(n+1))
					_ = wait(ctx, time.Millisecond)
				}
			})
			numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: reverse}, nil)
			cancel()
			wg.Wait()
			checkOnce(t, numbers, reverse, files)
			if len(faults) > 0 {
				t.Errorf("got faults %v, want none", faults)
			}
		})
	}
}

func TestCursorsHoldAcrossFilesThatLogrotateRotates(t *testing.T) {
	f := func(name string, happen func(t *testing.T, live string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			for stop := range 40 {
				dir := t.TempDir()
				live := filepath.Join(dir, base)
				write(t, live+".2.gz", gzipped(t, entryLines(0, 10)))
				write(t, filepath.Join(dir, backup(20)), entryLines(10, 20))
				write(t, live+".1", entryLines(20, 30))
				write(t, live, entryLines(30, 40))
				source, err := Open(Options{Dir: dir, Base: base})
				if err != nil {
					t.Fatal(err)
				}
				at := stopAt(t, source, nil, stop)
				happen(t, live)
				followed, end := follow(t, dir, at)
				followed.want(t, stop+1, 50)
				end()
				if len(followed.faults) > 0 {
					t.Errorf("stopped behind %d: got fault %v, want none", stop, <-followed.faults)
				}
			}
		})
	}
	f("nothing", func(t *testing.T, live string) { appendTo(t, live, entryLines(40, 50)) })
	f("a rotation", func(t *testing.T, live string) {
		rename(t, live+".2.gz", live+".3.gz")
		rename(t, live+".1", live+".2")
		rename(t, live, live+".1")
		write(t, live, entryLines(40, 50))
	})
	f("a rotation that compresses", func(t *testing.T, live string) {
		rename(t, live+".2.gz", live+".3.gz")
		rename(t, live+".1", live+".2")
		compress(t, live+".2")
		rename(t, live, live+".1")
		compress(t, live+".1")
		write(t, live, entryLines(40, 50))
	})
	f("a backup of our own", func(t *testing.T, live string) {
		rename(t, live, filepath.Join(filepath.Dir(live), backup(40)))
		write(t, live, entryLines(40, 50))
	})
}

func TestWhereToGoOnIsKnownThoughTheLiveFileIsEmpty(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, live+".2.gz", gzipped(t, entryLines(0, 10)))
	write(t, live+".1", entryLines(10, 20))
	write(t, live, nil)
	back := OpenBack(Options{Dir: dir, Base: base})
	readEntries(t, back, 19, 1)
	f := resume(t, dir, *back.Ends()[0])
	defer f.Close()
	polled := func(first, end int) {
		t.Helper()
		var got []byte
		want, since := entryLines(first, end), time.Now()
		for time.Since(since) < 3*pollEvery || len(got) < len(want) && time.Since(since) < 10*time.Second {
			var b Block
			if err := f.Poll(t.Context(), &b); err != nil && err != io.EOF || b.Fault != nil {
				t.Fatal(err, b.Fault)
			}
			got = append(got, b.Data...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %s, want the entries %d to %d", got, first, end)
		}
	}
	polled(0, 0)
	appendTo(t, live, entryLines(20, 30))
	polled(20, 30)
	rename(t, live, live+".0")
	write(t, live, nil)
	polled(0, 0)
	appendTo(t, live+".0", entryLines(30, 31)) // By a writer that has not noticed yet.
	polled(30, 31)
	at := f.position()
	appendTo(t, live, entryLines(31, 40))
	again, _ := follow(t, dir, at)
	again.want(t, 31, 40)
}

func TestListingFilesOfLogrotateOpensEachOnce(t *testing.T) {
	const files = 300
	dir := logrotated(t, files)
	write(t, filepath.Join(dir, base+".400.gz"), gzipped(t, entryLine(500)))
	c := newChain(Options{Dir: dir, Base: base})
	if err := c.relist(); err != nil {
		t.Fatal(err)
	}
	known := c.held[filepath.Join(dir, base+".7")]
	rename(t, filepath.Join(dir, base+".7"), filepath.Join(dir, base+".777"))
	if err := c.relist(); err != nil {
		t.Fatal(err)
	}
	if known == nil || c.held[filepath.Join(dir, base+".777")] != known {
		t.Error("a file was looked at again for its new name")
	}
	made := c.made
	if got := drain(t, c); got != files+2 || c.made > made+3 {
		t.Errorf("got %d files in %d listings, want %d in a few", got, c.made-made, files+2)
	}
}
