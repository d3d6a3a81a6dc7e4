package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hbjournal/sink"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// cpu is the processor time that this process has taken.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkJournal writes lines of 280 bytes; cpu-ns/line is what each costs, on all cores together. The difference of the two is
// the cost of the seal.
func BenchmarkJournal(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 100), []byte(foreignLine)...)
	line = append(bytes.Repeat([]byte("y"), 280-len(line)), line...)
	batch := bytes.Repeat(line, 500)
	write := func(b *testing.B, sealed bool) {
		dir := filepath.Join(b.TempDir(), "journal")
		opts := sink.Options{Dir: dir, MaxBytes: 100 << 20, MaxBackups: 2}
		if sealed {
			secret, _, _ := seal.GenerateKey(origin)
			path := filepath.Join(b.TempDir(), "key")
			if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
				b.Fatal(err)
			}
			key, err := seal.ReadKey(path)
			if err != nil {
				b.Fatal(err)
			}
			s, err := seal.New(seal.Options{Dir: dir, Base: base, State: rotate.StateDir(dir, base), Key: key})
			if err != nil {
				b.Fatal(err)
			}
			opts.Sealer = s
		}
		j, err := sink.Open(opts)
		if err != nil {
			b.Fatal(err)
		}
		before := cpu(b)
		lines := 0
		for b.Loop() {
			for errors.Is(j.Append(batch, 500), sink.ErrFull) {
				<-time.After(time.Millisecond)
			}
			lines += 500
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(cpu(b)-before)/float64(lines), "cpu-ns/line")
	}
	b.Run("plain", func(b *testing.B) { write(b, false) })
	b.Run("sealed", func(b *testing.B) { write(b, true) })
}
