package streams

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/rotate"
)

// writeJournal writes a journal of n lines, about 250 bytes each, which do not compress to nothing; it is rotated every
// maxBytes. It returns its lines.
func writeJournal(t testing.TB, dir string, n int, opt rotate.Options) []string {
	t.Helper()
	w := newWriter(t, dir, opt)
	w.write(n)
	return w.lines
}

// A writer writes a journal as the daemon does.
type writer struct {
	t       testing.TB
	file    *rotate.File
	encoder *journal.Encoder
	random  *rand.Rand
	at      time.Time
	lines   []string
}

func newWriter(t testing.TB, dir string, opt rotate.Options) *writer {
	t.Helper()
	opt.Dir, opt.Name, opt.NoSync = dir, base, true
	file, err := rotate.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return &writer{
		t: t, file: file, encoder: journal.NewEncoder(nil), random: rand.New(rand.NewPCG(1, 2)),
		at: time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC),
	}
}

// write appends n lines.
func (w *writer) write(n int) {
	w.t.Helper()
	from := netip.MustParseAddrPort("192.168.1.100:50003")
	for range n {
		text := make([]byte, 60)
		for i := range text {
			text[i] = byte(w.random.UintN(256))
		}
		w.writeMessage(from, fmt.Appendf(nil, `{"ID":"HTB","n":%d,"x":"%x"}`, len(w.lines), text))
	}
}

func (w *writer) writeMessage(from netip.AddrPort, message []byte) {
	w.t.Helper()
	w.at = w.at.Add(time.Millisecond)
	line := w.encoder.AppendLine(nil, w.at, from, message)
	if _, err := w.file.Write(line); err != nil {
		w.t.Fatal(err)
	}
	w.lines = append(w.lines, string(line[:len(line)-1]))
}

// backups are the names of the files that are not live.
func backups(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, base+".2*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
