package names

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBackupNamesOfTheJournalAndOfLogrotate(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if _, got := StampOf(base, name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("messages.journal.20260328-120000", true)
	f("messages.journal.20260328-120000.gz", true)
	f("messages.journal.20260328-120000.zst", true)
	f("messages.journal.20260328-120000.1", true)
	f("messages.journal.20260328-120000.2.gz", true)
	f("messages.journal.20260328-120000.1.gz.1.gz", true)
	f("messages.journal.20260328-120000-20260329", true)
	f("messages.journal.20260328-120000-20260329.gz", true)
	f("messages.journal.20260328-120000.gz-20260329-1774699200", true)
	f("messages.journal", false)
	f("messages.journal.20260328-120000.bak", false)
	f("messages.journal.20260328-120000.gz.tmp", false)
	f("messages.journal.20261328-120000", false)
	f("messages.journal.2026032-120000", false)
	f("other.journal.20260328-120000", false)
	f(".messages.journal.20260328-120000", false)
}

func TestNamedFilesOfOneJournalAreSorted(t *testing.T) {
	f := func(paths, want []string, sorted bool) {
		t.Helper()
		files, ok := Sort(paths)
		var got []string
		for _, f := range files {
			got = append(got, f.Path)
		}
		if !slices.Equal(got, want) || ok != sorted {
			t.Errorf("%v: got %v, %v, want %v, %v", paths, got, ok, want, sorted)
		}
	}
	f([]string{"j", "j.20260328-120000", "j.20260327-120000.gz"}, []string{"j.20260327-120000.gz", "j.20260328-120000", "j"}, true)
	f([]string{"d/j.20260328-120000.1", "d/j.20260328-110000"}, []string{"d/j.20260328-110000", "d/j.20260328-120000.1"}, true)
	f([]string{"j.log.2.gz", "j.log.1"}, []string{"j.log.2.gz", "j.log.1"}, true)
	f([]string{"j", "j.1", "j.10", "j.2.gz"}, []string{"j.10", "j.2.gz", "j.1", "j"}, true)
	f([]string{"j.log-20240320", "j.log-20240319.gz"}, []string{"j.log-20240319.gz", "j.log-20240320"}, true)
	f([]string{"host-2", "host-1"}, []string{"host-2", "host-1"}, false)
	f([]string{"b", "a"}, []string{"b", "a"}, false)
	f([]string{"x/j", "y/j.20260328-120000"}, []string{"x/j", "y/j.20260328-120000"}, false)
	f([]string{"-", "j"}, []string{"-", "j"}, false)
}

func TestFilesLeavesOutWhatIsNotOfTheJournal(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		base, backup(2), backup(1) + ".gz", backup(1), backup(1) + ".1", backup(0) + ".bak", "other", base + ".old",
		base + ".1", base + ".10.xz", base + ".2.gz", base + "~", base + ".1.bak", "." + base + ".swp", base + "2",
	} {
		put(t, filepath.Join(dir, name))
	}
	files, err := Files(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, filepath.Base(f.Path))
	}
	want := []string{base + ".10.xz", base + ".2.gz", base + ".1", backup(1) + ".1", backup(1), backup(1) + ".gz", backup(2), base}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range []string{base + "-other", base + "-other.20260328-120000.gz"} {
		put(t, filepath.Join(dir, name)) // They are another journal.
	}
	if err := os.Mkdir(filepath.Join(dir, "."+base+"-other.d"), 0o750); err != nil {
		t.Fatal(err)
	}
	beside, err := Beside(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range beside {
		beside[i] = filepath.Base(path)
	}
	want = []string{base + ".1.bak", backup(0) + ".bak", base + ".old", base + "~"}
	if !slices.Equal(beside, want) {
		t.Errorf("beside: got %v, want %v", beside, want)
	}
}

func TestNamesThatLogrotateGivesToTheLiveFile(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if got := IsRotated(base, name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if _, ok := Parse(base, name); ok {
			t.Errorf("%s: is a backup of ours, which may be removed", name)
		}
		if _, ok := StampOf(base, name); ok {
			t.Errorf("%s: has a stamp, which would hold up the stamps of new backups", name)
		}
		if of, ok := BaseOf(name); want && name[:len(base)] == base && (!ok || of != base) {
			t.Errorf("%s: got %q, %v, want the base %s", name, of, ok, base)
		}
	}
	for _, ending := range []string{
		".1", ".2.gz", ".3.zst", ".4.bz2", ".5.xz", ".6.lz4", ".10000", ".1.gz.1.gz", ".gz", ".zst", ".0",
		"-20240320", "-20240320.gz", "-20240320-1711000000", "-20240320-14", "-2024032014", "-2024032014.zst", "-1711000000",
		"-2024-03-20", ".2024-03-20", "_20240320", "-2024-W12", "-2024-03-20T14:00:00Z", "-20240320-140000.xz", "-20240320.1.gz",
		".20240320", ".1-20240320.gz",
	} {
		f(base+ending, true)
	}
	f("messages-20240320.journal", true)
	f("messages-2024-03-20.journal.gz", true)
	for _, ending := range []string{
		"", ".", "-", ".bak", ".old", "~", ".1~", ".1.bak", ".swp", ".tmp", ".gz.tmp", "2", ".part", "-copy", ".x1", ".d",
	} {
		f(base+ending, false)
	}
	f("messages.1.journal", false)
	f("messages-2.journal", false)
	f("."+base+".1", false)
	f("other.journal.1", false)
	f("Messages.journal.1", false)
}

func TestLogrotatesFilesAreNoBackupsAndLeaveTheNewestStamp(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{base + ".1", base + "-20991231", base + "-20991231-235959.gz", base + ".2.gz", backup(1), base} {
		put(t, filepath.Join(dir, name))
	}
	backups, newest, err := BackupsAndNewest(dir, base)
	if err != nil || len(backups) != 1 || backups[0].Name != backup(1) || !newest.Equal(start.Add(time.Second)) {
		t.Errorf("got %v, newest %v, error %v, want the one backup and its stamp", backups, newest, err)
	}
}

func TestBasesOfNamesWithoutExtensionFollowFromThoseBesideThem(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "live"))
	f := func(want string, named ...string) {
		t.Helper()
		paths := make([]string, len(named))
		for i, name := range named {
			paths[i] = filepath.Join(dir, name)
		}
		if got := strings.Join(Bases(paths), " "); got != want {
			t.Errorf("%v: got %s, want %s", named, got, want)
		}
		_, ordered := Sort(paths)
		if one := len(slices.Compact(strings.Fields(want))) == 1; ordered != one {
			t.Errorf("%v: one journal is %v, want %v", named, ordered, one)
		}
	}
	f("hb hb", "hb.1", "hb.2.gz")
	f("hb hb hb", "hb", "hb.1", "hb.2.gz")
	f("hb hb", "hb-20260328.gz", "hb-20260327")
	f("hb hb", "hb.1.gz", "hb.1")
	f("live live", "live.1", "live.2")
	f("live", "live.1")
	f("web.1 web.2", "web.1", "web.2")
	f("host-1 host-2.gz", "host-1", "host-2.gz")
	f("10.0.0.1.gz 10.0.0.2.gz", "10.0.0.1.gz", "10.0.0.2.gz")
	f("a b.1.gz", "a", "b.1.gz")
	f("messages.journal messages.journal", "messages.journal.1", "messages.journal.2.gz")
}
