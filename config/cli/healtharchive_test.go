package cli

import (
	"os"
	"path/filepath"
	"testing"

	"hbjournal/config"
)

// A receiver on the same machine must not be taken for the archive that was never started.
func TestAnArchiveThatLeftNoWordIsAskedAtItsOwnAddress(t *testing.T) {
	f := func(set func(*config.Config), want string) {
		t.Helper()
		cfg := config.Default()
		cfg.JournalDir = t.TempDir()
		set(&cfg)
		if got, err := statusAddress(cfg); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	f(func(*config.Config) {}, "127.0.0.1:9503")
	f(func(c *config.Config) { c.ArchiveFrom = "nats://n1" }, "127.0.0.1:9505")
	f(func(c *config.Config) { c.ArchiveFrom, c.HTTPAddr = "nats://n1", "127.0.0.1:9600" }, "127.0.0.1:9600")
	f(func(c *config.Config) {
		c.ArchiveFrom = "nats://n1"
		receives(t, servingNoteOf(c.JournalDir, c.JournalFile), "127.0.0.1:9700")
	}, "127.0.0.1:9700")
}

// receives leaves word as a daemon does that serves its status at addr.
func receives(t *testing.T, note servingNote, addr string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(note.path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := note.write(serving{HTTP: addr}); err != nil {
		t.Fatal(err)
	}
}
