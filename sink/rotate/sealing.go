package rotate

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"

	"hbjournal/sink/names"
)

// A Sealer is told what becomes of the files, so that what was written can be proved. But for Packed and Pruning, it is called with the File
// locked: it must not block or call the File.
type Sealer interface {
	// Wrote: all of the live file up to size, from where it was, are whole lines that were given to Write.
	Wrote(size int64)
	// Changed: someone else has changed the size of the live file.
	Changed(from, to int64)
	// Turned: the live file is another one now, of this size. The one before has the name backup, or "" if someone else renamed
	// or removed it.
	Turned(backup string, size int64)
	// Packed: the text of the backup of this name is about to be in the file stored only, of so many bytes that have this SHA-256. It
	// may take seconds, and is called again if that is put off.
	Packed(backup, stored string, bytes int64, sum [sha256.Size]byte)
	// Pruning: these backups, oldest first and without endings, are removed for a limit when it returns. It may take seconds.
	Pruning(backups []string, limit string)
}

// unsealed is the Sealer of a journal without one.
type unsealed struct{}

func (unsealed) Wrote(int64)              {}
func (unsealed) Changed(_, _ int64)       {}
func (unsealed) Turned(string, int64)     {}
func (unsealed) Pruning([]string, string) {}

// Packed implements Sealer.
func (unsealed) Packed(string, string, int64, [sha256.Size]byte) {}

// Lines is the length of the whole lines in the live file.
func (f *File) Lines() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.unmended {
		return f.size
	}
	file, err := os.Open(f.path)
	if err != nil {
		return f.size
	}
	defer file.Close()
	start, err := lastLine(file)
	if err != nil {
		return f.size
	}
	return start
}

// SyncAll flushes to the disk what was written before the call, to files that have been rotated away since too. Writes go on
// meanwhile.
func (f *File) SyncAll() error {
	f.retiring.Lock()
	defer f.retiring.Unlock()
	f.mu.Lock()
	files := append(slices.Clone(f.retired), f.live)
	moved := f.moved
	f.moved = false
	f.mu.Unlock()
	errs := []error{f.unsynced}
	for _, file := range files {
		if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, fmt.Errorf("sync %s: %w", f.path, cause(err)))
		}
	}
	if moved {
		errs = append(errs, syncDirectory(f.opts.Dir))
	}
	err := errors.Join(errs...)
	if err != nil && moved {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.moved = true
	}
	return err
}

// tellPacked tells the Sealer what the copy of b is whose place will be final.
func (f *File) tellPacked(b, final names.Backup, packed string, sum [sha256.Size]byte) {
	if info, err := os.Lstat(packed); err == nil {
		f.opts.Sealer.Packed(names.OfBackup(f.opts.Name, b.Stamp), final.Name, info.Size(), sum)
	}
}

// tellPruning tells the Sealer which backups are about to go, and why.
func (f *File) tellPruning(stocks []stock, why []string) {
	if len(why) == 0 {
		return
	}
	var gone []string
	for _, s := range stocks[:len(why)] {
		gone = append(gone, names.OfBackup(f.opts.Name, s.stamp))
	}
	f.opts.Sealer.Pruning(gone, why[len(why)-1])
}
