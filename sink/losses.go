package sink

import (
	"strconv"
	"time"

	"hbjournal/sink/journal"
)

// notePause keeps a queue that is full one moment and not the next from filling the journal with notes.
const notePause = time.Second

// loss is a run of entries lost for one reason, that the journal has no note of yet.
type loss struct {
	reason      string
	lost        uint64
	first, last time.Time
}

// appendMessage appends the message of the note about l. The reason is a plain word.
func (l *loss) appendMessage(dst []byte) []byte {
	dst = append(dst, `{"ID":"JRN","event":"gap","reason":"`...)
	dst = append(dst, l.reason...)
	dst = append(dst, `","lost":`...)
	dst = strconv.AppendUint(dst, l.lost, 10)
	dst = append(dst, `,"first":`...)
	dst = journal.AppendSeconds(dst, l.first.UnixMilli())
	dst = append(dst, `,"last":`...)
	dst = journal.AppendSeconds(dst, l.last.UnixMilli())
	return append(dst, '}')
}

// losses counts what is lost, and remembers what is still to be noted.
type losses struct {
	total    map[string]uint64 // by reason, for ever
	pending  []loss            // one a reason
	lastNote time.Time
}

func (l *losses) add(reason string, lost uint64, first, last time.Time) {
	l.total[reason] += lost
	for i := range l.pending {
		if p := &l.pending[i]; p.reason == reason {
			p.lost += lost
			p.last = last
			return
		}
	}
	l.pending = append(l.pending, loss{reason: reason, lost: lost, first: first, last: last})
}

// due reports whether another note may be written. A clock that was set back does not put it off.
func (l *losses) due(now time.Time) bool {
	since := now.Sub(l.lastNote)
	return since < 0 || since >= notePause
}

// noted says that the first pending loss has its note.
func (l *losses) noted(now time.Time) {
	l.pending = l.pending[1:]
	l.lastNote = now
}
