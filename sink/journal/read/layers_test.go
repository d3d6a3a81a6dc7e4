package read

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"
)

// skippable is a frame that a zstd decoder passes over.
func skippable(kind byte, content string) []byte {
	frame := []byte{0x50 + kind, 0x2a, 0x4d, 0x18}
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(content)))
	return append(frame, content...)
}

func TestCompressedFilesAreReadWhateverStandsAboutTheirContent(t *testing.T) {
	first, second := entryLines(0, 5), entryLines(5, 10)
	pad := make([]byte, 70_000)
	f := func(name, ending string, parts ...[]byte) {
		t.Helper()
		for _, reverse := range []bool{false, true} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, backup(10)+ending), slices.Concat(parts...))
			write(t, filepath.Join(dir, base), entryLines(10, 12))
			numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: reverse}, nil)
			checkOnce(t, numbers, reverse, 12)
			if len(faults) > 0 {
				t.Errorf("%s: got faults %v, want none", name, faults)
			}
		}
	}
	f("a skippable frame first", ".zst", skippable(0, "hello"), zstded(t, entryLines(0, 10)))
	f("several, empty and long", ".zst", skippable(15, ""), skippable(7, string(pad)), zstded(t, entryLines(0, 10)))
	f("between and behind frames", ".zst", zstded(t, first), skippable(3, "x"), zstded(t, second), skippable(15, "y"))
	f("gzip behind which zeros stand", ".gz", gzipped(t, entryLines(0, 10)), pad)
	f("one zero", ".gz", gzipped(t, entryLines(0, 10)), pad[:1])
	f("members", ".gz", gzipped(t, first), gzipped(t, second), pad[:513])
	f("gzip in zstd", ".gz.zst", skippable(1, "x"), zstded(t, slices.Concat(gzipped(t, entryLines(0, 10)), pad)))
}

func TestWhatFollowsTheZerosBehindGzipIsAFault(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, base)
	write(t, path, slices.Concat(gzipped(t, entryLines(0, 3)), make([]byte, 512), []byte("x")))
	numbers, faults := readAll(t, Options{Dir: dir, Base: base}, nil)
	if len(faults) != 1 || !bytes.Contains([]byte(faults[0].Error()), []byte("gzip")) {
		t.Errorf("got faults %v, want one of gzip", faults)
	}
	checkSequence(t, numbers, 0, 3)
}
