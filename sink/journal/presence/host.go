package presence

import (
	"container/heap"
	"net/netip"
)

// host is what is known of one name. Instants are Unix milliseconds, 0 being none.
type host struct {
	name     string
	from     netip.Addr
	receiver *receiver // that heard it last

	address   string // from, as text
	addressOf netip.Addr

	last     int64 // its latest message
	beat     int64 // its latest beat
	beats    int64
	interval int64 // that it promised with it, in milliseconds; 0: none
	nth      int64 // which beat after it is the next to be judged; those before could not be heard
	booted   int64
	since    int64 // when it came to stand as it does

	fell     int64 // when it missed a beat; 0: it is not silent
	told     bool  // that it fell silent has been said: it had been for long enough
	quiet    int64 // when it missed one last
	returned int64 // its first beat since; 0: none came
	missed   int64 // beats before that
	doubt    bool  // that it fell silent was said and taken back, and nothing since

	doubted bool // whether its receiver heard at all is not known yet: it stands in receiver.doubts
	parked  bool // its receiver is not known to have listened that long yet: it stands in receiver.parked
	counted bool // in receiver.live
	gone    bool // it is forgotten

	key   int64 // when it is to be looked at
	place int   // in the queue; less than 0: it is not in it
}

// judged reports whether beats of h are waited for.
func (h *host) judged() bool { return h.interval > 0 && (h.fell == 0 || h.returned > 0) && !h.gone }

// dueAt returns when the beat is due that is to be judged next.
func (h *host) dueAt() int64 { return h.beat + h.nth*h.interval }

// recount has the receiver know whether h is one of those that should be heard.
func (h *host) recount() {
	if now := h.judged(); now != h.counted {
		h.counted = now
		if now {
			h.receiver.live++
		} else {
			h.receiver.live--
		}
	}
}

func half(interval int64) int64 { return (interval + 1) / 2 }

// queue is hosts by when they are to be looked at. A beat puts that off without moving the host: it is found out when its
// turn comes, which is once an interval, however many messages there are.
type queue []*host

// wait has h looked at at an instant.
func (b *Board) wait(h *host, at int64) {
	h.key = at
	if h.place < 0 {
		heap.Push(&b.queue, h)
	} else {
		heap.Fix(&b.queue, h.place)
	}
}

// unwait takes h out of the queue.
func (b *Board) unwait(h *host) {
	if h.place >= 0 {
		heap.Remove(&b.queue, h.place)
	}
}

func (q *queue) Len() int { return len(*q) }

func (q *queue) Less(i, j int) bool {
	a, b := (*q)[i], (*q)[j]
	return a.key < b.key || a.key == b.key && a.name < b.name
}

func (q *queue) Swap(i, j int) {
	s := *q
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

func (q *queue) Push(x any) {
	h := x.(*host)
	h.place = len(*q)
	*q = append(*q, h)
}

func (q *queue) Pop() any {
	s := *q
	h := s[len(s)-1]
	s[len(s)-1] = nil
	h.place = -1
	*q = s[:len(s)-1]
	return h
}
