package names

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// base is the name of the journal in the tests.
const base = "messages.journal"

// start is the time of the first backup in the tests.
var start = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)

// backup is the name of the backup whose stamp is n seconds after start.
func backup(n int) string { return OfBackup(base, start.Add(time.Duration(n)*time.Second)) }

func put(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x\n"), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestParseTakesOnlyWhatWeName(t *testing.T) {
	f := func(n, stamp, ending string) {
		t.Helper()
		b, ok := Parse(base, n)
		if !ok || b.Name != n || b.Stamp.Format(time.DateTime) != stamp || b.Ending != ending {
			t.Errorf("Parse(%q): got %+v, %v; want %s and ending %q", n, b, ok, stamp, ending)
		}
	}
	f(base+".20260328-120000", "2026-03-28 12:00:00", "")
	f(base+".20240229-235959", "2024-02-29 23:59:59", "")
	f(base+".20260328-120000.gz", "2026-03-28 12:00:00", ".gz")
	f(base+".20260328-120000.zst", "2026-03-28 12:00:00", ".zst")
	f(base+".20260328-120000.age", "2026-03-28 12:00:00", ".age")
	f(base+".20260328-120000.zst.age", "2026-03-28 12:00:00", ".zst.age")
}

// lookAlikes are names that only look like our backups, and that a lenient parser would remove.
var lookAlikes = []string{
	base + ".20260101-120000.bak",
	base + ".20260101-120000.5",
	base + ".20260101-120000,5",
	base + ".20260101-120000.gz.tmp",
	base + ".20260101-120000.gz.gz",
	base + ".20260101-120000.gzip",
	base + ".20260101-120000-1",
	base + ".20260101-1200000",
	base + ".20260101-12000",
	base + ".2026-01-01-120000",
	base + ".20260230-120000",
	base + ".20260101-240000",
	base + ".20260101-126000",
	base + ".20260101T120000",
	base + ".+0260101-120000",
	base + ". 2026101-120000",
	base + ".1",
	base + ".1.gz",
	base + "-20260101",
	base + ".",
	base + "20260101-120000",
	"Messages.journal.20260101-120000",
	"other.journal.20260101-120000",
	"x" + base + ".20260101-120000",
	base + ".old.20260101-120000",
}

func TestParseRefusesLookAlikes(t *testing.T) {
	for _, n := range lookAlikes {
		if b, ok := Parse(base, n); ok {
			t.Errorf("Parse(%q): got %+v, want a refusal", n, b)
		}
	}
}

func TestBackupsIsOldestFirst(t *testing.T) {
	dir := t.TempDir()
	want := []string{
		base + ".20251231-235959.zst", base + ".20260101-000000", base + ".20260101-000000.gz", base + ".20260101-000001",
	}
	for _, n := range []string{want[2], want[0], want[3], want[1], base, base + ".20260101-000002.bak"} {
		put(t, filepath.Join(dir, n))
	}
	backups, err := Backups(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range backups {
		got = append(got, b.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Backups: got %q, want %q", got, want)
	}
}

func FuzzBackupNames(f *testing.F) {
	f.Add(base, base+".20260328-120000", int64(1774699200))
	f.Add(base, base+".20260328-120000.gz", int64(0))
	f.Add("", ".20260328-120000.zst.age", int64(-1))
	for _, n := range lookAlikes {
		f.Add(base, n, int64(253402300799))
	}
	f.Fuzz(func(t *testing.T, base, n string, seconds int64) {
		if b, ok := Parse(base, n); ok {
			if printed := OfBackup(base, b.Stamp) + b.Ending; printed != n {
				t.Errorf("Parse(%q, %q) prints back as %q", base, n, printed)
			}
		}
		stamp := time.Unix(seconds, 0).UTC()
		if stamp.Year() < 0 || stamp.Year() > 9999 {
			return
		}
		b, ok := Parse(base, OfBackup(base, stamp))
		if !ok || !b.Stamp.Equal(stamp) || b.Ending != "" {
			t.Errorf("OfBackup(%q, %v) parses as %+v, %v", base, stamp, b, ok)
		}
	})
}
