package rotate

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	flagImmutable  = 0x10 // FS_IMMUTABLE_FL: what chattr +i sets
	flagAppendOnly = 0x20 // FS_APPEND_FL: chattr +a
)

// chattr sets one of these flags of a file, or with 0 clears both. It skips the test where that is not allowed.
func chattr(t *testing.T, path string, flag int) {
	t.Helper()
	if err := setFlag(path, flag); err != nil {
		t.Skipf("attributes of %s cannot be set: %v", path, err)
	}
	t.Cleanup(func() { _ = setFlag(path, 0) }) // So that it can be removed. It may be gone by then.
}

func setFlag(path string, flag int) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	flags, err := unix.IoctlGetInt(int(file.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	flags = flags&^(flagImmutable|flagAppendOnly) | flag
	return unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, flags)
}

// immutable makes a file that nobody can remove or change, not even root.
func immutable(t *testing.T, path string) string {
	t.Helper()
	put(t, path, "without an end")
	chattr(t, path, flagImmutable)
	return path
}

func mutable(t *testing.T, path string) {
	t.Helper()
	chattr(t, path, 0)
}

// mounted mounts a file system for the time of the test, and skips the test where that is not allowed.
func mounted(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Skipf("%s cannot be mounted: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, 0); err != nil {
			t.Errorf("unmount %s: %v", target, err)
		}
	})
}

func TestFailedPruningIsSaidOnceAndTriedAgain(t *testing.T) {
	log, said := logged()
	f := open(t, Options{MaxBackups: 1, Log: log})
	stuck := immutable(t, f.path+".20260101-000000")
	for range 3 {
		write(t, f, "x\n")
		rotate(t, f)
	}
	check(t, "lines about it", said("cannot be tidied up"), 1)
	if err := f.Stats().TidyErr; err == nil || !strings.Contains(err.Error(), stuck) {
		t.Errorf("TidyErr: got %v, want one that names %s", err, stuck)
	}
	mutable(t, stuck)
	f.Tidy()
	check(t, "lines about the end", said("tidy again"), 1)
	check(t, "files", len(shown(t, f.opts.Dir)), 2)
	check(t, "TidyErr", f.Stats().TidyErr, nil)
}

func TestBackupThatCannotBeMendedDoesNotStopTheStart(t *testing.T) {
	dir := t.TempDir()
	immutable(t, filepath.Join(dir, name+".20260101-000000"))
	log, said := logged()
	f := open(t, Options{Dir: dir, Log: log})
	write(t, f, "x\n")
	check(t, "lines about it", said("cannot be mended"), 1)
}

// refusals are ways to make a rotation fail while the open file can still be written.
var refusals = map[string]struct {
	refuse func(t *testing.T, f *File)
	allow  func(t *testing.T, f *File)
}{
	"file may only be appended to": {
		func(t *testing.T, f *File) { chattr(t, f.path, flagAppendOnly) },
		func(t *testing.T, f *File) { chattr(t, f.path, 0) },
	},
	"directory may not be changed": {
		func(t *testing.T, f *File) { chattr(t, f.opts.Dir, flagImmutable) },
		func(t *testing.T, f *File) { chattr(t, f.opts.Dir, 0) },
	},
	"state directory is a file": {
		func(t *testing.T, f *File) {
			if err := os.RemoveAll(f.opts.stateDir()); err != nil {
				t.Fatal(err)
			}
			put(t, f.opts.stateDir(), "in the way\n")
		},
		func(t *testing.T, f *File) {
			if err := os.Remove(f.opts.stateDir()); err != nil {
				t.Fatal(err)
			}
		},
	},
}

