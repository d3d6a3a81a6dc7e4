package streams

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward/killtest"
	"hbjournal/sink/rotate"
)

// BenchmarkForward ships a journal of 200 MB with the loop, its fsyncs and those of a server that is a process of its own.
func BenchmarkForward(b *testing.B) {
	const lines = 800_000
	dir := b.TempDir()
	w := newWriter(b, dir, rotate.Options{MaxBytes: 64 << 20})
	size := 0
	for len(w.lines) < lines {
		w.lines = nil
		w.write(lines)
	}
	for _, line := range w.lines {
		size += len(line) + 1
	}
	w.lines = nil
	b.Run("nats", func(b *testing.B) { speed(b, "nats://"+newNATS(b).direct()+"?create=true&max_bytes=0", dir, size) })
	b.Run("kafka", func(b *testing.B) { speed(b, newKafka(b).url("speed"), dir, size) })
}

func speed(b *testing.B, url, dir string, size int) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		receiver := "speed-" + strconv.Itoa(i)
		s := killtest.Sender{
			Dir: dir, StateDir: filepath.Join(b.TempDir(), receiver), URL: url, Receiver: receiver, Once: true,
		}
		if err := s.Run(b.Context(), zerolog.Nop()); err != nil {
			b.Fatal(err)
		}
	}
}
