package read

import (
	"context"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

// openWatch is a Source that sees how many files are open after each Read.
type openWatch struct {
	Source
	t    *testing.T
	most int
}

func (w *openWatch) Read(ctx context.Context, b *Block) error {
	err := w.Source.Read(ctx, b)
	open, errDir := os.ReadDir("/proc/self/fd")
	if errDir != nil {
		w.t.Fatal(errDir)
	}
	w.most = max(w.most, len(open))
	return err
}

func TestThousandJournalsTakeFewOpenFilesAndLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 2,000 files")
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	opt, want := manyJournals(t, 1000, 8, true)
	lowered := before
	lowered.Cur = 128
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lowered); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	for _, reverse := range []bool{false, true} {
		if opt.Reverse = reverse; reverse {
			slices.Reverse(want)
		}
		watch := &openWatch{Source: openMergedTest(t, opt), t: t}
		got, faults := mergeTexts(t, watch)
		if !slices.Equal(got, want) || len(faults) > 0 {
			t.Errorf("reverse %v: got %d entries with faults %v, want %d", reverse, len(got), faults, len(want))
		}
		if watch.most > 100 {
			t.Errorf("reverse %v: %d files were open at once", reverse, watch.most)
		}
		var mem runtime.MemStats
		if runtime.ReadMemStats(&mem); mem.HeapInuse > 256<<20 {
			t.Errorf("reverse %v: %d MiB in use", reverse, mem.HeapInuse>>20)
		}
		if err := watch.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
