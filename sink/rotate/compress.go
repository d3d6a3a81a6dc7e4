package rotate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hbjournal/sink/names"
)

// Pauses between tries of compressions that failed: doubled from the first to the last.
const (
	firstCompressPause = time.Minute
	lastCompressPause  = time.Hour
)

// packing is the state of the compression of backups.
type packing struct {
	mu     sync.Mutex // held by Compress, so that two do not use the same temporary file
	failed map[string]attempt
	// unmended are backups whose last lines Open has not looked at. They are compressed after that.
	unmended []names.Backup
	tidy     bool // nothing is left half done of a time when backups were compressed
}

// attempt is the last try of a compression that failed.
type attempt struct {
	err   error
	pause time.Duration // until the next try
	again time.Time     // not before this
}

// waits reports whether it is too early to try again. A clock that was set back does not put it off.
func (a attempt) waits(now time.Time) bool {
	return a.err != nil && now.Before(a.again) && a.again.Sub(now) <= a.pause
}

func (a attempt) next(err error, now time.Time) attempt {
	pause := min(max(2*a.pause, firstCompressPause), lastCompressPause)
	return attempt{err, pause, now.Add(pause)}
}

// Compress compresses the plain backups, oldest first, and returns when all are or when stop is closed. Each is written
// to the state directory, synced, read back and compared, and only then given its name; the plain file is removed when
// that name is on the disk. Whatever a crash or stop leaves undone is done by the next call, and a backup that cannot
// be compressed stays as it is. Before that it mends those backups that Open has left to it. Writing, rotating and tidying up go on meanwhile.
func (f *File) Compress(stop <-chan struct{}) {
	f.packing.mu.Lock()
	defer f.packing.mu.Unlock()
	if f.opts.Compression == "" && f.packing.tidy {
		return
	}
	p := &pace{stop: stop, restful: f.opts.OnRotate != nil, resumed: time.Now()}
	err := f.mendRest(p)
	if err == nil {
		err = f.compressAll(p)
	}
	if errors.Is(err, errStopped) {
		return
	}
	f.packing.tidy = err == nil
	f.noteCompression(err)
}

// noteCompression says in the log when compressing begins to fail and when that ends.
func (f *File) noteCompression(err error) {
	var before error
	f.figures.change(func(s *Stats) { before, s.CompressErr = s.CompressErr, err })
	switch {
	case err != nil && before == nil:
		f.opts.Log.Warn().Err(err).Msg("journal backups cannot be compressed; they stay plain and it is tried again")
	case err == nil && before != nil:
		f.opts.Log.Info().Msg("journal backups can be compressed again")
	}
}

// compressAll tries every plain backup whose time has come. Its error is about the oldest of those that failed.
func (f *File) compressAll(p *pace) (first error) {
	plain, err := f.plain()
	if err != nil {
		return err
	}
	if err := removeIf(f.packedPath()); err != nil {
		return err
	}
	failed := make(map[string]attempt)
	for _, s := range plain {
		name := s.files[0].Name
		last := f.packing.failed[name]
		if !last.waits(f.opts.Now()) {
			err := f.compressOne(s, p)
			if errors.Is(err, errStopped) {
				return err
			}
			if err == nil {
				continue
			}
			last = last.next(fmt.Errorf("compress %s: %w", name, err), f.opts.Now())
		}
		failed[name] = last
		if first == nil {
			first = last.err
		}
	}
	f.packing.failed = failed
	return first
}

// compressOne compresses a plain backup, or finishes what a crash left half done.
func (f *File) compressOne(s stock, p *pace) error {
	if len(s.files) > 1 {
		return f.finishCompression(s.files[0], s.files[1], p)
	}
	return f.compress(s.files[0], p)
}

// compress replaces the plain backup b by a compressed one.
func (f *File) compress(b names.Backup, p *pace) error {
	if f.opts.Compression == "" {
		return nil
	}
	began := f.opts.Now()
	plain := filepath.Join(f.opts.Dir, b.Name)
	source, info, err := openPlain(plain)
	if err != nil || sameFileAt(source, f.path) {
		// Gone, or not yet rotated away: nothing to do, or not now.
		return errors.Join(ignoreMissing(err), closeIf(source))
	}
	packed, err := f.packAside(source, info, p)
	if err := errors.Join(err, source.Close()); err != nil {
		return errors.Join(err, removeIf(packed))
	}
	size, err := f.publish(packed, b, info)
	if err != nil || size == 0 {
		return errors.Join(err, removeIf(packed))
	}
	f.countCompressed(info.Size(), size)
	f.opts.Log.Info().Str("backup", b.Name+string(f.opts.Compression)).Int64("bytes", info.Size()).
		Int64("compressed", size).Dur("took", f.opts.Now().Sub(began)).Msg("journal backup compressed")
	return nil
}