func TestRefusedRotationGoesOnInTheOpenFileAndCatchesUp(t *testing.T) {
	for why, c := range refusals {
		t.Run(why, func(t *testing.T) {
			log, said := logged()
			clock := at("2026-03-28 12:00:00")
			f := open(t, Options{MaxBytes: 8, Log: log, Now: clock.now})
			write(t, f, "one\n")
			c.refuse(t, f)
			for range 5 {
				write(t, f, "line\n")
				clock.at = clock.at.Add(200 * time.Millisecond) // So that it is tried more than once.
			}
			check(t, "live", read(t, f.path), "one\n"+strings.Repeat("line\n", 5))
			check(t, "lines about it", said("cannot be rotated"), 1)
			if f.Stats().RotateErr == nil {
				t.Error("RotateErr: got nil, want the refusal")
			}
			c.allow(t, f)
			clock.at = clock.at.Add(maxPause)
			write(t, f, "last\n")
			check(t, "live", read(t, f.path), "last\n")
			check(t, "all", readAll(t, f), "one\n"+strings.Repeat("line\n", 5)+"last\n")
			check(t, "lines about the end", said("can be rotated again"), 1)
			check(t, "RotateErr", f.Stats().RotateErr, nil)
		})
	}
}

func TestBindMountedFileIsWrittenThoughItCannotBeRotated(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	live := filepath.Join(dir, name)
	put(t, outside, "before\n")
	put(t, live, "")
	mounted(t, outside, live, "bind", unix.MS_BIND, "")
	f := open(t, Options{Dir: dir, MaxBytes: 8})
	defer f.Close() // Before the unmounting.
	write(t, f, "one\n")
	write(t, f, "two\n")
	check(t, "file outside", read(t, outside), "before\none\ntwo\n")
	checkNames(t, f, "")
	if err := f.Stats().RotateErr; err == nil {
		t.Error("RotateErr: got nil, want the refusal")
	}
}

// TestRotationWithoutHardLinks uses up the links that ext4 lets a file have.
func TestRotationWithoutHardLinks(t *testing.T) {
	f := open(t, Options{Now: at("2026-03-28 12:00:00").now})
	put(t, f.path+".20260328-120000", "theirs\n")
	write(t, f, "ours\n")
	side := t.TempDir()
	for i := 0; ; i++ {
		err := os.Link(f.path, filepath.Join(side, strconv.Itoa(i)))
		if errors.Is(err, unix.EMLINK) {
			break
		}
		if err != nil || i > 70_000 {
			t.Skipf("this file system takes more than %d links: %v", i, err)
		}
	}
	rotate(t, f)
	write(t, f, "after\n")
	check(t, "taken name", read(t, f.path+".20260328-120000"), "theirs\n")
	check(t, "backup", read(t, f.path+".20260328-120001"), "ours\n")
	check(t, "live", read(t, f.path), "after\n")
}

// TestATornLineWaitsOnAFullDisk: what a kill left unfinished is neither thrown away nor a reason not to start.
func TestATornLineWaitsOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	mounted(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
	live, filler := filepath.Join(dir, name), filepath.Join(dir, "filler")
	put(t, live, "whole\ntor")
	for size := 64 << 10; size > 0; size /= 2 {
		fillWith(t, filler, size)
	}
	f := open(t, Options{Dir: dir, Name: name})
	for range 3 {
		_, err := f.Write([]byte("next\n"))
		checkIs(t, err, unix.ENOSPC)
	}
	check(t, "what stands there", read(t, live), "whole\ntor")
	if aside, _ := filepath.Glob(filepath.Join(StateDir(dir, name), "torn-*")); len(aside) > 0 {
		t.Errorf("attempts have left %q", aside)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	write(t, f, "next\n")
	check(t, "the journal", read(t, live), "whole\nnext\n")
	aside, _ := filepath.Glob(filepath.Join(StateDir(dir, name), "torn-*"))
	if len(aside) != 1 {
		t.Fatalf("kept: got %q, want one file", aside)
	}
	check(t, "what was kept", read(t, aside[0]), "tor")
	check(t, "bytes", f.Stats().Bytes, int64(len("whole\nnext\n")))
}

// fillWith appends as many of size bytes as there is room for.
func fillWith(t *testing.T, path string, size int) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write(make([]byte, size)) // It is to fail in the end.
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
