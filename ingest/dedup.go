package ingest

import (
	"hash/maphash"
	"net/netip"
	"time"

	"hbjournal/sink/journal"
)

// dedupEntries is how many different messages a window remembers; with more of them the oldest are forgotten before
// their time. It takes about 6 MiB for each socket.
const dedupEntries = 1 << 16

// dedup finds messages that came before, from the same address and within a window. A window begins with a message that
// is journaled; its copies until the window closes are one burst. Messages are told apart by 64 bits of a keyed hash,
// which nobody outside can make two messages agree in. It is for one goroutine.
type dedup struct {
	window  int64             // in milliseconds
	message [2]maphash.Seed   // of the hash: for the message, and for the address
	slots   map[uint64]uint32 // in ring, by hash

	ring   []burst // in the order of their beginnings
	oldest int     // index in ring
	length int
}

// burst is a message with the copies of it.
type burst struct {
	hash        uint64
	from        netip.Addr
	first, last int64  // Unix milliseconds of the message and of its last copy
	copies      uint64 // that were not journaled
}

// newDedup returns nil if window is 0.
func newDedup(window time.Duration) *dedup {
	if window <= 0 {
		return nil
	}
	return &dedup{
		window:  max(1, window.Milliseconds()),
		message: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		slots:   make(map[uint64]uint32, dedupEntries),
		ring:    make([]burst, dedupEntries),
	}
}

// seen reports whether the message came before within its window, and counts it if so. Windows that are over should
// have been closed before.
func (d *dedup) seen(message []byte, from netip.Addr, millis int64) bool {
	hash := d.hash(message, from)
	if slot, ok := d.slots[hash]; ok {
		b := &d.ring[slot]
		b.copies++
		b.last = millis
		return true
	}
	slot := (d.oldest + d.length) % len(d.ring)
	d.ring[slot] = burst{hash: hash, from: from, first: millis, last: millis}
	d.slots[hash] = uint32(slot)
	d.length++
	return false
}

func (d *dedup) hash(message []byte, from netip.Addr) uint64 {
	addr := from.As16()
	return maphash.Bytes(d.message[0], message) ^ maphash.Bytes(d.message[1], addr[:])
}

// over returns the oldest burst if its window is over, or if there is no room for another one; nil otherwise. After a
// clock was set back, the windows of the time that is to come are over too.
func (d *dedup) over(millis int64) *burst {
	if d.length == 0 {
		return nil
	}
	b := &d.ring[d.oldest]
	if age := millis - b.first; age >= 0 && age < d.window && d.length < len(d.ring) {
		return nil
	}
	return b
}

// open reports whether there are windows that have not been closed.
func (d *dedup) open() bool { return d != nil && d.length > 0 }

// full reports whether the oldest burst must be forgotten before another message is looked at.
func (d *dedup) full() bool { return d.length == len(d.ring) }

// forget drops the oldest burst.
func (d *dedup) forget() {
	delete(d.slots, d.ring[d.oldest].hash)
	d.oldest = (d.oldest + 1) % len(d.ring)
	d.length--
}

// appendNote appends the message of the note about b.
func (b *burst) appendNote(dst []byte) []byte {
	return journal.DuplicateNote{Count: b.copies, First: journal.Instant(b.first), Last: journal.Instant(b.last), Source: b.from}.Append(dst)
}
