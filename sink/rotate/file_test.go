package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/names"

	"github.com/rs/zerolog"
)

const name = "messages.journal"

// clock is a clock that stands still until it is set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func at(text string) *clock {
	t, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return &clock{t}
}

// open opens a File for the time of the test. The directory is a new one, unless o names one.
func open(t *testing.T, o Options) *File {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Name == "" {
		o.Name = name
	}
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f *File, text string) {
	t.Helper()
	if n, err := f.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("Write(%q): got %d, %v; want all of it", text, n, err)
	}
}

func rotate(t *testing.T, f *File) {
	t.Helper()
	if err := f.Rotate("test"); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// shown lists what `ls` shows of dir, without the common start of the names.
func shown(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			list = append(list, strings.TrimPrefix(e.Name(), name))
		}
	}
	return list
}

// readAll is what `cat backups... live` prints.
func readAll(t *testing.T, f *File) string {
	t.Helper()
	backups, err := names.Backups(f.opts.Dir, f.opts.Name)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, b := range backups {
		all.WriteString(read(t, filepath.Join(f.opts.Dir, b.Name)))
	}
	all.WriteString(read(t, f.path))
	return all.String()
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func checkNames(t *testing.T, f *File, want ...string) {
	t.Helper()
	if got := shown(t, f.opts.Dir); !slices.Equal(got, want) {
		t.Errorf("files: got %q, want %q", got, want)
	}
}

// logged returns a logger and a function that counts the lines it has written with text in them.
func logged() (zerolog.Logger, func(text string) int) {
	var log bytes.Buffer
	return zerolog.New(&log), func(text string) int { return strings.Count(log.String(), text) }
}

func TestLinesAppearAsTheyWereWritten(t *testing.T) {
	f := open(t, Options{})
	write(t, f, "one\ntwo\n")
	write(t, f, "three\n")
	check(t, "file", read(t, f.path), "one\ntwo\nthree\n")
	check(t, "bytes", f.Stats().Bytes, 14)
}

func TestOpenGoesOnAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	f := open(t, Options{Dir: dir})
	write(t, f, "one\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: dir, MaxBytes: 8})
	write(t, again, "two\nthree\n")
	check(t, "all", readAll(t, again), "one\ntwo\nthree\n")
	check(t, "live", read(t, again.path), "three\n")
}

func TestNoFilePassesItsLimitByAByte(t *testing.T) {
	const limit = 100
	f := open(t, Options{MaxBytes: limit})
	var all strings.Builder
	for i := range 200 {
		lines := strings.Repeat("x", i%99) + "\n" + strings.Repeat("y", i*7%97) + "\n"
		write(t, f, lines)
		all.WriteString(lines)
	}
	check(t, "all", readAll(t, f), all.String())
	for _, n := range shown(t, f.opts.Dir) {
		if size := len(read(t, filepath.Join(f.opts.Dir, name+n))); size > limit {
			t.Errorf("%s: got %d bytes, want at most %d", n, size, limit)
		}
	}
}

func TestRotationIsNotEarly(t *testing.T) {
	f := open(t, Options{MaxBytes: 8, Now: at("2026-03-28 12:00:00").now})
	write(t, f, "abc\n")
	write(t, f, "def\n") // Exactly full.
	checkNames(t, f, "")
	write(t, f, "\n")
	checkNames(t, f, "", ".20260328-120000")
	check(t, "backup", read(t, f.path+".20260328-120000"), "abc\ndef\n")
}

func TestLineLongerThanTheLimitGoesWholeIntoAFreshFile(t *testing.T) {
	f := open(t, Options{MaxBytes: 8, Now: at("2026-03-28 12:00:00").now})
	write(t, f, "abc\n0123456789\ndef\n")
	checkNames(t, f, "", ".20260328-120000", ".20260328-120001")
	check(t, "first", read(t, f.path+".20260328-120000"), "abc\n")
	check(t, "second", read(t, f.path+".20260328-120001"), "0123456789\n")
	check(t, "live", read(t, f.path), "def\n")
}

func TestBytesWithoutAnEndAreRefused(t *testing.T) {
	f := open(t, Options{MaxBytes: 8})
	n, err := f.Write([]byte("one\ntw"))
	check(t, "written", n, 0)
	checkIs(t, err, ErrNotWhole)
	check(t, "file", read(t, f.path), "")
}

func TestEmptyFileIsNotRotated(t *testing.T) {
	f := open(t, Options{})
	rotate(t, f)
	checkNames(t, f, "")
	check(t, "rotations", len(f.Stats().Rotations), 0)
}

func TestStatsTellOfRotations(t *testing.T) {
	f := open(t, Options{MaxBytes: 4, MaxBackups: 2})
	for i := range 6 {
		write(t, f, fmt.Sprintf("%03d\n", i))
	}
	rotate(t, f)
	s := f.Stats()
	check(t, "by size", s.Rotations["size"], 5)
	check(t, "by request", s.Rotations["test"], 1)
	check(t, "backups", s.Backups, 2)
	check(t, "removed", s.Removed, 4)
	check(t, "bytes", s.Bytes, 0)
}

func TestClosedFileRefuses(t *testing.T) {
	f := open(t, Options{})
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.Write([]byte("late\n"))
	checkIs(t, err, os.ErrClosed)
	checkIs(t, f.Rotate("test"), os.ErrClosed)
	checkIs(t, f.Reopen(), os.ErrClosed)
	for what, err := range map[string]error{"Check": f.Check(), "Sync": f.Sync()} {
		if err != nil {
			t.Errorf("%s of a closed file: %v", what, err)
		}
	}
}

func checkIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error: got %v, want one that is %q", err, want)
	}
}

// asides is all that was moved aside.
func asides(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(StateDir(dir, name), "torn-*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range paths {
		all.WriteString(read(t, path))
	}
	return all.String()
}
