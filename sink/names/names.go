// Package names is what the files of a journal are called: it makes the names and takes them apart.
//
//	<base>                          the live file
//	<base>.20260328-120000          a backup; the clock text is its stamp, by which backups are ordered
//	<base>.20260328-120000.zst      the same, compressed (.gz, .zst), encrypted (.age), or both
//	<base>.20260328-120000.gz.1.gz  a backup that logrotate has renamed, compressed, or both: still read, no longer ours
//	<base>.1  <base>-20260328.gz    the live file of earlier, renamed by logrotate: read, never ours
//
// Parse is strict, since what it takes may be removed; StampOf also knows the names that logrotate makes of ours, since
// readers must find them, and IsRotated those that it makes of the live file. Nothing here opens a file.
package names

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// StampLayout is the YYYYMMDD-HHMMSS of a backup's name, for package time.
const StampLayout = "20060102-150405"

// endings are what may follow the stamp of a backup, once it has been compressed, encrypted, or both.
var endings = []string{"", ".gz", ".zst", ".age", ".gz.age", ".zst.age"}

// Backup is the name of one rotated file, taken apart.
type Backup struct {
	Name   string    // file name, without its directory
	Stamp  time.Time // the clock text in the name, read as if it were UTC: good for ordering, not for instants
	Ending string    // "", ".gz", ".zst", ".age", ".gz.age" or ".zst.age"
}

// OfBackup is the inverse of Parse for a backup with no ending: <base>.YYYYMMDD-HHMMSS.
// Only the clock fields of stamp count, to the second; its zone does not.
func OfBackup(base string, stamp time.Time) string {
	return base + "." + stamp.Format(StampLayout)
}

// Parse takes name apart if it is exactly a backup of base, and reports whether it is. Names that only look like
// one (a fraction of a second, a day that does not exist, another ending) are not ours, and never touched.
func Parse(base, name string) (Backup, bool) {
	rest, ok := strings.CutPrefix(name, base+".")
	if !ok || len(rest) < len(StampLayout) {
		return Backup{}, false
	}
	text, ending := rest[:len(StampLayout)], rest[len(StampLayout):]
	if !slices.Contains(endings, ending) {
		return Backup{}, false
	}
	stamp, err := time.Parse(StampLayout, text)
	// time.Parse is lenient (it takes fractions, for one), so the text must also print back as it was.
	var printed [len(StampLayout) + 8]byte
	if err != nil || string(stamp.AppendFormat(printed[:0], StampLayout)) != text {
		return Backup{}, false
	}
	return Backup{Name: name, Stamp: stamp, Ending: ending}, true
}

// renamings match what we and logrotate put after the stamp, in any order and number, since a logrotate stanza for
// messages.journal.* catches its own files again: .1, .1.gz, .2.gz, -20260328, .zst, .1.gz.1.gz.
var renamings = regexp.MustCompile(`^(\.[0-9]{1,4}|-[0-9]{8}(-?[0-9]+)?|` + compression + `)*$`)

// StampOf returns the stamp in the name of a backup of base, also when logrotate has renamed the backup, after which it
// is not ours any more.
func StampOf(base, name string) (time.Time, bool) {
	end := len(base) + 1 + len(StampLayout)
	if len(name) < end || !slices.Contains(endings, name[end:]) && !renamings.MatchString(name[end:]) {
		return time.Time{}, false
	}
	b, ok := Parse(base, name[:end])
	return b.Stamp, ok
}

// Backups returns the backups of base in dir, oldest first by the time in their names. Of one stamp with several endings,
// the plain file comes first. Directories and other things that are not regular files are left out.
func Backups(dir, base string) ([]Backup, error) {
	backups, _, err := BackupsAndNewest(dir, base)
	return backups, err
}

// BackupsAndNewest also returns the greatest stamp in any name, those of files that were renamed included: no new backup
// may have it, or an earlier one.
func BackupsAndNewest(dir, base string) (backups []Backup, newest time.Time, err error) {
	entries, err := list(dir)
	if err != nil {
		return nil, newest, fmt.Errorf("list backups: %w", err)
	}
	for _, e := range entries {
		if stamp, ok := StampOf(base, e.Name()); ok && stamp.After(newest) {
			newest = stamp
		}
		if b, ok := Parse(base, e.Name()); ok && e.Type().IsRegular() {
			backups = append(backups, b)
		}
	}
	// Names of one base sort by stamp, then ending.
	slices.SortFunc(backups, func(a, b Backup) int { return strings.Compare(a.Name, b.Name) })
	return backups, newest, nil
}
