package seal

import (
	"time"

	"hbjournal/sink/journal"
)

// The subjects of the notes that the seal writes into the journal, in the order in which they go there.
const (
	aboutBegin = iota
	aboutAdopted
	aboutPruned
	aboutStored
	aboutCheckpoint
	subjects
)

// notes are those that are still to be written into the journal: of each subject the latest.
type notes struct {
	owed     [subjects][]byte
	flushed  time.Time           // when one about removed files was written last
	before   int64               // what that one says
	sealedAt int64               // index of its leaf; 0: it was not seen yet
	storedAt int64               // since.all when a note about packed files was written
	stored   *journal.StoredNote // the last one about packed files that was seen
}

func (n *notes) owe(subject int, message []byte) { n.owed[subject] = message }

// flush writes what the journal has room for. A note about removed files waits a second after the last, and until other
// lines have come, and one about packed files until other lines have come than before the last: where files are tiny, it would
// itself have the next one removed, or packed. last says that there is no
// next time.
func (n *notes) flush(w *work, last bool) {
	now := w.s.opts.Now()
	for subject, message := range n.owed {
		switch {
		case message == nil:
			continue
		case last:
		case subject == aboutPruned && (!elapsed(n.flushed, now, time.Second) || w.since.lines == 0):
			continue
		case subject == aboutStored && w.since.all == n.storedAt:
			continue
		}
		if w.note(message) != nil {
			return // There is no room; the next time.
		}
		n.owed[subject] = nil
		w.s.at(stepNoted)
		if subject == aboutPruned {
			n.flushed = now
		}
		if subject == aboutStored {
			n.storedAt = w.since.all
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
