package rotate

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestOpenAndCloseLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	checkLeaks(t, func() {
		for range 1000 {
			f, err := Open(Options{Dir: dir, Name: name, MaxBytes: 64, MaxBackups: 2})
			if err != nil {
				t.Fatal(err)
			}
			write(t, f, "a line of the journal\n")
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestAnHourOfRotationsLeavesNothingBehind rotates as often as one a second does in an hour.
func TestAnHourOfRotationsLeavesNothingBehind(t *testing.T) {
	f := open(t, Options{MaxBytes: 64, MaxBackups: 3, NoSync: true})
	checkLeaks(t, func() {
		for range 3600 {
			write(t, f, strings.Repeat("x", 63)+"\n")
		}
	})
	check(t, "rotations", f.Stats().Rotations["size"], 2*3600-1) // checkLeaks does it once to warm up.
	check(t, "files", len(shown(t, f.opts.Dir)), 4)
}

// checkLeaks reports what a second run of work leaves behind in goroutines, descriptors and memory.
func checkLeaks(t *testing.T, work func()) {
	t.Helper()
	work()
	goroutines, descriptors, memory := usage(t)
	work()
	g, d, m := usage(t)
	check(t, "goroutines", g, goroutines)
	check(t, "descriptors", d, descriptors)
	if m > memory+512<<10 {
		t.Errorf("memory: got %d bytes in use, want the %d from before", m, memory)
	}
}

func usage(t *testing.T) (goroutines, descriptors int, memory uint64) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("descriptors cannot be counted:", err)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), len(entries), m.HeapAlloc
}

// TestHammer lets everything happen at once. Every line must be there once, in the order of its writer.
func TestHammer(t *testing.T) {
	const writers, lines = 4, 300
	f := open(t, Options{MaxBytes: 512, NoSync: true})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range lines {
				if _, err := f.Write(fmt.Appendf(nil, "%d %d\n", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	for _, work := range []func() error{f.Check, f.Sync, f.Reopen, func() error { return f.Rotate("test") }, func() error { f.Stats(); return nil }} {
		others.Go(func() { repeat(t, stop, work) })
	}
	writing.Wait()
	close(stop)
	others.Wait()
	checkWriters(t, readAll(t, f), writers, lines)
}

func repeat(t *testing.T, stop chan struct{}, work func() error) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if err := work(); err != nil {
			t.Error(err)
		}
		runtime.Gosched()
	}
}

func checkWriters(t *testing.T, all string, writers, lines int) {
	t.Helper()
	next := make([]int, writers)
	for line := range strings.Lines(all) {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d %d\n", &w, &i); err != nil || w >= writers || i != next[w] {
			t.Fatalf("line %q: got number %d, want %d (%v)", line, i, next[w], err)
		}
		next[w]++
	}
	for w, n := range next {
		check(t, fmt.Sprintf("lines of writer %d", w), n, lines)
	}
}
