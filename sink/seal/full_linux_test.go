package seal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hbjournal/sink/names"
)

// smallDisk mounts a memory file system for the time of the test, and skips the test where that is not allowed.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// fill takes all the room that there is.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 64 << 10; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// TestRemovalForRoomOnAFullDiskIsNoted: what must make room cannot wait for room, and is told from theft all the same.
func TestRemovalForRoomOnAFullDiskIsNoted(t *testing.T) {
	w := newWorld(t)
	disk := smallDisk(t, "size=4m")
	w.dir = filepath.Join(disk, "journal")
	w.opts.Dir, w.opts.MinFreeBytes = w.dir, 600<<10
	w.open()
	backups := func() int {
		all, err := names.Backups(w.dir, base)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for range 4 {
		w.send(2000)
		w.sealed()
		w.rotate()
	}
	w.send(5)
	w.sealed()
	before := backups()
	fill(t, filepath.Join(disk, "filler"))
	w.journal.Rotate()
	w.until("removed", func() bool { return backups() < before })
	w.until("settled", func() bool { return len(verifyOnce(t, w.dir, w.vkey).Faults) == 0 })
	wantWords(t, texts(verifyOnce(t, w.dir, w.vkey)), []string{"pruned (journal_min_free)"})
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	w.send(50)
	w.sealed()
	w.close()
	w.wantSound("pruned (journal_min_free)")
	// The note in the journal says it too, without the state beside it.
	os.Remove(filepath.Join(w.sealDir(), "reserve"))
	w.wantSound("pruned (journal_min_free)")
}

// TestFullDiskHoldsUpSealAndJournalTogether: when there is room again, all is sealed.
func TestFullDiskHoldsUpSealAndJournalTogether(t *testing.T) {
	w := newWorld(t)
	disk := smallDisk(t, "size=4m")
	w.dir = filepath.Join(disk, "journal")
	w.opts.Dir = w.dir
	w.open()
	w.send(500)
	w.sealed()
	fill(t, filepath.Join(disk, "filler"))
	w.send(2000)
	w.until("full", func() bool { return w.journal.Degraded() != nil })
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	w.sealed()
	w.close()
	w.wantWhole()
	w.wantSound()
}
