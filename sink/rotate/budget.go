package rotate

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// surroundings are what the limits on backups are measured against.
type surroundings struct {
	now  time.Time
	live int64 // bytes of the live file
	free int64 // bytes free on the disk
	done int   // backups, from the oldest on, that no Holder needs
}

// The limits on backups, by their names in the log.
const (
	limitBackups = "max_backups"
	limitAge     = "max_age"
	limitTotal   = "max_total_size"
	limitFree    = "min_free"
	limitHold    = "hold" // of Options.HoldBytes
)

// excess returns the limits for which the oldest backups must go, which have so many bytes together, one of each backup,
// oldest first. Whatever limit bites, the oldest go first; so the result says how many must go as well.
func (o Options) excess(backups []stock, bytes int64, s surroundings) (why []string) {
	total := s.live + bytes
	for i, b := range backups {
		limit := o.exceeded(len(backups)-i, total, s.free, s.now.Sub(b.made))
		if limit != "" && o.HoldBytes > 0 && i >= s.done {
			limit = o.overrides(total, s.free)
		}
		if limit == "" {
			break
		}
		why = append(why, limit)
		total -= b.bytes
		s.free += b.bytes
	}
	return why
}

// exceeded returns a limit that so many backups exceed, with the total of all files, the free bytes of the disk and the
// age of the oldest backup; "": none.
func (o Options) exceeded(backups int, total, free int64, oldest time.Duration) string {
	switch {
	case o.MaxBackups > 0 && backups > o.MaxBackups:
		return limitBackups
	case o.MaxAge > 0 && backups > 0 && oldest > o.MaxAge:
		return limitAge
	case o.MaxTotalBytes > 0 && total > o.MaxTotalBytes:
		return limitTotal
	case o.MinFreeBytes > 0 && free < o.MinFreeBytes:
		return limitFree
	}
	return ""
}

// instant is the moment that a stamp stands for. In the hour that a zone's clock repeats it is one of two.
func (o Options) instant(stamp time.Time) time.Time {
	y, m, d := stamp.Date()
	return time.Date(y, m, d, stamp.Hour(), stamp.Minute(), stamp.Second(), 0, o.Location)
}

// surroundings of which the free bytes cannot be found out have enough of them.
func (f *File) surroundings() (surroundings, error) {
	s := surroundings{now: f.opts.Now(), free: math.MaxInt64}
	if live, err := os.Lstat(f.path); err == nil {
		s.live = live.Size()
	}
	if f.opts.MinFreeBytes == 0 {
		return s, nil
	}
	free, err := freeBytes(f.opts.Dir)
	if err == nil {
		s.free = free
	}
	return s, err
}

// prune removes the oldest backups until all limits are kept. f.tidying must be held.
func (f *File) prune() error {
	errStock := f.takeStock()
	if errStock != nil && len(f.inventory.stocks) == 0 {
		return errStock
	}
	around, errFree := f.surroundings()
	errs := []error{errStock, errFree}
	known := &f.inventory
	around.done = f.doneWith(known.stocks)
	why := f.opts.excess(known.stocks, known.bytes, around)
	f.tellLosing(known.stocks[min(around.done, len(why)):len(why)])
	f.tellPruning(known.stocks, why)
	var stuck []stock
	for i, b := range known.stocks[:len(why)] {
		if err := f.remove(b, why[i]); err != nil {
			errs, stuck = append(errs, err), append(stuck, b)
			continue
		}
		around.free += b.bytes
		known.bytes -= b.bytes
	}
	known.stocks = known.stocks[len(why):]
	if len(stuck) > 0 {
		known.stocks = append(stuck, known.stocks...)
	}
	f.noteUnmet(len(known.stocks), around)
	f.countPruned(len(known.stocks), len(why)-len(stuck))
	f.listWaiting()
	return errors.Join(errs...)
}

func (f *File) countPruned(kept, removed int) {
	f.figures.change(func(s *Stats) {
		s.Removed += uint64(removed)
		s.Backups = kept
	})
}

// remove removes all files of one backup: its compressed copy last, so that a removal that breaks off leaves no plain
// file to be compressed again.
func (f *File) remove(b stock, limit string) error {
	f.witness.begin()
	defer f.witness.end()
	for _, file := range b.files {
		if err := ignoreMissing(os.Remove(filepath.Join(f.opts.Dir, file.Name))); err != nil {
			return fmt.Errorf("remove old backup: %w", err)
		}
	}
	f.opts.Log.Info().Str("backup", b.files[0].Name).Str("limit", limit).
		Stringer("allowed", f.opts.allowed(limit)).Msg("journal clean-up removed the oldest backup")
	return nil
}

// allowed is the value of a limit.
func (o Options) allowed(limit string) fmt.Stringer {
	switch limit {
	case limitAge:
		return o.MaxAge
	case limitTotal:
		return number(o.MaxTotalBytes)
	case limitFree:
		return number(o.MinFreeBytes)
	case limitHold:
		return number(o.HoldBytes)
	}
	return number(o.MaxBackups)
}

type number int64

func (n number) String() string { return strconv.FormatInt(int64(n), 10) }

// noteUnmet says in the log, once, that a limit cannot be kept although every backup is gone.
func (f *File) noteUnmet(kept int, around surroundings) {
	if kept > 0 {
		f.unmet = ""
		return
	}
	unmet := f.opts.exceeded(0, around.live, around.free, 0)
	if unmet == "" || unmet == f.unmet {
		return
	}
	f.unmet = unmet
	f.opts.Log.Warn().Str("limit", unmet).Stringer("allowed", f.opts.allowed(unmet)).Int64("live", around.live).
		Int64("free", around.free).Msg("journal limit cannot be kept: no backup is left, and the live file stays")
}
