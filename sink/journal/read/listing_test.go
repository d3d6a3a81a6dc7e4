package read

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// manyBackups makes a journal of n backups with one entry each, and a live file with entry n.
func manyBackups(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := range n {
		write(t, filepath.Join(dir, backup(i+1)), entryLine(i))
	}
	write(t, filepath.Join(dir, base), entryLine(n))
	return dir
}

// drain reads a chain or list to its end, and returns how many files it gave.
func drain(t *testing.T, files sequence) (n int) {
	t.Helper()
	for {
		f, err := files.next()
		if err != nil {
			return n
		}
		n++
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWalkListsTheDirectoryAFewTimesHoweverManyFilesThereAre(t *testing.T) {
	const backups = 500
	dir := manyBackups(t, backups)
	f := func(name string, files sequence, made *int) {
		t.Helper()
		if got := drain(t, files); got != backups+1 {
			t.Errorf("%s: got %d files, want %d", name, got, backups+1)
		}
		if *made > 4 {
			t.Errorf("%s: the directory was listed %d times, want a few", name, *made)
		}
	}
	forwards, backwards := newChain(Options{Dir: dir, Base: base}), newBackChain(Options{Dir: dir, Base: base})
	f("forwards", forwards, &forwards.made)
	f("backwards", backwards, &backwards.made)
}

func TestAFollowerListsTheDirectoryAFewTimesToCatchUp(t *testing.T) {
	const backups = 500
	f, stop := follow(t, manyBackups(t, backups), Cursor{})
	f.want(t, 0, backups+1)
	stop()
	if f.chain.made > 10 {
		t.Errorf("the directory was listed %d times, want a few", f.chain.made)
	}
}

func TestLookingForATimeOpensAFewFilesOfMany(t *testing.T) {
	const backups = 1000
	dir := manyBackups(t, backups)
	for _, first := range []int{0, 61, 500, 997, backups} {
		opened := 0
		c := newChain(Options{Dir: dir, Base: base})
		if err := c.relist(); err != nil {
			t.Fatal(err)
		}
		_, err := lastBefore(len(c.files), atNumber(first).UnixMilli(), func(i int) (*file, error) {
			opened++
			return c.opener.open(c.files[i])
		})
		if err != nil || opened > 12 {
			t.Errorf("since entry %d: got %d files opened and error %v, want about 10 and none", first, opened, err)
		}
		opt := Options{Dir: dir, Base: base, Since: atNumber(first)}
		filter, err := journal.NewFilter(journal.FilterOptions{Since: opt.Since})
		if err != nil {
			t.Fatal(err)
		}
		numbers, _ := readAll(t, opt, filter)
		checkSequence(t, numbers, first, backups+1)
	}
}

func TestLookingForATimePassesOverFilesThatDoNotTell(t *testing.T) {
	dir := manyBackups(t, 200)
	for i := range 101 {
		path := filepath.Join(dir, backup(i+1))
		write(t, path+".age", []byte("age-encryption.org/v1\n"))
		remove(t, path)
	}
	filter, err := journal.NewFilter(journal.FilterOptions{Since: atNumber(190)})
	if err != nil {
		t.Fatal(err)
	}
	numbers, faults := readAll(t, Options{Dir: dir, Base: base, Since: atNumber(190)}, filter)
	checkSequence(t, numbers, 190, 201)
	if len(faults) > 0 {
		t.Errorf("got faults %v, want none: the encrypted files are older", faults[0])
	}
}

// churn changes the names of a journal's backups while it is read: each is compressed, then renamed as logrotate does.
func churn(ctx context.Context, t *testing.T, dir string, from, end int) {
	for i := from; i < end && ctx.Err() == nil; i++ {
		path := filepath.Join(dir, backup(i+1))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			return
		}
		temp := filepath.Join(dir, ".temp")
		if err := compressTo(temp, data); err != nil {
			t.Error(err)
			return
		}
		rename(t, temp, path+".gz")
		remove(t, path)
		if i%3 == 0 {
			rename(t, path+".gz", path+".gz.1")
		}
	}
}

func TestEachEntryIsReadOnceWhileManyFilesAreCompressedRenamedAndAdded(t *testing.T) {
	const backups = 300
	for _, reverse := range []bool{false, true} {
		t.Run(fmt.Sprintf("reverse %v", reverse), func(t *testing.T) {
			dir := manyBackups(t, backups)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { churn(ctx, t, dir, 0, backups) })
			wg.Go(func() { rotateOn(ctx, t, dir, backups+1, 2*backups) })
			numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: reverse}, nil)
			cancel()
			wg.Wait()
			checkOnce(t, numbers, reverse, backups+1)
			if len(faults) > 0 {
				t.Errorf("got faults %v, want none", faults)
			}
		})
	}
}

// rotateOn goes on with a journal from entry n to end, one entry a file. It needs that end: a slow reading would run after it
// for ever.
func rotateOn(ctx context.Context, t *testing.T, dir string, n, end int) {
	live := filepath.Join(dir, base)
	for ; n < end && ctx.Err() == nil; n++ {
		if err := os.Link(live, filepath.Join(dir, backup(n))); err != nil {
			t.Error(err)
			return
		}
		temp := filepath.Join(dir, ".next")
		write(t, temp, entryLine(n))
		rename(t, temp, live)
		_ = wait(ctx, 2*time.Millisecond)
	}
}

// checkOnce wants at least the first n numbers, without a hole, each once, in order.
func checkOnce(t *testing.T, numbers []int, reverse bool, n int) {
	t.Helper()
	if len(numbers) < n {
		t.Fatalf("got %d entries, want %d or more", len(numbers), n)
	}
	for i, got := range numbers {
		want := i
		if reverse {
			want = len(numbers) - 1 - i
		}
		if got != want {
			t.Fatalf("entry %d: got number %d, want %d; around it %v", i, got, want,
				strings.Trim(fmt.Sprint(numbers[max(0, i-3):min(len(numbers), i+3)]), "[]"))
		}
	}
}

func TestPruningInFrontOfAReadingIsCaughtUpWith(t *testing.T) {
	const backups = 400
	dir := manyBackups(t, backups)
	c := newChain(Options{Dir: dir, Base: base})
	first, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	for i := range backups - 10 {
		remove(t, filepath.Join(dir, backup(i+1)))
	}
	if got := drain(t, c); got != 11 {
		t.Errorf("got %d files after the first, want the 11 that are left", got)
	}
	if c.made > 6 {
		t.Errorf("the directory was listed %d times, want a few", c.made)
	}
}
