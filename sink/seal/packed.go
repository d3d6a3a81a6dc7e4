package seal

import (
	"crypto/sha256"
	"fmt"
	"time"

	"hbjournal/sink/journal"
)

// storedCopy is what the bytes of a backup are that has been packed.
type storedCopy struct {
	Number int64  `json:"number"` // counts the packings of this tree, from 1
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 Hash   `json:"sha256"`
}

// packed is what the journal is about to have packed.
type packed struct {
	backup string // the name that it was rotated to
	copy   storedCopy
	done   chan struct{} // closed when it is in the ledger, or will not be
}

// packWait bounds how long a packing waits for the ledger.
const packWait = 5 * time.Second

// Packed is told that the text of a backup will be in the file stored, of so many bytes with this SHA-256. When it returns, the
// ledger has that, or it follows.
func (s *Sealer) Packed(backup, name string, bytes int64, sum [sha256.Size]byte) {
	p := packed{backup, storedCopy{Name: name, Bytes: bytes, SHA256: sum}, make(chan struct{})}
	timeout := time.NewTimer(packWait)
	defer timeout.Stop()
	s.mu.Lock()
	if len(s.sources) == 0 { // Nothing is sealed any more.
		s.mu.Unlock()
		return
	}
	s.packed = append(s.packed, p)
	s.wakeLocked(0)
	s.mu.Unlock()
	select {
	case <-p.done:
	case <-s.closing:
	case <-timeout.C:
	}
}

// notePacked enters what was packed.
func (w *work) notePacked() {
	w.s.mu.Lock()
	all := w.s.packed
	w.s.packed = nil
	w.s.mu.Unlock()
	var later []packed
	for _, p := range all {
		if w.isHashing([]string{p.backup}) {
			later = append(later, p)
			continue
		}
		if r := w.ledger.named(p.backup); r != nil { // Else it is older than the tree.
			one := p.copy
			w.ledger.packings++
			one.Number = w.ledger.packings
			r.Stored = &one
			if err := w.ledger.put(r, true); err != nil {
				w.s.opts.Log.Error().Err(err).Msg("seal cannot note what a packed backup is")
			}
			w.oweStored()
		}
		close(p.done)
		w.s.at(stepPacked)
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.packed = append(later, w.s.packed...)
}

// oweStored has a note of all packed backups written into the journal.
func (w *work) oweStored() {
	var from int64
	for _, r := range w.ledger.files {
		if r.Stored != nil && r.Pruned == "" {
			from = r.First
			break
		}
	}
	n := journal.StoredNote{Origin: w.origin, From: uint64(from), Number: uint64(w.ledger.packings)}
	files, sum := w.ledger.digest(n)
	n.Files, n.SHA256 = uint64(files), sum
	w.notes.owe(aboutStored, n.Append(nil))
}

// digest is the SHA-256 over what is known of the packed backups that a note is about.
func (l *ledger) digest(n journal.StoredNote) (files int, sum Hash) {
	text := sha256.New()
	for _, r := range l.files {
		if s := r.Stored; s != nil && r.First >= int64(n.From) && s.Number <= int64(n.Number) {
			fmt.Fprintf(text, "%d %d %q %d %x\n", r.First, r.Count, s.Name, s.Bytes, s.SHA256[:])
			files++
		}
	}
	text.Sum(sum[:0])
	return files, sum
}

// keepsStored reports whether the record of a file that is gone is still needed, for the digest in the last note in the journal.
func (w *work) keepsStored(r *fileRecord) bool {
	return r.Stored != nil && (w.notes.stored == nil || r.First >= int64(w.notes.stored.From))
}

// seedStored takes over the records of removed files that are still needed, when the others are made anew.
func (w *work) seedStored(old *ledger) {
	for _, r := range old.files {
		if r.Pruned != "" && r.Stored != nil && !isThere(w.s.opts.Dir, r.Name) {
			w.ledger.files = append(w.ledger.files, r)
		}
	}
}

// storedNoteIn is the note about packed backups of a tree that a line is.
func storedNoteIn(text []byte, origin string) (journal.StoredNote, bool) {
	message := noteIn(text)
	if message == nil {
		return journal.StoredNote{}, false
	}
	n, ok := journal.ParseStoredNote(message)
	return n, ok && n.Origin == origin
}
