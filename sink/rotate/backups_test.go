package rotate

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHundredsOfRotationsASecondKeepEveryBackup(t *testing.T) {
	f := open(t, Options{Now: at("2026-03-28 23:59:00").now})
	var all strings.Builder
	for i := range 300 {
		line := fmt.Sprintln("line", i)
		write(t, f, line)
		rotate(t, f)
		all.WriteString(line)
	}
	check(t, "all", readAll(t, f), all.String())
	check(t, "files", len(shown(t, f.opts.Dir)), 301)
	if _, err := os.Stat(f.path + ".20260329-000359"); err != nil {
		t.Errorf("the 300th backup is not 299 seconds after the first: %v", err)
	}
}

func TestNamesGoUpWhateverTheClockDoes(t *testing.T) {
	c := at("2026-03-28 12:00:00")
	f := open(t, Options{Now: c.now})
	var all strings.Builder
	for i, step := range []time.Duration{0, -time.Hour, 0, 365 * 24 * time.Hour, -365 * 24 * time.Hour, time.Second, -50 * 365 * 24 * time.Hour} {
		c.at = c.at.Add(step)
		line := fmt.Sprintln("line", i)
		write(t, f, line)
		rotate(t, f)
		all.WriteString(line)
	}
	check(t, "all, in the order of the names", readAll(t, f), all.String())
}

func TestClockSetBackOverARestartKeepsTheOrder(t *testing.T) {
	dir := t.TempDir()
	f := open(t, Options{Dir: dir, Now: at("2026-03-28 12:00:00").now})
	write(t, f, "first\n")
	rotate(t, f)
	f.Close()
	f = open(t, Options{Dir: dir, Now: at("2026-03-28 11:00:00").now})
	write(t, f, "second\n")
	rotate(t, f)
	checkNames(t, f, "", ".20260328-120000", ".20260328-120001")
	check(t, "second", read(t, f.path+".20260328-120001"), "second\n")
}

func TestBothDaylightSavingEdgesKeepNamesUniqueAndSorted(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database:", err)
	}
	edges := map[string]string{"spring": "2026-03-29 00:30:00", "autumn": "2026-10-25 00:10:00"}
	for edge, start := range edges {
		t.Run(edge, func(t *testing.T) {
			c := at(start) // UTC; half an hour before the edge, or in the first of the two equal hours
			f := open(t, Options{Location: zone, MaxBackups: 5, Now: c.now})
			var lines []string
			for i := range 12 {
				lines = append(lines, fmt.Sprintln("line", i))
				write(t, f, lines[i])
				rotate(t, f)
				c.at = c.at.Add(10 * time.Minute)
			}
			check(t, "the last five", readAll(t, f), strings.Join(lines[7:], ""))
		})
	}
}

func TestBackupNamesAreInTheZoneAsked(t *testing.T) {
	f := open(t, Options{Location: time.FixedZone("", 2*60*60), Now: at("2026-03-28 23:30:00").now})
	write(t, f, "x\n")
	rotate(t, f)
	checkNames(t, f, "", ".20260329-013000")
}

func TestTakenNameIsSkipped(t *testing.T) {
	for kind, make := range map[string]func(path string) error{
		"file":             func(path string) error { return os.WriteFile(path, []byte("theirs\n"), 0o600) },
		"directory":        func(path string) error { return os.Mkdir(path, 0o750) },
		"dangling symlink": func(path string) error { return os.Symlink("nowhere", path) },
	} {
		t.Run(kind, func(t *testing.T) {
			f := open(t, Options{Now: at("2026-03-28 12:00:00").now})
			taken := f.path + ".20260328-120000"
			if err := make(taken); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(taken)
			if err != nil {
				t.Fatal(err)
			}
			write(t, f, "ours\n")
			rotate(t, f)
			check(t, "backup", read(t, f.path+".20260328-120001"), "ours\n")
			after, err := os.Lstat(taken)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("what had the name is gone: %v", err)
			}
		})
	}
}

