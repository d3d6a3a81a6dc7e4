package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// room holds the free room against what the limits promise to keep.
func (e *examination) room() Row {
	free, err := rotate.RoomIn(existing(e.Journal.Dir))
	if err != nil {
		return skip(err.Error())
	}
	kept, err := e.stock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return skip(err.Error())
	}
	return e.roomRow(free, kept)
}

// stock is what a journal has on the disk.
type stock struct {
	bytes   int64
	backups int
	// aDay is how fast it grows, by the newest backups; 0: that is not known.
	aDay int64
}

// stock adds up the files of the journal.
func (e *examination) stock() (s stock, err error) {
	files, err := names.Files(e.Journal.Dir, e.Journal.Name)
	const newest = 20 // backups, by which the growth is judged
	var recent int64
	var first, last time.Time
	for i, f := range files {
		if f.Rotated {
			continue // It is not counted by any limit.
		}
		info, err := os.Lstat(f.Path)
		if err != nil {
			continue // It has just been removed.
		}
		s.bytes += info.Size()
		if f.Live() {
			continue
		}
		s.backups++
		if i >= len(files)-1-newest {
			if first.IsZero() {
				first = f.Stamp // What this one holds came before it.
			} else {
				recent += info.Size()
			}
			last = f.Stamp
		}
	}
	if took := last.Sub(first); took > 0 {
		s.aDay = int64(float64(recent) / took.Hours() * 24)
	}
	return s, err
}

// What room there must be, whatever the limits.
const (
	leastBytes  = 1 << 20
	leastInodes = 100
	daysLeft    = 14 // from which on a disk that fills up is warned of
)

// roomRow judges the room. The limits promise at most Total, or Backups and a live file, or nothing.
func (e *examination) roomRow(free rotate.Room, kept stock) Row {
	j := e.Journal
	promised, limit := j.promised()
	r := Row{Status: OK, Measured: fmt.Sprintf("%s free, %s in %d backups and the live file", bytesText(free.FreeBytes), bytesText(kept.bytes), kept.backups), Limit: limit}
	have := free.FreeBytes + kept.bytes
	dir := Quoted(existing(j.Dir))
	switch {
	case free.FreeFiles >= 0 && free.FreeFiles < leastInodes:
		r.Status, r.Measured, r.Cure = failIf(free.FreeFiles == 0), r.Measured+fmt.Sprintf(", room for %d more files", free.FreeFiles), "df -i "+dir+" # then remove small files that are not needed"
	case free.FreeBytes < leastBytes:
		r.Status, r.Cure = Fail, "df -h "+dir+" # then remove what is not needed"
	case j.MinFreeBytes > 0 && promised == 0 || j.MinFreeBytes > 0 && promised > have:
		r.Limit = fmt.Sprintf("journal_min_free=%d removes the oldest backups first", j.MinFreeBytes)
	case promised > have:
		r.Status, r.Measured = Warn, r.Measured+fmt.Sprintf(": the limits would keep %s", bytesText(promised))
		r.Cure = fmt.Sprintf("export JOURNAL_MAX_TOTAL_SIZE=%d", have*9/10)
	case promised == 0:
		e.unlimited(&r, free, kept)
	}
	return r
}

func failIf(fail bool) Status {
	if fail {
		return Fail
	}
	return Warn
}

// unlimited judges a journal that nothing keeps from filling the disk.
func (e *examination) unlimited(r *Row, free rotate.Room, kept stock) {
	r.Status, r.Cure = Note, fmt.Sprintf("export JOURNAL_MAX_TOTAL_SIZE=%d", (free.FreeBytes+kept.bytes)*9/10)
	if kept.aDay == 0 {
		return
	}
	days := free.FreeBytes / kept.aDay
	r.Measured += fmt.Sprintf(": at %s a day the disk is full in %d days", bytesText(kept.aDay), days)
	if days < daysLeft {
		r.Status = Warn
	}
}

// promised is how many bytes the limits keep at most, and which limit that is; 0: they set no bound.
func (j Journal) promised() (bytes int64, limit string) {
	var byNumber int64
	if j.MaxBytes > 0 && j.MaxBackups > 0 {
		byNumber = j.MaxBytes * int64(j.MaxBackups+1)
	}
	switch {
	case j.MaxTotalBytes > 0 && (byNumber == 0 || j.MaxTotalBytes <= byNumber):
		return j.MaxTotalBytes, fmt.Sprintf("journal_max_total_size=%d", j.MaxTotalBytes)
	case byNumber > 0:
		return byNumber, fmt.Sprintf("journal_max_size=%d x (journal_max_backups=%d and the live file)", j.MaxBytes, j.MaxBackups)
	}
	return 0, "no limit on all files together"
}
