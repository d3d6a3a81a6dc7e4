package rotate

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func checkIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error: got %v, want one that is %q", err, want)
	}
}

func TestParseBackupTakesOnlyWhatWeName(t *testing.T) {
	f := func(n, stamp, ending string) {
		t.Helper()
		b, ok := ParseBackup(name, n)
		if !ok || b.Name != n || b.Stamp.Format(time.DateTime) != stamp || b.Ending != ending {
			t.Errorf("ParseBackup(%q): got %+v, %v; want %s and ending %q", n, b, ok, stamp, ending)
		}
	}
	f(name+".20260328-120000", "2026-03-28 12:00:00", "")
	f(name+".20240229-235959", "2024-02-29 23:59:59", "")
	f(name+".20260328-120000.gz", "2026-03-28 12:00:00", ".gz")
	f(name+".20260328-120000.zst", "2026-03-28 12:00:00", ".zst")
	f(name+".20260328-120000.age", "2026-03-28 12:00:00", ".age")
	f(name+".20260328-120000.zst.age", "2026-03-28 12:00:00", ".zst.age")
}

// lookAlikes are names that only look like our backups, and that a lenient parser would remove.
var lookAlikes = []string{
	name + ".20260101-120000.bak",
	name + ".20260101-120000.5",
	name + ".20260101-120000,5",
	name + ".20260101-120000.gz.tmp",
	name + ".20260101-120000.gz.gz",
	name + ".20260101-120000.gzip",
	name + ".20260101-120000-1",
	name + ".20260101-1200000",
	name + ".20260101-12000",
	name + ".2026-01-01-120000",
	name + ".20260230-120000",
	name + ".20260101-240000",
	name + ".20260101-126000",
	name + ".20260101T120000",
	name + ".+0260101-120000",
	name + ". 2026101-120000",
	name + ".1",
	name + ".1.gz",
	name + "-20260101",
	name + ".",
	name + "20260101-120000",
	"Messages.journal.20260101-120000",
	"other.journal.20260101-120000",
	"x" + name + ".20260101-120000",
	name + ".old.20260101-120000",
}

func TestParseBackupRefusesLookAlikes(t *testing.T) {
	for _, n := range lookAlikes {
		if b, ok := ParseBackup(name, n); ok {
			t.Errorf("ParseBackup(%q): got %+v, want a refusal", n, b)
		}
	}
}

func TestListIsOldestFirst(t *testing.T) {
	dir := t.TempDir()
	want := []string{
		name + ".20251231-235959.zst", name + ".20260101-000000", name + ".20260101-000000.gz", name + ".20260101-000001",
	}
	for _, n := range []string{want[2], want[0], want[3], want[1], name, name + ".20260101-000002.bak"} {
		put(t, dir+"/"+n, "x\n")
	}
	backups, err := List(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range backups {
		got = append(got, b.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("List: got %q, want %q", got, want)
	}
}

func FuzzBackupNames(f *testing.F) {
	f.Add(name, name+".20260328-120000", int64(1774699200))
	f.Add(name, name+".20260328-120000.gz", int64(0))
	f.Add("", ".20260328-120000.zst.age", int64(-1))
	for _, n := range lookAlikes {
		f.Add(name, n, int64(253402300799))
	}
	f.Fuzz(func(t *testing.T, base, n string, seconds int64) {
		if b, ok := ParseBackup(base, n); ok {
			if printed := BackupName(base, b.Stamp) + b.Ending; printed != n {
				t.Errorf("ParseBackup(%q, %q) prints back as %q", base, n, printed)
			}
		}
		stamp := time.Unix(seconds, 0).UTC()
		if stamp.Year() < 0 || stamp.Year() > 9999 {
			return
		}
		b, ok := ParseBackup(base, BackupName(base, stamp))
		if !ok || !b.Stamp.Equal(stamp) || b.Ending != "" {
			t.Errorf("BackupName(%q, %v) parses as %+v, %v", base, stamp, b, ok)
		}
	})
}
