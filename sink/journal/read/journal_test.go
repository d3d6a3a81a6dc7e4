package read

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
)

// base is the name of the journal in the tests.
const base = "messages.journal"

// start is the time of the first entry in the tests.
var start = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)

// entryLine is the line of entry n: one second after that before it, with its number in the message.
func entryLine(n int) []byte {
	return entryLines(n, n+1)
}

// sampleFrom is the sender of the entries in the tests.
var sampleFrom = netip.MustParseAddrPort("192.168.1.100:50003")

// entryLines are the lines of the entries from first up to, but not including, end.
func entryLines(first, end int) []byte {
	var b []byte
	encoder := journal.NewEncoder(nil)
	for n := first; n < end; n++ {
		message := fmt.Appendf(nil, `{"ID":"HTB","n":%d}`, n)
		b = encoder.AppendLine(b, start.Add(time.Duration(n)*time.Second), sampleFrom, message)
	}
	return b
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeGzip(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeGzip(w io.Writer, data []byte) error {
	z := gzip.NewWriter(w)
	_, err := z.Write(data)
	return errors.Join(err, z.Close())
}

func zstded(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(data, nil)
}

// backup is the name of the backup whose stamp is n seconds after start.
func backup(n int) string { return names.OfBackup(base, start.Add(time.Duration(n)*time.Second)) }

// readAll reads everything and returns the numbers in the messages, and the faults.
func readAll(t testing.TB, opt Options, filter *journal.Filter) (numbers []int, faults []*CorruptError) {
	t.Helper()
	source, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := NewReader(context.Background(), source, filter, func(f *CorruptError) { faults = append(faults, f) })
	for r.Next() {
		numbers = append(numbers, numberOf(t, r.Entry()))
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return numbers, faults
}

func numberOf(t testing.TB, e *journal.Entry) int {
	t.Helper()
	n := gjson.GetBytes(e.Message, "n")
	if !n.Exists() {
		t.Fatalf("%s has no number", e.Message)
	}
	return int(n.Int())
}

// checkSequence fails unless numbers are first, first+1, ... end-1.
func checkSequence(t testing.TB, numbers []int, first, end int) {
	t.Helper()
	for i, n := range numbers {
		if n != first+i {
			t.Fatalf("entry %d: got number %d, want %d", i, n, first+i)
		}
	}
	if len(numbers) != end-first {
		t.Fatalf("got %d entries, want %d", len(numbers), end-first)
	}
}

func TestReaderReadsBackupsInOrderAndTheLiveFileLast(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(30)+".gz"), gzipped(t, entryLines(20, 30)))
	write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
	write(t, filepath.Join(dir, backup(20)+".zst"), zstded(t, entryLines(10, 20)))
	write(t, filepath.Join(dir, backup(40)+".2.gz.1.gz"), gzipped(t, gzipped(t, entryLines(30, 40))))
	write(t, filepath.Join(dir, backup(50)+"-20260329"), entryLines(40, 50))
	write(t, filepath.Join(dir, base), entryLines(50, 60))
	write(t, filepath.Join(dir, backup(45)+".bak"), entryLines(0, 10))
	write(t, filepath.Join(dir, "other.journal"), entryLines(0, 10))

	numbers, faults := readAll(t, Options{Dir: dir, Base: base}, nil)
	checkSequence(t, numbers, 0, 60)
	if len(faults) > 0 {
		t.Errorf("got faults %v, want none", faults)
	}
}

func TestReaderReadsAnEntryOnceWhateverNamesItsFileHas(t *testing.T) {
	f := func(name string, prepare func(dir string)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
			write(t, filepath.Join(dir, base), entryLines(10, 20))
			prepare(dir)
			numbers, _ := readAll(t, Options{Dir: dir, Base: base}, nil)
			checkSequence(t, numbers, 0, 20)
		})
	}
	f("live file linked to its backup", func(dir string) {
		if err := os.Link(filepath.Join(dir, base), filepath.Join(dir, backup(20))); err != nil {
			t.Fatal(err)
		}
	})
	f("one file linked to two backups", func(dir string) {
		if err := os.Link(filepath.Join(dir, backup(10)), filepath.Join(dir, backup(11))); err != nil {
			t.Fatal(err)
		}
	})
	f("compressed copy beside the plain file", func(dir string) {
		write(t, filepath.Join(dir, backup(10)+".gz"), gzipped(t, entryLines(0, 10)))
	})
	f("half a compressed copy beside the plain file", func(dir string) {
		write(t, filepath.Join(dir, backup(10)+".gz"), gzipped(t, entryLines(0, 10))[:40])
	})
	f("logrotate's copy beside the file", func(dir string) {
		write(t, filepath.Join(dir, backup(10)+".1"), entryLines(0, 10))
	})
}

