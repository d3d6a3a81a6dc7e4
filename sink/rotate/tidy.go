package rotate

import (
	"errors"
	"fmt"
)

// Tidy does what follows a rotation and need not hold up the writing: it syncs and closes retired files, syncs the
// directory, and removes the oldest backups beyond the limits. What it cannot do it leaves for the next time, and says
// so in the log when that begins and when it ends.
func (f *File) Tidy() {
	err := f.tidy()
	var before error
	f.figures.change(func(s *Stats) { before, s.TidyErr = s.TidyErr, err })
	switch {
	case err != nil && before == nil:
		f.opts.Log.Error().Err(err).Msg("journal backups cannot be tidied up; trying again")
	case err == nil && before != nil:
		f.opts.Log.Info().Msg("journal backups are tidy again")
	}
}

func (f *File) tidy() error {
	f.tidying.Lock()
	defer f.tidying.Unlock()
	return errors.Join(f.closeRetired(), f.syncDir(), f.prune())
}

// closeRetired syncs and closes what was rotated away.
func (f *File) closeRetired() error {
	f.retiring.Lock()
	defer f.retiring.Unlock()
	f.mu.Lock()
	retired, err := f.retired, f.retireErr
	f.retired, f.retireErr = nil, nil
	f.mu.Unlock()
	errClose := f.closeAll(retired)
	if errClose != nil {
		f.unsynced = errClose
	}
	return errors.Join(err, errClose)
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
