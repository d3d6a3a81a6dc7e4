package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestArchiversDiskIsFullAndFreed fills the disk of one archiver. The other goes on, and the full one loses nothing.
func TestArchiversDiskIsFullAndFreed(t *testing.T) {
	onlyInSoak(t)
	if os.Geteuid() != 0 {
		t.Skip("only the superuser mounts a small disk")
	}
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk)
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	f := newFleet(t, plan{archivers: []string{filepath.Join(disk, "archive")}})
	stop := f.send(t, 1000)
	goOn(t, 2*time.Second)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	full, other := f.archivers[0], f.archivers[1]
	eventually(t, time.Minute, "the archiver says that its disk is full", func() error {
		if err := isReady(full.http); err == nil {
			return errors.New("it says that it is ready")
		}
		return said(full.process, "no space left")
	})
	goOn(t, 3*time.Second)
	if err := isReady(other.http); err != nil {
		t.Errorf("the other archiver is not ready: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	goOn(t, time.Second)
	stop()
	f.wantSame(t)
	f.wantLines(t, 5000)
}

// fill writes a file until the disk is full.
func fill(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
