package names

import (
	"path/filepath"
	"slices"
	"testing"
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
		got, ok := Sort(paths)
		if !slices.Equal(got, want) || ok != sorted {
			t.Errorf("%v: got %v, %v, want %v, %v", paths, got, ok, want, sorted)
		}
	}
	f([]string{"j", "j.20260328-120000", "j.20260327-120000.gz"}, []string{"j.20260327-120000.gz", "j.20260328-120000", "j"}, true)
	f([]string{"d/j.20260328-120000.1", "d/j.20260328-110000"}, []string{"d/j.20260328-110000", "d/j.20260328-120000.1"}, true)
	f([]string{"b", "a"}, []string{"b", "a"}, false)
	f([]string{"x/j", "y/j.20260328-120000"}, []string{"x/j", "y/j.20260328-120000"}, false)
	f([]string{"-", "j"}, []string{"-", "j"}, false)
}

func TestFilesLeavesOutWhatIsNotOfTheJournal(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		base, backup(2), backup(1) + ".gz", backup(1), backup(1) + ".1", backup(0) + ".bak", "other", base + ".old",
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
	want := []string{backup(1) + ".1", backup(1), backup(1) + ".gz", backup(2), base}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
