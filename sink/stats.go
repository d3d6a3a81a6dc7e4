package sink

import (
	"maps"

	"hbjournal/sink/journal"
)

// written counts what has reached the file.
type written struct {
	entries uint64 // that were appended
	notes   uint64 // of the journal's own
	bytes   uint64
}

func (w *written) add(c *chunk, n, entries int) {
	w.bytes += uint64(n)
	if c.note {
		w.notes += uint64(entries)
	} else {
		w.entries += uint64(entries)
	}
}

// Stats are the figures of a Journal since it was opened, taken at one moment.
type Stats struct {
	CurrentSize       int64 `json:"current_size"`       // bytes in the live file
	RotationThreshold int64 `json:"rotation_threshold"` // Options.MaxBytes
	DiskFree          int64 `json:"disk_free"`          // bytes on its file system, a second ago; -1: unknown

	Entries uint64 `json:"entries"` // written to the file
	Notes   uint64 `json:"notes"`   // entries of the journal's own, such as those about gaps; not in Entries
	Bytes   uint64 `json:"bytes"`   // written to the file, in Entries and Notes

	Queued      uint64 `json:"queued"` // entries accepted and not yet written
	QueuedBytes int64  `json:"queued_bytes"`

	// Dropped are the entries that never reach the file, by reason: "queue" (the buffer was full), "shutdown" (Close
	// gave up), and what NoteLoss was told.
	Dropped map[string]uint64 `json:"dropped"`

	Backups         int               `json:"backups"`
	Rotations       map[string]uint64 `json:"rotations"`       // by reason
	Removed         uint64            `json:"removed"`         // backups pruned
	Compressed      uint64            `json:"compressed"`      // backups compressed
	CompressedFrom  uint64            `json:"compressed_from"` // their bytes before
	CompressedTo    uint64            `json:"compressed_to"`   // their bytes after
	Encrypted       uint64            `json:"encrypted"`       // files of backups encrypted
	Unencrypted     int               `json:"unencrypted"`     // backups that wait to be encrypted; 0 if none are to be
	UnencryptedAge  float64           `json:"unencrypted_age"` // seconds that the first of them waits, from its rotation or the start
	ExternalChanges uint64            `json:"external_changes"`
	WriteErrors     uint64            `json:"write_errors"`
	LastWrite       journal.Instant   `json:"last_write,omitzero"`
	Degraded        map[string]string `json:"degraded,omitempty"`       // why, by what fails: "write", "path" or "fsync"
	RotationError   string            `json:"rotation_error,omitempty"` // why rotations are refused
	CleanUpError    string            `json:"clean_up_error,omitempty"`
	CompressError   string            `json:"compress_error,omitempty"`
	EncryptError    string            `json:"encrypt_error,omitempty"`
}

// Stats returns the figures at this moment.
func (j *Journal) Stats() Stats {
	file := j.file.Stats()
	s := Stats{
		CurrentSize:       file.Bytes,
		RotationThreshold: j.opts.MaxBytes,
		DiskFree:          file.DiskFree,
		Backups:           file.Backups,
		Rotations:         file.Rotations,
		Removed:           file.Removed,
		Compressed:        file.Compressed,
		CompressedFrom:    file.CompressedFrom,
		CompressedTo:      file.CompressedTo,
		ExternalChanges:   file.ExternalChanges,
		WriteErrors:       file.WriteErrors,
		Degraded:          texts(j.health.faults()),
		RotationError:     text(file.RotateErr),
		CleanUpError:      text(file.TidyErr),
		CompressError:     text(file.CompressErr),
		Encrypted:         file.Encrypted,
		Unencrypted:       file.Unencrypted,
		EncryptError:      text(file.EncryptErr),
	}
	if !file.UnencryptedSince.IsZero() {
		s.UnencryptedAge = max(0, j.opts.Now().Sub(file.UnencryptedSince).Seconds())
	}
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	s.Entries, s.Notes, s.Bytes = j.written.entries, j.written.notes, j.written.bytes
	s.Queued, s.QueuedBytes = j.queue.entries, j.queue.bytes
	s.Dropped = maps.Clone(j.losses.total)
	s.LastWrite = journal.InstantOf(j.lastWrite)
	return s
}

// Hangs reports whether a write has had no answer from the disk for five seconds. One that fails does not hang: a full
// disk answers at once.
func (j *Journal) Hangs() bool { return j.health.hangs("write") }

// lost is how many entries have been lost so far, for whatever reason.
func (j *Journal) lost() uint64 {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	var n uint64
	for _, lost := range j.losses.total {
		n += lost
	}
	return n
}

// dropped is how many entries the queue had no room for so far.
func (j *Journal) dropped() uint64 {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	return j.losses.total["queue"]
}

func texts(faults map[string]error) map[string]string {
	t := make(map[string]string, len(faults))
	for what, err := range faults {
		t[what] = err.Error()
	}
	return t
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
