package rotate

import (
	"maps"
	"sync"
	"time"
)

// Stats are the figures of a File.
type Stats struct {
	Bytes          int64             // size of the live file
	DiskFree       int64             // bytes that may still be written to its file system, as of the last Check; -1: unknown
	Rotations      map[string]uint64 // by reason
	RotateErr      error             // why rotations are refused at present; nil: they are not
	TidyErr        error             // what the last Tidy could not do
	Backups        int               // kept, as of the last Tidy
	Removed        uint64            // backups removed
	Compressed     uint64            // backups compressed
	CompressedFrom uint64            // their bytes before
	CompressedTo   uint64            // their bytes after
	CompressErr    error             // what the last Compress could not do, without an Encrypter
	Encrypted      uint64            // files of backups encrypted
	EncryptErr     error             // what the last Compress could not do, with an Encrypter
	Unencrypted    int               // backups that wait to be encrypted; 0 without an Encrypter
	// UnencryptedSince is since when the first of them waits: its rotation, or the start of the process; zero: none does.
	UnencryptedSince time.Time
	ExternalChanges  uint64 // times the live file was replaced, removed or changed in size by someone else
	WriteErrors      uint64
}

// figures are the Stats under a lock of their own: reading them must not wait for a write that hangs.
type figures struct {
	mu      sync.Mutex
	stats   Stats
	waiting waiting
}

func (g *figures) change(change func(*Stats)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.stats)
}

// Stats returns the figures at this moment. It never waits for the disk.
func (f *File) Stats() Stats {
	f.figures.mu.Lock()
	defer f.figures.mu.Unlock()
	s := f.figures.stats
	s.Rotations = maps.Clone(s.Rotations)
	f.figures.waiting.statsLocked(&s)
	return s
}
