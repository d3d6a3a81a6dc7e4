package rotate

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hbjournal/sink/names"
)

// stock is one backup on the disk: all files of one stamp, since a plain file and its compressed copy are one backup.
type stock struct {
	stamp time.Time // as in Backup
	made  time.Time // the moment of its rotation, as far as the stamp tells
	names []string
	bytes int64 // of all its files as they are, compressed or not
}

// surroundings are what the limits on backups are measured against.
type surroundings struct {
	now  time.Time
	live int64 // bytes of the live file
	free int64 // bytes free on the disk
}

// The limits on backups, by their names in the log.
const (
	limitBackups = "max_backups"
	limitAge     = "max_age"
	limitTotal   = "max_total_size"
	limitFree    = "min_free"
)

// excess returns the limits for which the oldest backups must go, one of each backup, oldest first. Whatever limit
// bites, the oldest go first; so the result says how many must go as well.
func (o Options) excess(backups []stock, s surroundings) (why []string) {
	total := s.live
	for _, b := range backups {
		total += b.bytes
	}
	for i, b := range backups {
		limit := o.exceeded(len(backups)-i, total, s.free, s.now.Sub(b.made))
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

// stocks groups the files of backups, which List returned, by their stamp.
func (f *File) stocks(backups []names.Backup) ([]stock, error) {
	var stocks []stock
	var errs []error
	for _, b := range backups {
		bytes, err := f.bytesOf(b)
		if err != nil {
			errs = append(errs, ignoreMissing(err))
			continue
		}
		if n := len(stocks); n == 0 || !stocks[n-1].stamp.Equal(b.Stamp) {
			stocks = append(stocks, stock{stamp: b.Stamp, made: f.opts.instant(b.Stamp)})
		}
		s := &stocks[len(stocks)-1]
		s.names = append(s.names, b.Name)
		s.bytes += bytes
	}
	return stocks, errors.Join(errs...)
}

// bytesOf is the size of a backup's file; 0 if no limit asks for it, since there may be very many.
func (f *File) bytesOf(b names.Backup) (int64, error) {
	if f.opts.MaxTotalBytes == 0 && f.opts.MinFreeBytes == 0 {
		return 0, nil
	}
	info, err := os.Lstat(filepath.Join(f.opts.Dir, b.Name))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
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
	backups, err := names.Backups(f.opts.Dir, f.opts.Name)
	if err != nil {
		return err
	}
	stocks, errStocks := f.stocks(backups)
	around, errFree := f.surroundings()
	errs := []error{errStocks, errFree}
	var kept []stock
	why := f.opts.excess(stocks, around)
	for i, b := range stocks {
		if i < len(why) {
			err := f.remove(b, why[i])
			errs = append(errs, err)
			if err == nil {
				around.free += b.bytes
				continue
			}
		}
		kept = append(kept, b)
	}
	f.noteUnmet(len(kept), around)
	f.countPruned(len(kept), len(stocks)-len(kept))
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
	for _, name := range b.names {
		if err := ignoreMissing(os.Remove(filepath.Join(f.opts.Dir, name))); err != nil {
			return fmt.Errorf("remove old backup: %w", err)
		}
	}
	f.opts.Log.Info().Str("backup", b.names[0]).Str("limit", limit).
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
