package rotate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gopkg.in/natefinch/lumberjack.v2"
)

// gathered is how many bytes of lines the journal's writer hands over at once under load.
const gathered = 512 << 10

// BenchmarkLines writes lines of 200 bytes to files that rotate at 100 MB, and reports the time of one. File gets them
// as from the journal's writer: gathered in a buffer that is written when it is full, with another goroutine to tidy up,
// such as lumberjack has too. Lumberjack has no buffer, so it is shown with a line a call, as its users have it, and with
// the same gathering in front of it. A bufio.Writer of the same size on a plain file, which never rotates but begins anew
// at the same size, so that its pages are new ones too, is what a file can take at most.
func BenchmarkLines(b *testing.B) {
	line := append(bytes.Repeat([]byte{'x'}, 199), '\n')
	const limit = 100 << 20
	dir := func() string { return b.TempDir() }

	b.Run("File", func(b *testing.B) {
		rotated := make(chan struct{}, 100)
		f, err := Open(Options{
			Dir: dir(), Name: "lines", MaxBytes: limit, MaxBackups: 2, NoSync: true,
			OnRotate: func() { rotated <- struct{}{} },
		})
		if err != nil {
			b.Fatal(err)
		}
		var tidier sync.WaitGroup
		tidier.Go(func() {
			for range rotated {
				f.Tidy()
			}
		})
		writeGathered(b, line, f.Write)
		close(rotated)
		tidier.Wait()
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("lumberjack", func(b *testing.B) {
		l := &lumberjack.Logger{Filename: filepath.Join(dir(), "lines"), MaxSize: limit >> 20, MaxBackups: 2}
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			if _, err := l.Write(line); err != nil {
				b.Fatal(err)
			}
		}
		_ = l.Close()
	})
	b.Run("lumberjack gathered", func(b *testing.B) {
		l := &lumberjack.Logger{Filename: filepath.Join(dir(), "lines"), MaxSize: limit >> 20, MaxBackups: 2}
		writeGathered(b, line, l.Write)
		_ = l.Close()
	})
	b.Run("bufio", func(b *testing.B) {
		file, err := os.Create(filepath.Join(dir(), "lines"))
		if err != nil {
			b.Fatal(err)
		}
		w := bufio.NewWriterSize(file, gathered)
		b.SetBytes(int64(len(line)))
		for i := 1; b.Loop(); i++ {
			if _, err := w.Write(line); err != nil {
				b.Fatal(err)
			}
			if i%(limit/len(line)) == 0 { // A plain file would fill the disk, given time.
				if err := beginAnew(file); err != nil {
					b.Fatal(err)
				}
			}
		}
		_ = file.Close()
	})
}

func beginAnew(file *os.File) error {
	_, err := file.Seek(0, io.SeekStart)
	return errors.Join(err, file.Truncate(0))
}

func writeGathered(b *testing.B, line []byte, write func([]byte) (int, error)) {
	b.Helper()
	lines := make([]byte, 0, gathered)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if len(lines)+len(line) > cap(lines) {
			if _, err := write(lines); err != nil {
				b.Fatal(err)
			}
			lines = lines[:0]
		}
		lines = append(lines, line...)
	}
}
