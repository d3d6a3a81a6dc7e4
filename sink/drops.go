package sink

import (
	"cmp"
	"slices"
	"time"

	"hbjournal/sink/journal"
)

// socketDrops is how far the kernel's count of the datagrams that it dropped has been noted, of a socket that outlives the
// process. It is kept with what is owed, so together they say at any time what of the count the next process must note.
//
// A kill leaves what was kept last: before a note about drops is written, after it, and once a second. What was counted
// since then and is in no note, the next process finds in the kernel's count; of what is in a note, nothing is missing,
// unless the file was rotated, renamed or cut in the instant between the two. Then the drops of that one note are noted
// twice. A power cut ends the sockets too.
type socketDrops struct {
	Socket string `json:"socket"`
	Noted  uint32 `json:"noted"` // the count, which wraps, up to which it is noted or owed
	At     int64  `json:"at"`    // when it was looked at last, as far as that is kept; Unix milliseconds

	watched bool // by this process
}

// keptSockets bounds the record, of which each takes some 75 bytes. It is more than a service has.
const keptSockets = 32

// WatchDrops has what NoteDrops is told of the socket kept in the state directory from now on. The kernel's count of what
// it dropped there is at count. It returns how far that had been noted or owed before, by an earlier process, and when that
// looked last; both are zero for a socket that is new. Its name must be no other's, also after the next boot, and have at
// most 32 bytes.
func (j *Journal) WatchDrops(socket string, count uint32) (noted uint32, at time.Time) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	known := socketDrops{Socket: socket}
	for _, s := range j.drops {
		if s.Socket == socket && int32(count-s.Noted) >= 0 { // Else it is another's: a count does not run back.
			known = s
		}
	}
	j.drops = slices.DeleteFunc(j.drops, func(s socketDrops) bool { return s.Socket == socket })
	if len(j.drops) == keptSockets {
		j.forgetSocketLocked()
	}
	noted, at = known.Noted, journal.Instant(known.At).Time()
	known.At, known.watched = j.opts.Now().UnixMilli(), true
	j.drops = append(j.drops, known)
	return noted, at
}

// forgetSocketLocked makes room for another: most are of earlier boots, or of a unit that is no more. queue.mu must be held.
func (j *Journal) forgetSocketLocked() {
	oldest := slices.MinFunc(j.drops, func(a, b socketDrops) int {
		if a.watched != b.watched {
			return map[bool]int{false: -1, true: 1}[a.watched]
		}
		return cmp.Compare(a.At, b.At)
	})
	if oldest.watched {
		j.opts.Log.Warn().Int("most", keptSockets).
			Msg("more sockets are handed over than the journal can keep the drop counters of; the next start notes what is lost on the others again")
	}
	j.drops = slices.DeleteFunc(j.drops, func(s socketDrops) bool { return s.Socket == oldest.Socket })
}

// countDropsLocked adds to what is noted or owed of a socket that is watched. queue.mu must be held.
func (j *Journal) countDropsLocked(socket string, lost uint64, at time.Time) {
	for i := range j.drops {
		if s := &j.drops[i]; s.Socket == socket {
			s.Noted += uint32(lost)
			s.At = at.UnixMilli()
		}
	}
}
