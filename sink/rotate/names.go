package rotate

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// stampLayout is the YYYYMMDD-HHMMSS of a backup's name.
const stampLayout = "20060102-150405"

// endings are what may follow the stamp of a backup, once it has been compressed, encrypted, or both.
var endings = []string{"", ".gz", ".zst", ".age", ".gz.age", ".zst.age"}

// Backup is the name of one rotated file, taken apart.
type Backup struct {
	Name   string    // file name, without its directory
	Stamp  time.Time // the clock text in the name, read as if it were UTC: good for ordering, not for instants
	Ending string    // "", ".gz", ".zst", ".age", ".gz.age" or ".zst.age"
}

// BackupName is the inverse of ParseBackup for a backup with no ending: <base>.YYYYMMDD-HHMMSS.
// Only the clock fields of stamp count, to the second; its zone does not.
func BackupName(base string, stamp time.Time) string {
	return base + "." + stamp.Format(stampLayout)
}

// ParseBackup takes name apart if it is exactly a backup of base, and reports whether it is. Names that only look like
// one (a fraction of a second, a day that does not exist, another ending) are not ours, and never touched.
func ParseBackup(base, name string) (Backup, bool) {
	rest, ok := strings.CutPrefix(name, base+".")
	if !ok || len(rest) < len(stampLayout) {
		return Backup{}, false
	}
	text, ending := rest[:len(stampLayout)], rest[len(stampLayout):]
	stamp, err := time.Parse(stampLayout, text)
	// time.Parse is lenient (it takes fractions, for one), so the text must also print back as it was.
	if err != nil || stamp.Format(stampLayout) != text || !slices.Contains(endings, ending) {
		return Backup{}, false
	}
	return Backup{Name: name, Stamp: stamp, Ending: ending}, true
}

// List returns the backups of base in dir, oldest first by the time in their names. Of one stamp with several endings,
// the plain file comes first. Directories and other things that are not regular files are left out.
func List(dir, base string) ([]Backup, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var backups []Backup
	for _, e := range entries {
		if b, ok := ParseBackup(base, e.Name()); ok && e.Type().IsRegular() {
			backups = append(backups, b)
		}
	}
	// ReadDir sorts by name, and names of one base sort by stamp, then ending.
	return backups, nil
}
