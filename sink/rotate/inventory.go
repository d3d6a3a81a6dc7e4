package rotate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hbjournal/sink/names"
)

const (
	// fewBackups are listed whenever they are asked for: that costs less than a rotation, and shows at once what others
	// did.
	fewBackups = 100
	// listAgain is after how long many backups are listed anew, whatever the directory's modification time says.
	listAgain = 10 * time.Second
)

// inventory is the backups that there are, oldest first. Where there are many it is kept from one rotation to the next,
// so that what follows a rotation does not cost by their number: our own changes are entered here, and the directory is
// listed anew when others have changed it, and every listAgain.
//
// It may hold a backup that someone else has just removed, and then count it towards the limits until the next listing.
// It never holds a name that was not in a listing or given by a rotation.
type inventory struct {
	stocks   []stock
	bytes    int64     // of all stocks
	listed   time.Time // zero: to be listed before it is used
	listings int       // how often the directory was listed
}

// stock is one backup on the disk: all files of one stamp, since a plain file and its compressed copy are one backup.
type stock struct {
	stamp time.Time      // as in Backup
	made  time.Time      // the moment of its rotation, as far as the stamp tells
	files []names.Backup // at least one; the plain one first
	bytes int64          // of all its files as they are, compressed or not; 0 if no limit asks for it
}

// takeStock brings the inventory up to date. f.tidying must be held.
func (f *File) takeStock() error {
	f.mu.Lock()
	rotated := f.rotated
	f.rotated = nil
	f.mu.Unlock()
	if f.inventory.outdated(f.opts.Now()) || f.witness.seen() {
		return f.list()
	}
	for _, s := range rotated {
		f.inventory.add(s)
	}
	return nil
}

func (s *inventory) outdated(now time.Time) bool {
	age := now.Sub(s.listed)
	return s.listed.IsZero() || len(s.stocks) <= fewBackups || age < 0 || age >= listAgain
}

// list makes the inventory anew. What could not be looked at is left out, and looked at again the next time.
func (f *File) list() error {
	f.witness.forget()
	now := f.opts.Now()
	backups, err := names.Backups(f.opts.Dir, f.opts.Name)
	if err != nil {
		f.inventory = inventory{listings: f.inventory.listings}
		return err
	}
	made := inventory{listed: now, listings: f.inventory.listings + 1}
	made.stocks, err = f.stocks(backups)
	for _, s := range made.stocks {
		made.bytes += s.bytes
	}
	if err != nil {
		made.listed = time.Time{}
	}
	f.inventory = made
	return err
}

// stocks groups the files of backups, which are in the order of names.Backups, by their stamp.
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
			stocks = append(stocks, f.opts.stock(b.Stamp))
		}
		s := &stocks[len(stocks)-1]
		s.files = append(s.files, b)
		s.bytes += bytes
	}
	return stocks, errors.Join(errs...)
}

func (o Options) stock(stamp time.Time) stock { return stock{stamp: stamp, made: o.instant(stamp)} }

// bytesOf is the size of a backup's file; 0 if no limit asks for it, since there may be very many.
func (f *File) bytesOf(b names.Backup) (int64, error) {
	if !f.opts.limitsBytes() {
		return 0, nil
	}
	info, err := os.Lstat(filepath.Join(f.opts.Dir, b.Name))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (o Options) limitsBytes() bool {
	return o.MaxTotalBytes > 0 || o.MinFreeBytes > 0 || o.HoldBytes > 0
}

// noteRotatedLocked enters the backup that a rotation has just made, with its size, for the next takeStock.
func (f *File) noteRotatedLocked(name string, bytes int64) {
	s := f.opts.stock(f.newest)
	s.files = []names.Backup{{Name: name, Stamp: f.newest}}
	if f.opts.limitsBytes() {
		s.bytes = bytes
	}
	f.rotated = append(f.rotated, s)
	f.rotations++
	f.noteWaiting(s.stamp)
}

// add enters a backup unless it is known, as it is if it was made while the directory was listed.
func (s *inventory) add(made stock) {
	i, known := s.find(made.stamp)
	if known {
		return
	}
	s.stocks = slices.Insert(s.stocks, i, made)
	s.bytes += made.bytes
}

// find returns where in stocks a stamp is, or belongs.
func (s *inventory) find(stamp time.Time) (int, bool) {
	return slices.BinarySearchFunc(s.stocks, stamp, func(s stock, stamp time.Time) int { return s.stamp.Compare(stamp) })
}

// notePacked enters that the file b is now the file of another name, of so many bytes. f.tidying must be held.
func (f *File) notePacked(b, packed names.Backup, bytes int64) {
	i, known := f.inventory.find(b.Stamp)
	others := func(file names.Backup) bool { return file != b && file != packed }
	if !known || slices.ContainsFunc(f.inventory.stocks[i].files, others) {
		_ = f.listNext(nil)
		return
	}
	s := &f.inventory.stocks[i]
	f.inventory.bytes -= s.bytes
	s.files, s.bytes = []names.Backup{packed}, 0
	if f.opts.limitsBytes() {
		s.bytes = bytes
	}
	f.inventory.bytes += s.bytes
}

// listNext makes the next takeStock list the directory: after err it is not sure what is there. f.tidying must be held.
func (f *File) listNext(err error) error {
	f.inventory.listed = time.Time{}
	return err
}

// unpacked returns the backups of which something is to be packed, in the order in which that is to be done: compressed the
// oldest first; encrypted the newest first, since none shall lie open for long that has just been rotated.
func (f *File) unpacked() ([]stock, error) {
	f.tidying.Lock()
	defer f.tidying.Unlock()
	if err := f.takeStock(); err != nil {
		return nil, err
	}
	f.listWaiting()
	encrypting := f.opts.Encrypter != nil
	var found []stock
	for _, s := range f.inventory.stocks {
		if s.files[0].Ending == "" || encrypting && len(s.unencrypted()) > 0 {
			found = append(found, s)
		}
	}
	if encrypting {
		slices.Reverse(found)
	}
	return found, nil
}
