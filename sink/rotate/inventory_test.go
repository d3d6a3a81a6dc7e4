package rotate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/names"
)

// many is a number of backups of which a listing is kept.
const many = fewBackups + 50

// besideMany opens a journal with many backups of 10 bytes, one each second up to the clock's time, which does the
// tidying when the test asks for it.
func besideMany(t *testing.T, o Options) (*File, *clock) {
	t.Helper()
	c := at("2026-03-28 12:00:00")
	o.Dir, o.Now, o.OnRotate, o.NoSync = t.TempDir(), c.now, ownTidier, true
	for i := range many {
		stamp := c.at.Add(time.Duration(i-many) * time.Second)
		put(t, filepath.Join(o.Dir, names.OfBackup(name, stamp)+string(o.Compression)), "123456789\n")
	}
	return open(t, o), c
}

func backups(t *testing.T, f *File) []names.Backup {
	t.Helper()
	backups, err := names.Backups(f.opts.Dir, f.opts.Name)
	if err != nil {
		t.Fatal(err)
	}
	return backups
}

func TestRotationsBesideManyBackupsListTheDirectoryOnce(t *testing.T) {
	const limit = many * 10 // with an empty live file
	for how, o := range map[string]Options{
		"by number": {MaxBackups: many},
		"by size":   {MaxTotalBytes: limit},
		"by age":    {MaxAge: many * time.Second},
		"packed":    {MaxBackups: many, Compression: Gzip},
	} {
		t.Run(how, func(t *testing.T) {
			f, c := besideMany(t, o)
			f.Compress(nil)
			f.Tidy()
			listings := f.inventory.listings
			for i := range 40 {
				c.at = c.at.Add(100 * time.Millisecond)
				write(t, f, fmt.Sprintf("line %04d\n", i))
				rotate(t, f)
				f.Tidy()
				f.Compress(nil)
			}
			check(t, "listings by 40 rotations", f.inventory.listings-listings, 0)
			left := backups(t, f)
			check(t, "backups in the figures", f.Stats().Backups, len(left))
			check(t, "removed", f.Stats().Removed, uint64(many+40-len(left)))
			if o.MaxBackups > 0 || o.MaxTotalBytes > 0 {
				check(t, "backups", len(left), many)
			}
			if o.Compression == Gzip {
				check(t, "compressed", left[len(left)-1].Ending, ".gz")
			}
			checkInventory(t, f)
		})
	}
}

// checkInventory compares what is known with a listing.
func checkInventory(t *testing.T, f *File) {
	t.Helper()
	f.tidying.Lock()
	defer f.tidying.Unlock()
	if err := f.takeStock(); err != nil {
		t.Fatal(err)
	}
	known := fmt.Sprint(f.inventory.stocks, f.inventory.bytes)
	if err := f.list(); err != nil {
		t.Fatal(err)
	}
	check(t, "known backups", known, fmt.Sprint(f.inventory.stocks, f.inventory.bytes))
}

// TestBackupsThatOthersTookAreNotCountedToTheLimit: else ours would go too early.
func TestBackupsThatOthersTookAreNotCountedToTheLimit(t *testing.T) {
	for what, do := range map[string]func(path string) error{
		"removed":    os.Remove,
		"renamed":    func(path string) error { return os.Rename(path, path+".1") },
		"compressed": func(path string) error { return os.Rename(path, path+".gz") },
	} {
		t.Run(what, func(t *testing.T) {
			f, c := besideMany(t, Options{MaxBackups: many})
			f.Tidy()
			taken := backups(t, f)[many/2-5 : many/2+5]
			for _, b := range taken {
				if err := do(filepath.Join(f.opts.Dir, b.Name)); err != nil {
					t.Fatal(err)
				}
			}
			laterChange(t, f)
			oldest := backups(t, f)[0]
			for range 10 {
				c.at = c.at.Add(time.Second / 10)
				write(t, f, "123456789\n")
				rotate(t, f)
				f.Tidy()
			}
			left := backups(t, f)
			check(t, "backups", len(left), many)
			check(t, "oldest is kept", left[0] == oldest, what != "compressed")
			checkInventory(t, f)
		})
	}
}

// laterChange moves the directory's modification time on, as the change just made would have if the file system's clock
// were fine enough.
func laterChange(t *testing.T, f *File) {
	t.Helper()
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(f.opts.Dir, later, later); err != nil {
		t.Fatal(err)
	}
}

// TestChangeThatTheDirectorysTimeHidesIsSeenByTheNextListing: it happened within one step of the file system's clock.
func TestChangeThatTheDirectorysTimeHidesIsSeenByTheNextListing(t *testing.T) {
	f, c := besideMany(t, Options{})
	f.Tidy()
	before, err := os.Stat(f.opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(f.opts.Dir, backups(t, f)[3].Name)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(f.opts.Dir, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(listAgain)
	f.Tidy()
	check(t, "backups", f.Stats().Backups, many-1)
}

func TestRotatingTidyingAndCompressingAtOnceKeepsTheInventoryRight(t *testing.T) {
	f, _ := besideMany(t, Options{MaxBackups: many, MaxTotalBytes: 1 << 20, Compression: Zstd})
	var others sync.WaitGroup
	done := make(chan struct{})
	for _, work := range []func(){f.Tidy, func() { f.Compress(done) }} {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					work()
				}
			}
		})
	}
	for i := range 100 {
		write(t, f, fmt.Sprintf("line %04d\n", i))
		rotate(t, f)
	}
	close(done)
	others.Wait()
	f.Tidy()
	check(t, "backups", len(backups(t, f)), many)
	check(t, "removed", f.Stats().Removed, 100)
	checkInventory(t, f)
}

// TestOldBackupsAreMendedBehindTheStart: the newest are mended by Open, the others by the first Compress.
func TestOldBackupsAreMendedBehindTheStart(t *testing.T) {
	dir := t.TempDir()
	for i := range many {
		stamp := at("2026-03-28 12:00:00").at.Add(time.Duration(i) * time.Second)
		put(t, filepath.Join(dir, names.OfBackup(name, stamp)), "whole\ntor")
	}
	f := open(t, Options{Dir: dir, OnRotate: ownTidier, NoSync: true})
	all := backups(t, f)
	text := func(i int) string { return read(t, filepath.Join(dir, all[i].Name)) }
	check(t, "the newest, opened", text(many-1), "whole\n")
	check(t, "the oldest, opened", text(0), "whole\ntor")
	stop := make(chan struct{})
	close(stop)
	f.Compress(stop)
	check(t, "the oldest, when it was stopped", text(0), "whole\ntor")
	f.Compress(nil)
	check(t, "the oldest, at rest", text(0), "whole\n")
	check(t, "moved aside", strings.Count(asides(t, dir), "tor"), many)
}
