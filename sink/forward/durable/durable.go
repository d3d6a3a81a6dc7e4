// Package durable is for small files that must be right after whatever crash: a text that is replaced at once, a lock, a
// new file under an old name.
//
// Slots is a file with room for two copies of a text, in different sectors, each with its number and checksum. A change
// writes the older copy, so that one is whole at any instant, and costs one fdatasync. People can read it with cat.
package durable

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrInUse is wrapped by the error of Lock when another process holds the lock.
var ErrInUse = errors.New("another process holds it")

// ErrDamaged is wrapped by errors of slots that hold no whole text.
var ErrDamaged = errors.New("the file is damaged: neither of its two texts is whole")

// ErrRoom is wrapped by the error of Write about a text that is too long for the slots of a file: CreateSlots makes larger ones.
var ErrRoom = errors.New("it does not fit")

// MaxText is how long a text in Slots may be, in bytes.
const MaxText = largestSlot - slotFrame

// A slot has one of these sizes, or one of the doubles between: as large as the first text needs, or less if a shorter one followed.
const (
	smallestSlot = 4 << 10
	largestSlot  = 1 << 20
	slotFrame    = 32 // of it are for the number, the checksum and the newline
)

// Slots is an open file of that kind.
type Slots struct {
	file    *os.File
	size    int64 // of a slot
	seq     uint64
	slot    int64 // that is written to: never the one with the last text that is durable
	written bool  // and not durable yet
	buf     []byte
}

// OpenSlots opens the file and returns its text. If it is not there the error wraps fs.ErrNotExist.
func OpenSlots(path string) (s *Slots, text []byte, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|NoFollow, 0)
	if err != nil {
		return nil, nil, err
	}
	s, text, err = readSlots(file)
	if err == nil {
		err = SyncData(file) // Whoever wrote it may have been killed before he did.
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	s.file = file
	return s, text, nil
}

// ReadSlots returns the text in the file, which another process may have open.
func ReadSlots(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|NoFollow, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, text, err := readSlots(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// CreateSlots makes the file with its first text, at once or not at all, in place of any that is there.
func CreateSlots(path string, text []byte) (*Slots, error) {
	s := &Slots{size: smallestSlot, seq: 1}
	for s.size < largestSlot && len(text) > int(s.size)-slotFrame {
		s.size *= 2
	}
	if err := s.encode(text); err != nil {
		return nil, err
	}
	file, err := Replace(path, slices.Concat(s.buf, s.buf))
	if err != nil {
		return nil, err
	}
	s.file = file
	return s, nil
}

// Write replaces the text. It is durable after Sync.
func (s *Slots) Write(text []byte) error {
	s.seq++
	if err := s.encode(text); err != nil {
		s.seq--
		return err
	}
	s.written = true
	_, err := s.file.WriteAt(s.buf, s.slot*s.size)
	return err
}

// Sync forces what was written to the disk. Until it has, the same slot is written again: the other one is whole.
func (s *Slots) Sync() error {
	err := SyncData(s.file)
	if err == nil && s.written {
		s.slot, s.written = 1-s.slot, false
	}
	return err
}

// Lock keeps other processes from locking it, until it is closed.
func (s *Slots) Lock() error { return lockFile(s.file) }

// Close closes the file.
func (s *Slots) Close() error { return s.file.Close() }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode puts into buf: number, text, checksum of both, and spaces up to the newline.
func (s *Slots) encode(text []byte) error {
	if bytes.ContainsRune(text, '\n') {
		return errors.New("a text of more than one line")
	}
	if len(text) > int(s.size)-slotFrame {
		return fmt.Errorf("a text of %d bytes, on a line of %d: %w", len(text), s.size-slotFrame, ErrRoom)
	}
	s.buf = strconv.AppendUint(s.buf[:0], s.seq, 10)
	s.buf = append(append(s.buf, ' '), text...)
	s.buf = fmt.Appendf(s.buf, " %08x", crc32.Checksum(s.buf, castagnoli))
	s.buf = append(s.buf, bytes.Repeat([]byte{' '}, int(s.size)-1-len(s.buf))...)
	s.buf = append(s.buf, '\n')
	return nil
}

// readSlots returns the newest whole text, and slots of which the other is written next.
func readSlots(file io.Reader) (*Slots, []byte, error) {
	all, err := io.ReadAll(io.LimitReader(file, 2*largestSlot))
	if err != nil {
		return nil, nil, err
	}
	s, newest := &Slots{}, []byte(nil)
	for size := smallestSlot; size <= min(len(all), largestSlot); size *= 2 {
		i := int64(0)
		for part := range slices.Chunk(all, size) {
			if seq, text, ok := decode(part); ok && seq > s.seq {
				s.size, s.seq, s.slot, newest = int64(size), seq, 1-i, text
			}
			if i++; i == 2 {
				break
			}
		}
	}
	if s.seq == 0 {
		return nil, nil, ErrDamaged
	}
	return s, newest, nil
}

// decode is the inverse of encode.
func decode(slot []byte) (seq uint64, text []byte, ok bool) {
	slot = bytes.TrimRight(slot, " \n")
	at := bytes.LastIndexByte(slot, ' ')
	if at < 0 || fmt.Sprintf("%08x", crc32.Checksum(slot[:at], castagnoli)) != string(slot[at+1:]) {
		return 0, nil, false
	}
	number, text, _ := bytes.Cut(slot[:at], []byte{' '})
	seq, err := strconv.ParseUint(string(number), 10, 64)
	return seq, text, err == nil
}

// Lock opens the file at path, which is made if it is missing, and locks it for as long as it is open.
func Lock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|NoFollow, 0o640)
	if err != nil {
		return nil, err
	}
	if err := lockFile(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), lock.Close())
	}
	return lock, nil
}

// Replace gives path this content in one step, durably, and returns the file, open for writing.
func Replace(path string, text []byte) (*os.File, error) {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_EXCL|NoFollow, 0o640)
	if err != nil {
		return nil, err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err == nil {
		err = SyncDirectory(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.RemoveAll(temporary))
	}
	return file, nil
}

// MakeDirectory makes the directory and those above it that are missing, with this mode whatever the umask.
func MakeDirectory(dir string, mode fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := MakeDirectory(parent, mode); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil // Somebody else was faster.
	}
	if err == nil {
		err = os.Chmod(dir, mode)
	}
	if err == nil { // A power cut must not take what is then kept in it.
		err = SyncDirectory(filepath.Dir(dir))
	}
	if errors.Is(err, fs.ErrPermission) {
		if info, errStat := os.Stat(dir); errStat == nil && info.IsDir() && info.Mode().Perm() == mode.Perm() {
			return nil // Only that the directory above may not be read.
		}
	}
	return err
}
