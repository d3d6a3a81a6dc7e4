package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	// slotBytes is what a record and its header may take: one block of the file systems that there are.
	slotBytes = 4096
	slots     = 2
)

// reserve keeps one small record in the state directory, also when the disk is full: its file is written once in its
// whole length, and from then on overwritten in place. The record goes into two slots by turns, each with a number and
// a checksum, so that a power cut while one is written leaves the one before.
type reserve struct {
	opts Options

	mu     sync.Mutex
	file   *os.File // nil: it could not be made yet
	number uint64   // of the newest record
	record []byte
}

func (r *reserve) path() string { return filepath.Join(r.opts.stateDir(), "losses") }

// Kept is the record that Keep was given last, by this process or an earlier one; nil: there is none.
func (f *File) Kept() []byte {
	f.reserve.mu.Lock()
	defer f.reserve.mu.Unlock()
	return f.reserve.record
}

// Keep replaces the record, which has at most 4,000 bytes, and stays until it is replaced, through kill -9 too. It needs
// no room on a disk that had some when the journal was opened. With sync it is safe from a power cut.
func (f *File) Keep(record []byte, sync bool) error {
	r := &f.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.putLocked(record, sync && !r.opts.NoSync); err != nil {
		return fmt.Errorf("write %s: %w", r.path(), cause(err))
	}
	return nil
}

func (r *reserve) putLocked(record []byte, sync bool) error {
	slot := append(slotHeader(r.number+1, record), record...)
	if len(slot) > slotBytes {
		return fmt.Errorf("a record of %d bytes is too long", len(record))
	}
	if err := r.openLocked(); err != nil {
		return err
	}
	slot = append(slot, bytes.Repeat([]byte{'\n'}, slotBytes-len(slot))...)
	if _, err := r.file.WriteAt(slot, int64((r.number+1)%slots*slotBytes)); err != nil {
		return err
	}
	r.number++
	r.record = bytes.Clone(record)
	if sync {
		return r.file.Sync()
	}
	return nil
}

// slotHeader stands before a record.
func slotHeader(number uint64, record []byte) []byte {
	return fmt.Appendf(nil, "%016x %08x %04x\n", number, crc32.ChecksumIEEE(record), len(record))
}

// openLocked opens the file at the path, unless that has been done and it is still there, and takes the room that it
// needs.
func (r *reserve) openLocked() error {
	if r.file != nil && sameFileAt(r.file, r.path()) {
		return nil
	}
	file, err := os.OpenFile(r.path(), os.O_RDWR|os.O_CREATE|openNoFollow, r.opts.FileMode)
	if err != nil {
		return err
	}
	if err := r.adoptLocked(file); err != nil {
		return errors.Join(err, file.Close())
	}
	if r.file != nil {
		_ = r.file.Close() // Of a directory that is gone.
	}
	r.file = file
	return nil
}

// adoptLocked reads the newest record in file, or makes the file anew if it has not its whole length.
func (r *reserve) adoptLocked(file *os.File) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return notRegular(r.path(), info)
	case info.Size() != slots*slotBytes:
		return errors.Join(file.Chmod(r.opts.FileMode), takeRoom(file))
	}
	for slot := range slots {
		text, err := io.ReadAll(io.NewSectionReader(file, int64(slot*slotBytes), slotBytes))
		if err != nil {
			return err
		}
		if number, record, ok := parseSlot(text); ok && number > r.number {
			r.number, r.record = number, record
		}
	}
	return nil
}

// takeRoom fills file, so that nothing has to be found when it is overwritten.
func takeRoom(file *os.File) error {
	overwriteInPlace(file)
	if err := file.Truncate(0); err != nil {
		return err
	}
	if _, err := file.WriteAt(bytes.Repeat([]byte{'\n'}, slots*slotBytes), 0); err != nil {
		return err
	}
	return file.Sync()
}

// parseSlot is the inverse of what putLocked writes into a slot.
func parseSlot(text []byte) (number uint64, record []byte, ok bool) {
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	var sum uint32
	var length int
	if _, err := fmt.Sscanf(string(first), "%x %x %x", &number, &sum, &length); err != nil || length < 0 || length > len(rest) {
		return 0, nil, false
	}
	record = rest[:length]
	return number, record, bytes.Equal(slotHeader(number, record), append(first, '\n')) && crc32.ChecksumIEEE(record) == sum
}

func (r *reserve) open() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.openLocked()
}

func (r *reserve) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
