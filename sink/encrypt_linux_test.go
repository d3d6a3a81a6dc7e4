package sink

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hbjournal/sink/rotate"
)

// smallDisk mounts a memory file system for the time of the test, and skips the test where that is not allowed.
func smallDisk(t *testing.T) string {
	t.Helper()
	disk := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return disk
}

// TestFullDiskWhileEncryptingShowsAndStopsNothing: there is no room for the copy, or it ends in the middle of it. The backup stays
// as it is, nothing else can be read, the journal goes on, and when there is room all is encrypted.
func TestFullDiskWhileEncryptingShowsAndStopsNothing(t *testing.T) {
	ids := encrypting(t)
	disk := smallDisk(t)
	o := victimOptions(filepath.Join(disk, "journal"))
	o.MaxBytes = 0
	j := open(t, o)
	t.Cleanup(func() { closeJournal(t, j) })
	filler := strings.Repeat("abcdefgh ", 20)
	n := 0
	send := func(count int) {
		for range count {
			logMessage(t, j, fmt.Sprintf(`{"n":%d,"filler":"%s%x"}`, n, filler, n*7919))
			n++
		}
	}
	state := rotate.StateDir(o.Dir, "messages.journal")
	for _, left := range []int{0, 4 << 10, 64 << 10, 256 << 10} {
		send(2000)
		eventually(t, "all is written", func() bool { return j.Stats().Queued == 0 })
		full := fillDisk(t, filepath.Join(disk, "full"), left)
		failed := j.Stats().EncryptError
		if err := j.Rotate(); err != nil && left > 0 {
			t.Fatal(err)
		}
		eventually(t, "it was tried", func() bool {
			s := j.Stats()
			return s.EncryptError != failed || s.Unencrypted == 0
		})
		wantNothingReadableBut(t, o.Dir)
		if text, err := os.ReadFile(filepath.Join(state, "compressing")); err == nil && bytes.Contains(text, []byte("filler")) {
			t.Errorf("with %d bytes free, a copy can be read", left)
		}
		if err := os.Remove(full); err != nil {
			t.Fatal(err)
		}
		send(10)
		closeJournal(t, j) // What failed is tried again after a minute, or by the next start.
		j = open(t, o)
		eventually(t, "all is encrypted", func() bool { return j.Stats().Unencrypted == 0 && j.Stats().Queued == 0 })
	}
	wantNothingReadableBut(t, o.Dir)
	numbers := numbersBy(t, o.Dir, ids)
	checkRow(t, numbers)
	check(t, "entries", len(numbers), n)
}

// filling is an Encrypter while whose work the disk gets full.
type filling struct {
	rotate.Encrypter
	fill func()
}

func (f filling) Encrypt(dst io.Writer) (io.WriteCloser, func(io.Reader) (io.Reader, error), error) {
	return f.Encrypter.Encrypt(writerFunc(func(b []byte) (int, error) {
		f.fill()
		return dst.Write(b)
	}))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestDiskThatGetsFullWhileEncryptingLeavesNoPart: the copy ends in the middle, and goes.
func TestDiskThatGetsFullWhileEncryptingLeavesNoPart(t *testing.T) {
	ids := encrypting(t)
	disk := smallDisk(t)
	o := victimOptions(filepath.Join(disk, "journal"))
	o.MaxBytes, o.Compress = 0, ""
	var once sync.Once
	full := filepath.Join(disk, "full")
	o.Encrypter = filling{o.Encrypter, func() { once.Do(func() { fillDisk(t, full, 8<<10) }) }}
	j := open(t, o)
	for n := range 3000 {
		logMessage(t, j, fmt.Sprintf(`{"n":%d,"filler":"%s"}`, n, strings.Repeat("abcdefgh ", 20)))
	}
	eventually(t, "all is written", func() bool { return j.Stats().Queued == 0 })
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it failed", func() bool { return strings.Contains(j.Stats().EncryptError, "no space left") })
	wantNothingReadableBut(t, o.Dir)
	check(t, "parts of copies", sizeOf(filepath.Join(rotate.StateDir(o.Dir, "messages.journal"), "compressing")), -1)
	logMessage(t, j, `{"n":3000}`)
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the journal goes on", func() bool { return j.Stats().Queued == 0 && j.Degraded() == nil })
	closeJournal(t, j)
	j = open(t, o)
	eventually(t, "all is encrypted", func() bool { return j.Stats().Unencrypted == 0 })
	closeJournal(t, j)
	checkRow(t, numbersBy(t, o.Dir, ids))
}

// fillDisk takes all room but so many bytes.
func fillDisk(t *testing.T, path string, left int) string {
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
	info, err := file.Stat()
	if err == nil {
		err = file.Truncate(info.Size() - int64(left))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}
