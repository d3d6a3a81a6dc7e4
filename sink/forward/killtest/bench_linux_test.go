package killtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
)

// BenchmarkShip sends a journal of 64 MiB, which is in the page cache, with all the loop's own fsyncs: in $TMPDIR, so that a
// memory disk there gives figures without them.
func BenchmarkShip(b *testing.B) {
	j := NewJournal(b)
	for i := range 4 {
		j.Write(160_000)
		if i < 3 {
			j.Rotate()
		}
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	target := filepath.Join(b.TempDir(), "copy")
	for name, url := range map[string]string{"file": "file://" + target, "http": receiver.URL + "/"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := Row{URL: url}.Sender(j)
				s.Once, s.StateDir = true, filepath.Join(b.TempDir(), "state")
				loop, err := s.Open(zerolog.Nop())
				if err != nil {
					b.Fatal(err)
				}
				if err := loop.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(loop.Figures().Bytes)
				_, _ = os.Remove(target), os.Remove(filepath.Join(filepath.Dir(target), ".copy.position")) // Of the file.
			}
		})
	}
}
