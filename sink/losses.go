package sink

import (
	"slices"
	"time"

	"github.com/rs/zerolog"

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

// appendMessage appends the message of the note about l.
func (l *loss) appendMessage(dst []byte) []byte {
	return journal.GapNote{
		Reason: l.reason, Lost: l.lost, First: journal.InstantOf(l.first), Last: journal.InstantOf(l.last),
	}.Append(dst)
}

// losses counts what is lost, and remembers what is still to be noted.
type losses struct {
	total    map[string]uint64 // by reason, for ever
	pending  []loss            // their notes are not in the queue yet; one for each reason
	owed     []loss            // their notes are not in the file yet; one for each reason
	lastNote time.Time
}

// add counts a loss.
func (l *losses) add(reason string, lost uint64, first, last time.Time) {
	l.total[reason] += lost
	l.owe(loss{reason: reason, lost: lost, first: first, last: last})
}

// owe has a loss noted, without counting it.
func (l *losses) owe(one loss) {
	l.pending = merged(l.pending, one)
	l.owed = merged(l.owed, one)
}

// merged adds one to the losses for the same reason.
func merged(list []loss, one loss) []loss {
	for i := range list {
		if l := &list[i]; l.reason == one.reason {
			l.lost += one.lost
			l.last = one.last
			return list
		}
	}
	return append(list, one)
}

// settled says that the note about one is in the file. What is owed beyond it was lost after the note was made.
func (l *losses) settled(one loss) {
	for i := range l.owed {
		if o := &l.owed[i]; o.reason == one.reason {
			o.lost -= one.lost
			o.first = one.last
			if o.lost == 0 {
				l.owed = slices.Delete(l.owed, i, i+1)
			}
			return
		}
	}
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

// lossLog tells the log of entries that the queue had no room for: at once when that begins, then once a minute, and of
// the rest when it is over.
type lossLog struct {
	log    zerolog.Logger
	seen   uint64    // how many there were when it was observed last
	told   uint64    // how many the log knows of
	last   time.Time // when more were last observed
	logged time.Time
}

// observe is given how many there have been so far. A clock that was set back puts nothing off.
func (l *lossLog) observe(now time.Time, total uint64) {
	quiet := now.Sub(l.last)
	news := quiet >= calm || quiet < 0 // If more are found, a loss begins; else one goes on.
	if total > l.seen {
		l.seen, l.last = total, now
	}
	if since := now.Sub(l.logged); news || since >= logPause || since < 0 {
		l.tell(now)
	}
}

// finish observes for the last time: there is no time left in which more could come.
func (l *lossLog) finish(now time.Time, total uint64) {
	l.seen = total
	l.tell(now)
}

// tell logs what the log does not know yet.
func (l *lossLog) tell(now time.Time) {
	if l.seen == l.told {
		return
	}
	l.log.Error().Uint64("lost", l.seen-l.told).Uint64("lost_so_far", l.seen).
		Msg("journal loses entries: the buffer for what waits for the disk is full")
	l.told, l.logged = l.seen, now
}
