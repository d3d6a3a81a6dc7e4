package rotate

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
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
	told   map[time.Time]bool // backups that the Holder was told of, since they are encrypted although it needs them
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

// Compress packs backups: it compresses those that are plain, and with an Encrypter it encrypts them, and those that were
// compressed before there was one. It returns when all are packed or when stop is closed. Each is written to the state
// directory in its last form, synced, read back and compared, and only then given its name; the file that it was made of is
// removed when that name is on the disk. Whatever a crash or stop leaves undone is done by the next call, and a backup that
// cannot be packed stays as it is. Before that it mends those backups that Open has left to it. Writing, rotating and tidying
// up go on meanwhile.
func (f *File) Compress(stop <-chan struct{}) {
	f.packing.mu.Lock()
	defer f.packing.mu.Unlock()
	if f.opts.Compression == "" && f.opts.Encrypter == nil && f.packing.tidy {
		return
	}
	p := &pace{stop: stop, restful: f.opts.OnRotate != nil, resumed: time.Now()}
	err := f.mendRest(p)
	if err == nil {
		r := &round{f: f, p: p, failed: make(map[string]attempt), tried: make(map[time.Time]bool)}
		err = r.run()
	}
	if errors.Is(err, errStopped) {
		return
	}
	f.packing.tidy = err == nil
	f.noteCompression(err)
}

// noteCompression says in the log when packing begins to fail and when that ends.
func (f *File) noteCompression(err error) {
	failing, again := "journal backups cannot be compressed; they stay plain and it is tried again", "journal backups can be compressed again"
	fault := func(s *Stats) *error { return &s.CompressErr }
	if f.opts.Encrypter != nil {
		failing, again = "journal backups cannot be encrypted; they stay as they are and it is tried again", "journal backups can be encrypted again"
		fault = func(s *Stats) *error { return &s.EncryptErr }
	}
	var before error
	f.figures.change(func(s *Stats) { before, *fault(s) = *fault(s), err })
	switch {
	case err != nil && before == nil:
		f.opts.Log.Warn().Err(err).Msg(failing)
	case err == nil && before != nil:
		f.opts.Log.Info().Msg(again)
	}
}

// packStock packs a backup, or finishes what a crash left half done.
func (f *File) packStock(s stock, p *pace) error {
	switch {
	case f.opts.Encrypter != nil:
		return f.encryptStock(s, p)
	case len(s.files) > 1:
		return f.finishCompression(s.files[0], s.files[1], p)
	case f.opts.Compression == "":
		return nil
	}
	return f.pack(s.files[0], f.formOf(s.files[0], s), p)
}

// pack replaces the file b of a backup by one of another form.
func (f *File) pack(b names.Backup, to form, p *pace) error {
	began := f.opts.Now()
	plain := filepath.Join(f.opts.Dir, b.Name)
	source, info, err := openPlain(plain)
	if err != nil || sameFileAt(source, f.path) {
		// Gone, or not yet rotated away: nothing to do, or not now.
		return errors.Join(ignoreMissing(err), closeIf(source))
	}
	f.at(stepBegun)
	packed, sum, err := f.packAside(source, info, to, p)
	if err := errors.Join(err, source.Close()); err != nil {
		return errors.Join(err, removeIf(packed))
	}
	final := to.nameOf(b)
	f.tellPacked(b, final, packed, sum)
	f.at(stepTold)
	size, err := f.publish(packed, b, final, info)
	if err != nil || size == 0 {
		return errors.Join(err, removeIf(packed))
	}
	f.countPacked(to, info.Size(), size)
	line := f.opts.Log.Info().Str("backup", final.Name).Int64("bytes", info.Size()).Dur("took", f.opts.Now().Sub(began))
	if to.encrypter != nil {
		line.Int64("encrypted", size).Msg("journal backup encrypted")
	} else {
		line.Int64("compressed", size).Msg("journal backup compressed")
	}
	return nil
}

// packedPath is where a packed copy lies until it is whole; depth is that of the interruption in which it is made.
func (f *File) packedPath(depth int) string {
	path := filepath.Join(f.opts.stateDir(), "compressing")
	if depth > 0 {
		path += "." + strconv.Itoa(depth)
	}
	return path
}

// removePacked removes the copies that were not made whole.
func (f *File) removePacked() error {
	var errs []error
	for depth := range maxDepth + 1 {
		errs = append(errs, removeIf(f.packedPath(depth)))
	}
	return errors.Join(errs...)
}

