package rotate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outsides are what others do to a journal that holds "one\n" and is then written "two\n".
var outsides = map[string]struct {
	do   func(t *testing.T, f *File)
	live string // afterwards
	all  string // in the directory, with the file that was moved away
}{
	"renamed": {
		func(t *testing.T, f *File) { move(t, f.path, f.path+".1") },
		"two\n", "two\none\n",
	},
	"removed": {
		func(t *testing.T, f *File) {
			if err := os.Remove(f.path); err != nil {
				t.Fatal(err)
			}
		},
		"two\n", "two\n",
	},
	"emptied": {
		func(t *testing.T, f *File) {
			if err := os.Truncate(f.path, 0); err != nil {
				t.Fatal(err)
			}
		},
		"two\n", "two\n",
	},
	"cut within a line": {
		func(t *testing.T, f *File) {
			if err := os.Truncate(f.path, 2); err != nil {
				t.Fatal(err)
			}
		},
		"two\n", "two\n",
	},
	"appended to": {
		func(t *testing.T, f *File) { appendTo(t, f.path, "theirs\n") },
		"one\ntheirs\ntwo\n", "one\ntheirs\ntwo\n",
	},
	"appended to without an end": {
		func(t *testing.T, f *File) { appendTo(t, f.path, "thei") },
		"one\ntwo\n", "one\ntwo\n",
	},
	"replaced": {
		func(t *testing.T, f *File) {
			put(t, f.path+".new", "theirs\n")
			move(t, f.path+".new", f.path)
		},
		"theirs\ntwo\n", "theirs\ntwo\n",
	},
	"replaced by a line without an end": {
		func(t *testing.T, f *File) {
			put(t, f.path+".new", "theirs\nthei")
			move(t, f.path+".new", f.path)
		},
		"theirs\ntwo\n", "theirs\ntwo\n",
	},
	"directory renamed": {
		func(t *testing.T, f *File) { move(t, f.opts.Dir, f.opts.Dir+".old") },
		"two\n", "two\n",
	},
	"directory removed": {
		func(t *testing.T, f *File) {
			if err := os.RemoveAll(f.opts.Dir); err != nil {
				t.Fatal(err)
			}
		},
		"two\n", "two\n",
	},
}

func TestChangeFromOutsideIsNoticedByTheNextWrite(t *testing.T) {
	for what, c := range outsides {
		t.Run(what, func(t *testing.T) {
			log, said := logged()
			f := open(t, Options{Dir: filepath.Join(t.TempDir(), "journal"), Log: log})
			write(t, f, "one\n")
			c.do(t, f)
			write(t, f, "two\n")
			check(t, "live", read(t, f.path), c.live)
			checkAfterChange(t, f, said, c.all)
		})
	}
}

func TestChangeFromOutsideIsNoticedByCheck(t *testing.T) {
	for what, c := range outsides {
		t.Run(what, func(t *testing.T) {
			log, said := logged()
			f := open(t, Options{Dir: filepath.Join(t.TempDir(), "journal"), Log: log})
			write(t, f, "one\n")
			c.do(t, f)
			for range 3 {
				if err := f.Check(); err != nil {
					t.Fatal(err)
				}
			}
			check(t, "live", read(t, f.path), strings.TrimSuffix(c.live, "two\n"))
			checkAfterChange(t, f, said, strings.Replace(c.all, "two\n", "", 1))
		})
	}
}

func checkAfterChange(t *testing.T, f *File, said func(string) int, all string) {
	t.Helper()
	var got strings.Builder
	for _, n := range shown(t, f.opts.Dir) {
		got.WriteString(read(t, f.path+n))
	}
	check(t, "all files", got.String(), all)
	check(t, "external changes", f.Stats().ExternalChanges, 1)
	check(t, "lines about it", said("by someone else"), 1)
	check(t, "bytes", int(f.Stats().Bytes), len(read(t, f.path)))
	_, err := Open(Options{Dir: f.opts.Dir, Name: f.opts.Name})
	checkIs(t, err, ErrLocked) // The new directory is guarded like the old one.
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingPlantedAtThePathIsFollowed(t *testing.T) {
	f := open(t, Options{})
	write(t, f, "one\n")
	target := filepath.Join(t.TempDir(), "target")
	put(t, target, "theirs\n")
	move(t, f.path, f.path+".1")
	if err := os.Symlink(target, f.path); err != nil {
		t.Fatal(err)
	}
	_, err := f.Write([]byte("two\n"))
	checkIs(t, err, ErrNotRegular)
	check(t, "target", read(t, target), "theirs\n")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	check(t, "live", read(t, f.path), "two\n")
}

func TestReopenAfterARenameGoesOnInANewFile(t *testing.T) {
	f := open(t, Options{})
	write(t, f, "one\n")
	move(t, f.path, f.path+".1")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	check(t, "moved", read(t, f.path+".1"), "one\n")
	check(t, "live", read(t, f.path), "two\n")
	check(t, "external changes", f.Stats().ExternalChanges, 0)
}

func TestLostStateDirectoryIsMadeAgainByTheNextRotation(t *testing.T) {
	f := open(t, Options{})
	write(t, f, "one\n")
	if err := os.RemoveAll(f.opts.stateDir()); err != nil {
		t.Fatal(err)
	}
	rotate(t, f)
	write(t, f, "two\n")
	check(t, "all", readAll(t, f), "one\ntwo\n")
	_, err := Open(Options{Dir: f.opts.Dir, Name: name})
	checkIs(t, err, ErrLocked)
}
