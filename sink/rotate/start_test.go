//go:build unix

package rotate

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpenRefusesWhatIsNoRegularFile(t *testing.T) {
	for kind, make := range map[string]func(path string) error{
		"a symbolic link": func(path string) error {
			return os.Symlink(filepath.Join(filepath.Dir(path), "elsewhere"), path)
		},
		"a directory": func(path string) error { return os.Mkdir(path, 0o750) },
		"a FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o640) },
	} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "elsewhere"), "theirs\n")
			if err := make(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(Options{Dir: dir, Name: name})
			checkIs(t, err, ErrNotRegular)
			if err != nil && !strings.Contains(err.Error(), kind) {
				t.Errorf("error: got %q, want it to say %q", err, kind)
			}
			check(t, "what the link points to", read(t, filepath.Join(dir, "elsewhere")), "theirs\n")
		})
	}
}

func TestOpenRefusesBadOptions(t *testing.T) {
	for _, o := range []Options{
		{Name: ""},
		{Name: "a/b"},
		{Name: ".hidden"},
		{Name: name, MaxBytes: -1},
		{Name: name, MaxBackups: -1},
	} {
		o.Dir = t.TempDir()
		if f, err := Open(o); err == nil {
			f.Close()
			t.Errorf("Open(%+v): got no error", o)
		}
	}
}

func TestOpenSaysThatTheDirectoryIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	put(t, dir, "a file\n")
	if _, err := Open(Options{Dir: dir, Name: name}); err == nil || !strings.Contains(err.Error(), "it is a file") {
		t.Errorf("Open: got %v, want an error that says it is a file", err)
	}
}

func TestModesAreAsAskedWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o027, 0o777} {
		t.Run(fmt.Sprintf("umask %03o", umask), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			old := syscall.Umask(umask)
			defer syscall.Umask(old)
			f := open(t, Options{Dir: dir, FileMode: 0o644, DirMode: 0o755})
			write(t, f, "x\n")
			rotate(t, f)
			write(t, f, "x\n")
			checkMode(t, dir, 0o755)
			for _, n := range shown(t, dir) {
				checkMode(t, filepath.Join(dir, name+n), 0o644)
			}
		})
	}
}

func TestModesAreTightByDefaultAndMended(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	f := open(t, Options{Dir: dir})
	checkMode(t, dir, 0o750)
	checkMode(t, f.path, 0o640)
	if err := os.Chmod(f.path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	checkMode(t, f.path, 0o640)
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s: got %v, want %v", filepath.Base(path), got, want)
	}
}

func TestSecondWriterIsRefusedWithThePidOfTheFirst(t *testing.T) {
	f := open(t, Options{})
	_, err := Open(Options{Dir: f.opts.Dir, Name: name})
	checkIs(t, err, ErrLocked)
	if pid := fmt.Sprintf("pid %d", os.Getpid()); err != nil && !strings.Contains(err.Error(), pid) {
		t.Errorf("error: got %q, want it to name %s", err, pid)
	}
	other := open(t, Options{Dir: f.opts.Dir, Name: "other.journal"})
	write(t, other, "fine\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: f.opts.Dir})
}

func TestTornLastLineIsMendedOrMovedAside(t *testing.T) {
	whole := func(line []byte) bool { return strings.HasSuffix(string(line), "}") }
	huge := strings.Repeat("x", maxMend+1)
	for damage, c := range map[string]struct{ before, after, aside string }{
		"nothing":                  {"{1}\n{2}\n", "{1}\n{2}\n", ""},
		"newline missing":          {"{1}\n{2}", "{1}\n{2}\n", ""},
		"line cut":                 {"{1}\n{2", "{1}\n", "{2"},
		"only line cut":            {"{1", "", "{1"},
		"only a newline":           {"\n", "\n", ""},
		"cut after a block's size": {strings.Repeat("y", 64<<10) + "\n{2", strings.Repeat("y", 64<<10) + "\n", "{2"},
		"longer than any line":     {"{1}\n" + huge, "{1}\n", huge},
		"zeros after a power cut":  {"{1}\n" + strings.Repeat("\x00", 5000), "{1}\n", strings.Repeat("\x00", 5000)},
	} {
		t.Run(damage, func(t *testing.T) {
			for _, file := range []string{name, name + ".20260101-000000"} {
				dir := t.TempDir()
				put(t, filepath.Join(dir, file), c.before)
				open(t, Options{Dir: dir, Whole: whole})
				if got := read(t, filepath.Join(dir, file)); got != c.after {
					t.Errorf("%s: got %.80q, want %.80q", file, got, c.after)
				}
				if got := asides(t, dir); got != c.aside {
					t.Errorf("moved aside: got %.80q, want %.80q", got, c.aside)
				}
			}
		})
	}
}

func TestRotationCutShortIsFinishedAtOpen(t *testing.T) {
	dir := t.TempDir()
	live, backup := filepath.Join(dir, name), filepath.Join(dir, name+".20260328-120000")
	put(t, live, "one\n")
	if err := os.Link(live, backup); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(StateDir(dir, name), 0o750); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(StateDir(dir, name), "next"), "") // As the crash left it.
	f := open(t, Options{Dir: dir, Now: at("2026-03-28 11:00:00").now})
	write(t, f, "two\n")
	rotate(t, f)
	checkNames(t, f, "", ".20260328-120000", ".20260328-120001")
	check(t, "all, each line once", readAll(t, f), "one\ntwo\n")
}

func TestHardLinkOfSomeoneElseIsNoRotation(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, name), "one\n")
	if err := os.Link(filepath.Join(dir, name), filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	f := open(t, Options{Dir: dir})
	write(t, f, "two\n")
	check(t, "live", read(t, f.path), "one\ntwo\n")
}

func TestNothingStrayIsSeenByTheGlob(t *testing.T) {
	f := open(t, Options{MaxBytes: 4})
	write(t, f, "one\ntwo\n")
	paths, err := filepath.Glob(f.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "files that messages.journal* matches", len(paths), 2)
	checkNames(t, f, shown(t, f.opts.Dir)...)
	if _, err := os.Stat(filepath.Join(StateDir(f.opts.Dir, name), "next")); !os.IsNotExist(err) {
		t.Errorf("the next live file is left behind: %v", err)
	}
}
