package seal

import "time"

// The subjects of the notes that the seal writes into the journal, in the order in which they go there.
const (
	aboutBegin = iota
	aboutAdopted
	aboutPruned
	aboutCheckpoint
	subjects
)

// notes are those that are still to be written into the journal: of each subject the latest.
type notes struct {
	owed     [subjects][]byte
	flushed  time.Time // when one about removed files was written last
	before   int64     // what that one says
	sealedAt int64     // index of its leaf; 0: it was not seen yet
}

func (n *notes) owe(subject int, message []byte) { n.owed[subject] = message }

// flush writes what the journal has room for. A note about removed files waits a second after the last, and until other
// lines have come: where files are tiny, it would itself have the next one removed. last says that there is no
// next time.
func (n *notes) flush(w *work, last bool) {
	now := w.s.opts.Now()
	for subject, message := range n.owed {
		if message == nil || subject == aboutPruned && !last && (!elapsed(n.flushed, now, time.Second) || w.since.lines == 0) {
			continue
		}
		if w.note(message) != nil {
			return // There is no room; the next time.
		}
		n.owed[subject] = nil
		if subject == aboutPruned {
			n.flushed = now
		}
	}
}

// sawPruned says that a note about removed files is the leaf index.
func (n *notes) sawPruned(before, index int64) {
	if before >= n.before {
		n.before, n.sealedAt = before, index
	}
}

// prunedSealed reports whether a note that says before, or more, is among the first size leaves.
func (n *notes) prunedSealed(size, before int64) bool {
	return n.before >= before && n.sealedAt > 0 && n.sealedAt < size
}