func TestReaderReportsFaultsAndReadsOn(t *testing.T) {
	second := int64(len(entryLine(0)))
	tests := map[string]struct {
		damage func(f *os.File)
		intact int
		faults []int64 // offsets
	}{
		"nothing":              {func(*os.File) {}, 10, nil},
		"torn last line":       {func(f *os.File) { truncate(f, second*10-20) }, 9, []int64{second * 9}},
		"no last newline":      {func(f *os.File) { truncate(f, second*10-1) }, 10, nil},
		"overwritten by zeros": {func(f *os.File) { writeAt(f, make([]byte, second), second) }, 8, []int64{second}},
		"line feed in a line":  {func(f *os.File) { writeAt(f, newline, second+50) }, 9, []int64{second, second + 51}},
		"foreign line":         {func(f *os.File) { writeAt(f, []byte("hello\n"), second*10) }, 10, []int64{second * 10}},
		"empty line":           {func(f *os.File) { writeAt(f, newline, second*10) }, 10, nil},
		"blank lines":          {func(f *os.File) { writeAt(f, []byte("\r\n  \n"), second*10) }, 10, nil},
		"two lines in one":     {func(f *os.File) { writeAt(f, []byte(" "), second-1) }, 8, []int64{0}},
		"flipped brace":        {func(f *os.File) { writeAt(f, []byte("]"), second-3) }, 9, []int64{0}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, base)
			write(t, path, entryLines(0, 10))
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			test.damage(f)
			f.Close()
			numbers, faults := readAll(t, Options{Dir: dir, Base: base}, nil)
			if len(numbers) != test.intact {
				t.Errorf("got %d intact entries, want %d", len(numbers), test.intact)
			}
			var offsets []int64
			for _, fault := range faults {
				offsets = append(offsets, fault.Offset)
			}
			if fmt.Sprint(offsets) != fmt.Sprint(test.faults) {
				t.Errorf("got faults at %v, want %v", offsets, test.faults)
			}
		})
	}
}

func truncate(f *os.File, size int64) {
	if err := f.Truncate(size); err != nil {
		panic(err)
	}
}

func writeAt(f *os.File, b []byte, offset int64) {
	if _, err := f.WriteAt(b, offset); err != nil {
		panic(err)
	}
}

func TestOrderedKeepsTheOrderOfTheBlocks(t *testing.T) {
	dir := t.TempDir()
	const entries = 50_000
	write(t, filepath.Join(dir, backup(1)), entryLines(0, entries/2))
	write(t, filepath.Join(dir, base), entryLines(entries/2, entries))
	source, err := Open(Options{Dir: dir, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var got bytes.Buffer
	err = Ordered(t.Context(), source, func(b *Block) []byte { return b.Data }, func(data []byte) error {
		_, err := got.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), entryLines(0, entries)) {
		t.Errorf("got %d bytes in another order", got.Len())
	}
}

func TestOrderedStopsAtAnErrorOfEmit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, base), entryLines(0, 50_000))
	source, err := Open(Options{Dir: dir, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	calls := 0
	err = Ordered(t.Context(), source, func(*Block) int { return 0 }, func(int) error {
		calls++
		return io.ErrClosedPipe
	})
	if err != io.ErrClosedPipe || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after 1", err, calls, io.ErrClosedPipe)
	}
}
