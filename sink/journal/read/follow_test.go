package read

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// following reads a Follower on its own goroutine and hands over what it gives.
type following struct {
	*Follower
	numbers chan int
	faults  chan *CorruptError
	cursor  chan Cursor // gets the last position when the reading has ended
}

// follow starts following; the reading ends with the test, or with stop, which gives the position that was reached.
func follow(t *testing.T, dir string, at Cursor) (f *following, stop func() Cursor) {
	t.Helper()
	follower, err := Follow(Options{Dir: dir, Base: base}, at)
	if err != nil {
		t.Fatal(err)
	}
	f = &following{follower, make(chan int, 1<<20), make(chan *CorruptError, 1000), make(chan Cursor, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { f.run(ctx, t) })
	stop = sync.OnceValue(func() Cursor {
		cancel()
		wg.Wait()
		return <-f.cursor
	})
	t.Cleanup(func() { stop() })
	return f, stop
}

func (f *following) run(ctx context.Context, t *testing.T) {
	r := NewReader(ctx, f, nil, func(fault *CorruptError) { f.faults <- fault })
	for r.Next() {
		f.numbers <- numberOf(t, r.Entry())
	}
	if !errors.Is(r.Err(), context.Canceled) {
		t.Errorf("got %v, want the end of the context", r.Err())
	}
	f.cursor <- r.Cursor()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// want waits for the numbers from first up to, but not including, end.
func (f *following) want(t *testing.T, first, end int) {
	t.Helper()
	for want := first; want < end; want++ {
		select {
		case got := <-f.numbers:
			if got != want {
				t.Fatalf("got entry %d, want %d; %d faults", got, want, len(f.faults))
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("entry %d did not come in 10 s", want)
		}
	}
}

// wantNoMore fails if an entry or a fault comes within a few looks of the follower.
func (f *following) wantNoMore(t *testing.T) {
	t.Helper()
	select {
	case got := <-f.numbers:
		t.Fatalf("got entry %d, want none", got)
	case got := <-f.faults:
		t.Fatalf("got fault %v, want none", got)
	case <-time.After(4 * pollEvery):
	}
}

func (f *following) wantFault(t *testing.T, want error) {
	t.Helper()
	select {
	case got := <-f.faults:
		if !errors.Is(got, want) {
			t.Fatalf("got fault %v, want %v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("fault %v did not come in 10 s", want)
	}
}

func appendTo(t testing.TB, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// compress replaces a file by its gzip, as the journal does: the whole one appears, then the plain one goes.
func compress(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(t.TempDir(), "temp.gz")
	write(t, temp, gzipped(t, data))
	rename(t, temp, path+".gz")
	remove(t, path)
}

// followWhile follows a journal of 20 entries, a backup and a live file, lets something happen to it, and fails if more
// comes than was waited for.
func followWhile(t *testing.T, name string, happen func(t *testing.T, f *following, dir, live string)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		dir := t.TempDir()
		live := filepath.Join(dir, base)
		write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
		write(t, live, entryLines(10, 20))
		f, _ := follow(t, dir, Cursor{})
		f.want(t, 0, 20)
		happen(t, f, dir, live)
		f.wantNoMore(t)
	})
}

func TestFollowGivesEachLineOnceWhileTheJournalRotates(t *testing.T) {
	followWhile(t, "lines appended", func(t *testing.T, f *following, _, live string) {
		appendTo(t, live, entryLines(20, 30))
		f.want(t, 20, 30)
	})
	followWhile(t, "half a line, and its other half", func(t *testing.T, f *following, _, live string) {
		line := entryLine(20)
		appendTo(t, live, line[:50])
		f.wantNoMore(t)
		appendTo(t, live, line[50:])
		f.want(t, 20, 21)
	})
	followWhile(t, "rotated, and rotated again", func(t *testing.T, f *following, dir, live string) {
		rename(t, live, filepath.Join(dir, backup(20)))
		write(t, live, entryLines(20, 30))
		rename(t, live, filepath.Join(dir, backup(30)))
		write(t, live, entryLines(30, 40))
		f.want(t, 20, 40)
	})
	followWhile(t, "rotated and compressed", func(t *testing.T, f *following, dir, live string) {
		appendTo(t, live, entryLines(20, 30))
		rename(t, live, filepath.Join(dir, backup(30)))
		compress(t, filepath.Join(dir, backup(30)))
		write(t, live, entryLines(30, 40))
		f.want(t, 20, 40)
	})
	followWhile(t, "rotated and pruned too fast to see", func(t *testing.T, f *following, dir, live string) {
		temp := filepath.Join(t.TempDir(), "live")
		write(t, filepath.Join(dir, backup(50)), entryLines(40, 50))
		write(t, temp, entryLines(50, 60))
		rename(t, temp, live)
		f.wantFault(t, ErrMissed)
		f.want(t, 40, 60)
	})
	followWhile(t, "torn, then rotated", func(t *testing.T, f *following, dir, live string) {
		appendTo(t, live, entryLine(20)[:50])
		rename(t, live, filepath.Join(dir, backup(20)))
		write(t, live, entryLines(21, 30))
		f.wantFault(t, journal.ErrMalformed)
		f.want(t, 21, 30)
	})
}

func TestFollowGivesEachLineOnceWhileOthersWorkOnTheFiles(t *testing.T) {
	followWhile(t, "written to after it was renamed", func(t *testing.T, f *following, dir, live string) {
		rename(t, live, live+".1")
		write(t, live, nil)
		f.wantNoMore(t)
		appendTo(t, live+".1", entryLines(20, 30))
		appendTo(t, live, entryLines(30, 40))
		f.want(t, 20, 40)
	})
	followWhile(t, "removed and made anew", func(t *testing.T, f *following, _, live string) {
		remove(t, live)
		f.wantNoMore(t)
		write(t, live, entryLines(20, 30))
		f.want(t, 20, 30)
	})
	followWhile(t, "backups renamed by logrotate", func(t *testing.T, f *following, dir, live string) {
		old := filepath.Join(dir, backup(10))
		rename(t, old, old+".1")
		f.wantNoMore(t)
		compress(t, old+".1")
		appendTo(t, live, entryLines(20, 30))
		f.want(t, 20, 30)
	})
	followWhile(t, "truncated", func(t *testing.T, f *following, _, live string) {
		truncatePath(t, live, 0)
		f.wantFault(t, ErrTruncated)
		appendTo(t, live, entryLines(20, 30))
		f.want(t, 20, 30)
	})
	followWhile(t, "truncated and grown past the position", func(t *testing.T, f *following, _, live string) {
		truncatePath(t, live, 0)
		appendTo(t, live, entryLines(20, 50))
		f.wantFault(t, ErrTruncated)
		f.want(t, 20, 50)
	})
}

func truncatePath(t testing.TB, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func TestCursorFindsItsPlaceAgain(t *testing.T) {
	f := func(name string, happen func(t *testing.T, dir, live string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			live := filepath.Join(dir, base)
			write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
			write(t, live, entryLines(10, 20))
			f, stop := follow(t, dir, Cursor{})
			f.want(t, 0, 20)
			at, err := ParseCursor(stop().String())
			if err != nil {
				t.Fatal(err)
			}
			happen(t, dir, live)
			again, _ := follow(t, dir, at)
			again.want(t, 20, 40)
			again.wantNoMore(t)
		})
	}
	f("in the same file", func(t *testing.T, _, live string) { appendTo(t, live, entryLines(20, 40)) })
	f("rotated", func(t *testing.T, dir, live string) {
		appendTo(t, live, entryLines(20, 30))
		rename(t, live, filepath.Join(dir, backup(30)))
		write(t, live, entryLines(30, 40))
	})
	f("rotated, renamed and compressed twice", func(t *testing.T, dir, live string) {
		appendTo(t, live, entryLines(20, 30))
		rename(t, live, filepath.Join(dir, backup(30)+".1"))
		compress(t, filepath.Join(dir, backup(30)+".1"))
		compress(t, filepath.Join(dir, backup(30)+".1.gz"))
		write(t, live, entryLines(30, 40))
	})
	f("what was before it pruned", func(t *testing.T, dir, live string) {
		remove(t, filepath.Join(dir, backup(10)))
		appendTo(t, live, entryLines(20, 40))
	})
}

func TestCursorOfAPrunedPlaceStartsBehindItAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	live := filepath.Join(dir, base)
	write(t, live, entryLines(0, 10))
	f, stop := follow(t, dir, Cursor{})
	f.want(t, 0, 10)
	at := stop()
	write(t, filepath.Join(dir, backup(30)), entryLines(20, 30))
	remove(t, live)
	write(t, live, entryLines(30, 40))
	again, _ := follow(t, dir, at)
	again.wantFault(t, ErrMissed)
	again.want(t, 20, 40)
}

func FuzzCursorTextIsInverse(f *testing.F) {
	f.Add(Cursor{}.String())
	f.Add(Cursor{From: start, First: 1 << 63, Offset: 1234}.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCursor(text)
		if err == nil && c.String() != text {
			t.Errorf("got %q, want %q", c, text)
		}
		if err != nil && c != (Cursor{}) {
			t.Errorf("got %v with error %v", c, err)
		}
	})
}

func FuzzCursorOfAnyPositionIsReadBack(f *testing.F) {
	f.Add(int64(0), uint64(0), int64(0))
	f.Add(start.Unix(), uint64(1)<<63, int64(1234))
	f.Fuzz(func(t *testing.T, stamp int64, first uint64, offset int64) {
		want := Cursor{From: time.Unix(stamp%200_000_000_000, 0).UTC(), First: first, Offset: max(offset, 0)}
		if year := want.From.Year(); year < 1 || year > 9999 {
			t.Skip()
		}
		got, err := ParseCursor(want.String())
		if err != nil || got != want {
			t.Errorf("got %v and %v, want %v", got, err, want)
		}
	})
}

// TestFollowAcrossAHundredRotations drives the journal's own writer, with pruning, and compresses its backups meanwhile.
// It leaves room for the race detector; the follow script drives the daemon at 50,000 lines a second.
func TestFollowAcrossAHundredRotations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const rotations, linesEach = 100, 1000
	dir := t.TempDir()
	file, err := rotate.Open(rotate.Options{
		Dir: dir, Name: base, MaxBytes: linesEach * int64(len(entryLine(100_000))), MaxBackups: 20, NoSync: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, _ := follow(t, dir, Cursor{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { compressBackups(ctx, dir) })

	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	sent := 0
	for began := time.Now(); sent < rotations*linesEach; <-tick.C {
		if sent-len(f.numbers) > 15*linesEach {
			continue // On a machine so busy that pruning would overtake the follower, it is waited for.
		}
		due := min(int(time.Since(began).Seconds()*25_000), sent+linesEach, rotations*linesEach)
		if _, err := file.Write(entryLines(sent, due)); err != nil {
			t.Fatal(err)
		}
		sent = due
	}
	f.want(t, 0, sent)
	f.wantNoMore(t)
	if got := file.Stats().Rotations["size"]; got < rotations-5 {
		t.Errorf("got %d rotations, want about %d", got, rotations)
	}
}

// compressBackups compresses what is not the newest backup, until ctx ends. That it loses races with pruning is meant.
func compressBackups(ctx context.Context, dir string) {
	for ctx.Err() == nil {
		backups, err := names.Backups(dir, base)
		for i, b := range backups {
			path := filepath.Join(dir, b.Name)
			data, readErr := os.ReadFile(path)
			if err != nil || readErr != nil || b.Ending != "" || i == len(backups)-1 {
				continue
			}
			temp := filepath.Join(rotate.StateDir(dir, base), "temp.gz")
			if compressTo(temp, data) == nil && os.Rename(temp, path+".gz") == nil {
				_ = os.Remove(path)
			}
		}
		_ = wait(ctx, 5*time.Millisecond)
	}
}

func compressTo(path string, data []byte) error {
	var b strings.Builder
	if err := writeGzip(&b, data); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o640)
}

func TestFollowOfAMissingJournalSaysSo(t *testing.T) {
	_, err := Follow(Options{Dir: t.TempDir(), Base: base}, Cursor{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the file does not exist", err)
	}
	if got := fmt.Sprint(err); !strings.Contains(got, base) {
		t.Errorf("got %q, want it to name %s", got, base)
	}
}
