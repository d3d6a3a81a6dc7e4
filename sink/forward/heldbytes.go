package forward

import (
	"os"
	"path/filepath"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// heldBytes is how much the backups take that an output still needs which stands at this place: those that pruning waits with, as far
// as it is told to wait. All files of a backup count, such as a compressed copy that is being made.
func heldBytes(journal read.Options, at read.Cursor) (bytes int64) {
	backups, err := names.Backups(journal.Dir, journal.Base)
	if err != nil {
		return 0 // Which is said by those who prune.
	}
	for _, backup := range backups {
		if backup.Stamp.Before(at.From) {
			continue
		}
		if info, err := os.Lstat(filepath.Join(journal.Dir, backup.Name)); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}
