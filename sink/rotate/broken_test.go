package rotate

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// brokenFile is a live file on a disk that fails in ways that cannot be had on demand.
type brokenFile struct {
	liveFile
	room     int   // bytes that can still be written; the rest of a write fails
	writeErr error // what a write past room returns; nil: a short count and nothing else
	cutErr   error // of Truncate
	syncErr  error // of Sync
	cuts     int
}

func (b *brokenFile) Write(p []byte) (int, error) {
	fits := min(len(p), b.room)
	n, err := b.liveFile.Write(p[:fits])
	b.room -= n
	if err == nil && fits < len(p) {
		err = b.writeErr
	}
	return n, err
}

func (b *brokenFile) Truncate(size int64) error {
	b.cuts++
	if b.cutErr != nil {
		return b.cutErr
	}
	return b.liveFile.Truncate(size)
}

func (b *brokenFile) Sync() error {
	if b.syncErr != nil {
		return b.syncErr
	}
	return b.liveFile.Sync()
}

var errIO = errors.New("input/output error")

func openBroken(t *testing.T, o Options) (*File, *brokenFile) {
	t.Helper()
	f := open(t, o)
	b := &brokenFile{liveFile: f.live}
	f.live = b
	return f, b
}

func TestBrokenWriteLeavesOnlyWholeLines(t *testing.T) {
	const lines = "one\ntwo\nthree\n"
	for room := range len(lines) {
		for how, writeErr := range map[string]error{"error": errIO, "short count": nil} {
			f, b := openBroken(t, Options{})
			b.room, b.writeErr = room, writeErr
			n, err := f.Write([]byte(lines))
			want := strings.LastIndexByte(lines[:room], '\n') + 1
			if n != want || err == nil {
				t.Errorf("room %d, %s: got %d, %v; want %d and an error", room, how, n, err, want)
			}
			if how == "short count" {
				checkIs(t, err, io.ErrShortWrite)
			}
			check(t, "file after the failure", read(t, f.path), lines[:want])
			b.room = len(lines)
			write(t, f, lines[n:])
			check(t, "file in the end", read(t, f.path), lines)
			check(t, "write errors", f.Stats().WriteErrors, 1)
			check(t, "external changes", f.Stats().ExternalChanges, 0)
		}
	}
}

func TestBrokenLineIsCutBeforeAnythingElseIsWritten(t *testing.T) {
	f, b := openBroken(t, Options{})
	b.room, b.writeErr, b.cutErr = 6, errIO, errIO
	n, err := f.Write([]byte("one\ntwo\n"))
	check(t, "written", n, 4)
	checkIs(t, err, errIO)
	b.room = 100
	if n, err := f.Write([]byte("two\n")); n != 0 || !errors.Is(err, errIO) {
		t.Errorf("write after a cut that failed: got %d, %v; want 0 and the error", n, err)
	}
	b.cutErr = nil
	write(t, f, "two\n")
	check(t, "file", read(t, f.path), "one\ntwo\n")
}

func TestNothingOfOthersIsCutOff(t *testing.T) {
	f, b := openBroken(t, Options{Whole: func(line []byte) bool { return string(line) == "theirs" }})
	b.room, b.writeErr, b.cutErr = 6, errIO, errIO
	_, err := f.Write([]byte("one\ntwo\n"))
	checkIs(t, err, errIO)
	appendTo(t, f.path, "\ntheirs")
	b.room, b.cutErr = 100, nil
	write(t, f, "two\n")
	check(t, "file", read(t, f.path), "one\ntw\ntheirs\ntwo\n")
	check(t, "cuts", b.cuts, 1)
}

func TestFailedWriteNeitherRotatesNorPrunes(t *testing.T) {
	f, b := openBroken(t, Options{MaxBytes: 100, MaxBackups: 1})
	put(t, f.path+".20260101-000000", "kept\n")
	b.room, b.writeErr = 4, errIO
	write(t, f, "one\n")
	for range 50 {
		if _, err := f.Write([]byte("two\n")); err == nil {
			t.Fatal("Write: got no error")
		}
	}
	checkNames(t, f, "", ".20260101-000000")
	check(t, "all", readAll(t, f), "kept\none\n")
	check(t, "rotations", len(f.Stats().Rotations), 0)
}

func TestFailedSyncIsTriedAgain(t *testing.T) {
	f, b := openBroken(t, Options{})
	b.room = 100
	write(t, f, "one\n")
	b.syncErr = errIO
	for range 2 {
		checkIs(t, f.Sync(), errIO)
	}
	b.syncErr = nil
	if err := f.Sync(); err != nil {
		t.Errorf("Sync: %v", err)
	}
}

func TestFailedSyncOfABackupIsReportedAndClosesIt(t *testing.T) {
	log, said := logged()
	f, b := openBroken(t, Options{Log: log})
	b.room, b.syncErr = 100, errIO
	write(t, f, "one\n")
	rotate(t, f)
	check(t, "lines about it", said("input/output error"), 1)
	checkIs(t, f.Stats().TidyErr, errIO)
	checkIs(t, b.liveFile.Close(), os.ErrClosed)
}

func TestBrokenFileThatWasMovedAwayIsLeft(t *testing.T) {
	f, b := openBroken(t, Options{})
	b.room, b.writeErr, b.cutErr = 6, errIO, errIO
	_, err := f.Write([]byte("one\ntwo\n"))
	checkIs(t, err, errIO)
	move(t, f.path, f.path+".1")
	write(t, f, "two\n")
	check(t, "live", read(t, f.path), "two\n")
	checkIs(t, f.Stats().TidyErr, errIO) // It was said that the old one could not be mended.
}

// hungFile is a live file whose writes do not come back before release is closed.
type hungFile struct {
	liveFile
	entered, release chan struct{}
}

func (h *hungFile) Write(p []byte) (int, error) {
	close(h.entered)
	<-h.release
	return h.liveFile.Write(p)
}

func TestStatsDoNotWaitForAWriteThatHangs(t *testing.T) {
	f := open(t, Options{})
	write(t, f, "one\n")
	h := &hungFile{f.live, make(chan struct{}), make(chan struct{})}
	f.live = h
	written := make(chan error)
	go func() {
		_, err := f.Write([]byte("two\n"))
		written <- err
	}()
	<-h.entered
	seen := make(chan Stats, 1)
	go func() { seen <- f.Stats() }()
	select {
	case s := <-seen:
		check(t, "bytes", s.Bytes, 4)
	case <-time.After(10 * time.Second):
		t.Error("Stats waits for the write")
	}
	close(h.release)
	if err := <-written; err != nil {
		t.Error(err)
	}
	check(t, "bytes", f.Stats().Bytes, 8)
}