func (f *File) countPacked(to form, bytes, packed int64) {
	f.figures.change(func(s *Stats) {
		if to.compression != "" {
			s.Compressed++
			s.CompressedFrom += uint64(bytes)
			s.CompressedTo += uint64(packed)
		}
		if to.encrypter != nil {
			s.Encrypted++
		}
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

// packAside makes the packed copy of source in the state directory, with its mode and time, on the disk and
// compared. It returns the copy's path, also when it failed half-way, and its SHA-256; "" if there is no copy.
func (f *File) packAside(source *os.File, info fs.FileInfo, to form, p *pace) (path string, sum [sha256.Size]byte, err error) {
	free, err := freeBytes(f.opts.Dir)
	if err == nil && free < info.Size()+f.opts.MinFreeBytes {
		return "", sum, fmt.Errorf("%d bytes are free on the disk: not enough for a copy beside its %d bytes", free, info.Size())
	}
	path = f.packedPath(p.depth)
	packed, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|openNoFollow, 0o600)
	if err != nil {
		return "", sum, err
	}
	sum, err = f.fillPacked(packed, source, info, to, p)
	return path, sum, errors.Join(err, packed.Close())
}

func (f *File) fillPacked(packed, source *os.File, info fs.FileInfo, to form, p *pace) (sum [sha256.Size]byte, err error) {
	hash := sha256.New()
	back, err := to.write(io.MultiWriter(packed, hash), pacedReader{source, p}, info)
	if err != nil {
		return sum, err
	}
	hash.Sum(sum[:0])
	f.at(stepWritten)
	return sum, f.settlePacked(packed, source, info, back, to, p)
}

// settlePacked makes the copy durable, and compares it with what it is a copy of.
func (f *File) settlePacked(packed, source *os.File, info fs.FileInfo, back func(io.Reader) (io.Reader, error), to form, p *pace) error {
	if err := packed.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err := os.Chtimes(packed.Name(), info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	if err := packed.Sync(); err != nil {
		return err
	}
	f.at(stepSynced)
	if err := rewind(packed, source); err != nil {
		return err
	}
	text, err := back(pacedReader{packed, p})
	if err != nil {
		return err
	}
	return to.compression.holds(text, pacedReader{source, p})
}

func rewind(files ...*os.File) error {
	for _, file := range files {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	return nil
}

// compare reads both files from their starts.
func compare(packed, source *os.File, c Compression, p *pace) error {
	if err := rewind(packed, source); err != nil {
		return err
	}
	return c.holds(pacedReader{packed, p}, pacedReader{source, p})
}

// publish gives the packed copy its name, and removes the file b when that name is on the disk. It returns the size of the
// copy; 0: the file was pruned, moved or changed meanwhile, and the copy is of no use.
func (f *File) publish(packed string, b, final names.Backup, info fs.FileInfo) (int64, error) {
	f.tidying.Lock()
	defer f.tidying.Unlock()
	f.witness.begin()
	defer f.witness.end()
	now, err := os.Lstat(filepath.Join(f.opts.Dir, b.Name))
	if err != nil || !os.SameFile(now, info) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		return 0, ignoreMissing(err)
	}
	copied, err := os.Lstat(packed)
	if err != nil {
		return 0, err
	}
	rename := renameNew
	if path := filepath.Join(f.opts.Dir, final.Name); isEncrypted(final) && isRegular(path) {
		rename = os.Rename // A crash left it, and nobody can tell any more whether it is whole.
	}
	if err := rename(packed, filepath.Join(f.opts.Dir, final.Name)); err != nil {
		return 0, err
	}
	f.at(stepNamed)
	return copied.Size(), f.dropPlain(b, final, copied.Size())
}

func isRegular(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// dropPlain removes the file b, of which there is a packed copy of so many bytes. If someone else moved or removed it at
// this moment, it is theirs: then the copy goes, so that no entry stands in two files.
func (f *File) dropPlain(b, packed names.Backup, bytes int64) error {
	if err := syncDirectory(f.opts.Dir); err != nil {
		return f.listNext(err)
	}
	f.at(stepSure)
	err := os.Remove(filepath.Join(f.opts.Dir, b.Name))
	f.at(stepRemoved)
	if errors.Is(err, fs.ErrNotExist) {
		return f.listNext(ignoreMissing(os.Remove(filepath.Join(f.opts.Dir, packed.Name))))
	}
	if err != nil {
		return f.listNext(err)
	}
	f.notePacked(b, packed, bytes)
	f.listWaiting()
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
	return f.dropPlain(b, copied, info.Size())
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