// packedPath is where the compressed copy lies until it is whole.
func (f *File) packedPath() string { return filepath.Join(f.opts.stateDir(), "compressing") }

func (f *File) countCompressed(bytes, packed int64) {
	f.figures.change(func(s *Stats) {
		s.Compressed++
		s.CompressedFrom += uint64(bytes)
		s.CompressedTo += uint64(packed)
	})
}

// openPlain opens a backup for reading, if it is a regular file.
func openPlain(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openNoFollow, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// packAside makes the compressed copy of source in the state directory, with its mode and time, on the disk and
// compared. It returns the copy's path, also when it failed half-way; "" if there is no copy.
func (f *File) packAside(source *os.File, info fs.FileInfo, p *pace) (path string, err error) {
	free, err := freeBytes(f.opts.Dir)
	if err == nil && free < info.Size()+f.opts.MinFreeBytes {
		return "", fmt.Errorf("%d bytes are free on the disk: not enough for a copy beside its %d bytes", free, info.Size())
	}
	path = f.packedPath()
	packed, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|openNoFollow, 0o600)
	if err != nil {
		return "", err
	}
	err = f.fillPacked(packed, source, info, p)
	return path, errors.Join(err, packed.Close())
}

func (f *File) fillPacked(packed, source *os.File, info fs.FileInfo, p *pace) error {
	if err := f.opts.Compression.pack(packed, pacedReader{source, p}, info); err != nil {
		return err
	}
	if err := packed.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Chtimes(packed.Name(), info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	if err := packed.Sync(); err != nil {
		return err
	}
	return compare(packed, source, f.opts.Compression, p)
}

// compare reads both files from their starts.
func compare(packed, source *os.File, c Compression, p *pace) error {
	for _, file := range []*os.File{packed, source} {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	return c.holds(pacedReader{packed, p}, pacedReader{source, p})
}

// publish gives the compressed copy its name, and removes the plain backup b when that name is on the disk. It returns
// the size of the copy; 0: the plain backup was pruned, moved or changed meanwhile, and the copy is of no use.
func (f *File) publish(packed string, b names.Backup, info fs.FileInfo) (int64, error) {
	f.tidying.Lock()
	defer f.tidying.Unlock()
	f.witness.begin()
	defer f.witness.end()
	plain := filepath.Join(f.opts.Dir, b.Name)
	now, err := os.Lstat(plain)
	if err != nil || !os.SameFile(now, info) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		return 0, ignoreMissing(err)
	}
	copied, err := os.Lstat(packed)
	if err != nil {
		return 0, err
	}
	final := plain + string(f.opts.Compression)
	if err := renameNew(packed, final); err != nil {
		return 0, err
	}
	return copied.Size(), f.dropPlain(b, string(f.opts.Compression), copied.Size())
}

// dropPlain removes the plain backup b, of which there is a compressed copy with this ending and so many bytes. If
// someone else moved or removed it at this moment, it is theirs: then the copy goes, so that no entry stands in two files.
func (f *File) dropPlain(b names.Backup, ending string, bytes int64) error {
	plain := filepath.Join(f.opts.Dir, b.Name)
	if err := syncDirectory(f.opts.Dir); err != nil {
		return f.listNext(err)
	}
	err := os.Remove(plain)
	if errors.Is(err, fs.ErrNotExist) {
		return f.listNext(ignoreMissing(os.Remove(plain + ending)))
	}
	if err != nil {
		return f.listNext(err)
	}
	f.notePacked(b, ending, bytes)
	return nil
}

// finishCompression removes the plain backup that a crash left beside its compressed copy, if that is what it is. What
// else has its name, or an encrypted copy, is not ours to judge: both stay, and count as one backup.
func (f *File) finishCompression(b, copied names.Backup, p *pace) error {
	c := Compression(copied.Ending)
	if c != Gzip && c != Zstd {
		return nil
	}
	plain, final := filepath.Join(f.opts.Dir, b.Name), filepath.Join(f.opts.Dir, copied.Name)
	source, _, err := openPlain(plain)
	if err != nil {
		return ignoreMissing(err)
	}
	packed, info, err := openPlain(final)
	if err != nil {
		return errors.Join(ignoreMissing(err), source.Close())
	}
	err = compare(packed, source, c, p)
	if err := errors.Join(err, packed.Close(), source.Close()); err != nil {
		return fmt.Errorf("%s beside it is no whole copy, both are kept: %w", copied.Name, err)
	}
	f.tidying.Lock()
	defer f.tidying.Unlock()
	f.witness.begin()
	defer f.witness.end()
	return f.dropPlain(b, copied.Ending, info.Size())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func removeIf(path string) error {
	if path == "" {
		return nil
	}
	return ignoreMissing(os.Remove(path))
}

func closeIf(file *os.File) error {
	if file == nil {
		return nil
	}
	return file.Close()
}