// TestRenamingOverwritesNothing is about what happens where links are refused and someone else takes the name meanwhile.
func TestRenamingOverwritesNothing(t *testing.T) {
	for how, rename := range map[string]func(from, to string) error{"in one step": renameNew, "checked": renameChecked} {
		from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
		put(t, from, "ours\n")
		put(t, to, "theirs\n")
		checkIs(t, rename(from, to), fs.ErrExist)
		check(t, how+": taken name", read(t, to), "theirs\n")
		if err := rename(from, to+".free"); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		check(t, how+": free name", read(t, to+".free"), "ours\n")
	}
}

func TestLastNameOfAllIsAnErrorAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, name+".99991231-235959"), "far ahead\n")
	f := open(t, Options{Dir: dir, MaxBytes: 4})
	write(t, f, "one\ntwo\n")
	if err := f.Stats().RotateErr; err == nil || !strings.Contains(err.Error(), "no name is free") {
		t.Errorf("refusal: got %v, want one that says that no name is free", err)
	}
	check(t, "live", read(t, f.path), "one\ntwo\n")
}

func TestOldestBackupsGoFirst(t *testing.T) {
	f := open(t, Options{MaxBackups: 2, Now: at("2026-03-28 12:00:00").now})
	for i := range 4 {
		write(t, f, fmt.Sprintln("line", i))
		rotate(t, f)
	}
	checkNames(t, f, "", ".20260328-120002", ".20260328-120003")
}

func TestAgeIsInTheNameNotInTheModificationTime(t *testing.T) {
	f := open(t, Options{MaxBackups: 2})
	for i, n := range []string{".20260101-000000", ".20260102-000000", ".20260103-000000.gz"} {
		put(t, f.path+n, "x\n")
		when := time.Date(2030-i, 1, 1, 0, 0, 0, 0, time.UTC) // The oldest looks youngest.
		if err := os.Chtimes(f.path+n, when, when); err != nil {
			t.Fatal(err)
		}
	}
	f.Tidy()
	checkNames(t, f, "", ".20260102-000000", ".20260103-000000.gz")
}

func TestZeroKeepsEveryBackup(t *testing.T) {
	f := open(t, Options{})
	for range 25 {
		write(t, f, "x\n")
		rotate(t, f)
	}
	check(t, "files", len(shown(t, f.opts.Dir)), 26)
}

func TestPruningNeverTouchesWhatIsNotOurs(t *testing.T) {
	f := open(t, Options{MaxBackups: 1, Now: at("2026-03-28 12:00:00").now})
	for _, n := range lookAlikes {
		put(t, filepath.Join(f.opts.Dir, n), "theirs\n")
	}
	kept := filepath.Join(f.opts.Dir, "kept")
	put(t, kept, "theirs\n")
	if err := os.Mkdir(f.path+".20200101-000000", 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kept, f.path+".20200101-000001"); err != nil {
		t.Fatal(err)
	}
	before := shown(t, f.opts.Dir)
	for range 3 {
		write(t, f, "x\n")
		rotate(t, f)
	}
	after := shown(t, f.opts.Dir)
	after = slices.DeleteFunc(after, func(n string) bool { return n == ".20260328-120002" })
	if !slices.Equal(after, before) {
		t.Errorf("files: got %q, want %q", after, before)
	}
}

// lookAlikes are names that only look like our backups.
var lookAlikes = []string{
	name + ".20260101-120000.bak",
	name + ".20260101-120000.5",
	name + ".20260101-120000.gz.tmp",
	name + ".20260230-120000",
	name + ".1",
	name + ".1.gz",
	name + ".2.zst",
	name + ".gz",
	name + ".3.xz",
	name + "-20260101",
	name + "-20260101.gz",
	name + "-20260101-1711000000",
	name + "-2026010114",
	name + ".20260101",
	name + ".20260101-120000.1",
	name + ".20260101-120000.bz2",
	"messages-20260101.journal",
	"other.journal.20260101-120000",
	name + ".old.20260101-120000",
}
