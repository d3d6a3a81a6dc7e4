package streams

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward/killtest"
)

// mount mounts a small memory file system, or skips the test.
func mount(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestAFullDiskOfTheReceiverLosesAndDoublesNothing has the server find no room for what is sent. Later there is some again, and the
// server is started anew, as its operator would: JetStream does nothing more by itself once its disk was full.
func TestAFullDiskOfTheReceiverLosesAndDoublesNothing(t *testing.T) {
	servers := map[string]func(dir string) engine{
		"NATS":  func(dir string) engine { return newNATSOf(t, natsArgs{Dir: dir, MaxStore: 8 << 30}) },
		"Kafka": func(dir string) engine { return newKafkaIn(t, dir) },
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			dir := mount(t)
			e := server(filepath.Join(dir, "store"))
			row, j := killRow(e), killtest.NewJournal(t)
			j.Write(100)
			row.Finish(t, j)
			full := filepath.Join(dir, "full")
			if err := os.WriteFile(full, make([]byte, 32<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("fill: got %v", err)
			}
			j.Write(2000)
			loop, err := row.Sender(j).Open(zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- loop.Run(ctx) }()
			eventually(t, "the output is in trouble", func() bool { return loop.Figures().Class != "" })
			if err := os.Remove(full); err != nil {
				t.Fatal(err)
			}
			e.kill()
			e.restart()
			eventually(t, "all is sent", func() bool { return loop.Figures().Number == 2100 })
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			want(t, e, j)
			e.kill() // Before its file system goes.
		})
	}
}
