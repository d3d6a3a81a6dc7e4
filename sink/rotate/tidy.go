package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Tidy does what follows a rotation and need not hold up the writing: it syncs and closes retired files, syncs the
// directory, and removes the oldest backups beyond MaxBackups. What it cannot do it leaves for the next time, and says
// so in the log when that begins and when it ends.
func (f *File) Tidy() {
	err := f.tidy()
	var before error
	f.figures.change(func(s *Stats) { before, s.TidyErr = s.TidyErr, err })
	switch {
	case err != nil && before == nil:
		f.opts.Log.Error().Err(err).Msg("journal backups cannot be tidied up; trying again with each rotation")
	case err == nil && before != nil:
		f.opts.Log.Info().Msg("journal backups are tidy again")
	}
}

func (f *File) tidy() error {
	f.tidying.Lock()
	defer f.tidying.Unlock()
	f.mu.Lock()
	retired, err := f.retired, f.retireErr
	f.retired, f.retireErr = nil, nil
	f.mu.Unlock()
	return errors.Join(err, f.closeAll(retired), f.syncDir(), f.prune())
}

// closeAll syncs and closes files that are written no more.
func (f *File) closeAll(files []liveFile) error {
	var errs []error
	for _, old := range files {
		if !f.opts.NoSync {
			errs = append(errs, old.Sync())
		}
		errs = append(errs, old.Close())
	}
	return errors.Join(errs...)
}

// syncDir makes the names of the files safe from a power cut.
func (f *File) syncDir() error {
	if f.opts.NoSync {
		return nil
	}
	if err := syncDirectory(f.opts.Dir); err != nil {
		return fmt.Errorf("sync journal directory: %w", err)
	}
	return nil
}

// prune removes the oldest backups beyond MaxBackups, by the time in their names.
func (f *File) prune() error {
	backups, err := List(f.opts.Dir, f.opts.Name)
	if err != nil {
		return err
	}
	excess := 0
	if f.opts.MaxBackups > 0 {
		excess = max(0, len(backups)-f.opts.MaxBackups)
	}
	var errs []error
	removed := 0
	for _, b := range backups[:excess] {
		if err := os.Remove(filepath.Join(f.opts.Dir, b.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove old backup: %w", err))
			continue
		}
		removed++
		f.opts.Log.Info().Str("backup", b.Name).Int("max_backups", f.opts.MaxBackups).Msg("journal clean-up removed the oldest backup")
	}
	f.figures.change(func(s *Stats) {
		s.Removed += uint64(removed)
		s.Backups = len(backups) - removed
	})
	return errors.Join(errs...)
}
