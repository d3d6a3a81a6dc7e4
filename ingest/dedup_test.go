package ingest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// deduped is a pipeline with a window of a second, and what it hands over.
func deduped() (*pipeline, *recorder) {
	to := &recorder{room: -1}
	p := newPipeline(Options{DedupWindow: time.Second})
	p.to = to
	return p, to
}

// take processes one datagram of the time that is millis after noon.
func take(p *pipeline, datagram, from string, millis int64) {
	p.begin()
	p.process([]byte(datagram), netip.AddrPortFrom(netip.MustParseAddr(from), 4000), time.UnixMilli(noonMillis+millis))
	p.end()
}

const noonMillis = 1711281600000

func TestCopiesWithinTheWindowCountOnceAndAreNotedWhenItCloses(t *testing.T) {
	p, to := deduped()
	take(p, htb, "192.0.2.7", 0)
	take(p, htb, "192.0.2.7", 10)
	take(p, strings.ReplaceAll(htb, ":", ": "), "192.0.2.7", 900)
	take(p, htb, "192.0.2.8", 900)
	take(p, plg, "192.0.2.7", 999)
	if len(to.notes) != 0 {
		t.Errorf("notes before the window closed: %q", to.notes)
	}
	take(p, htb, "192.0.2.7", 1000)
	want := []string{`{"ID":"JRN","event":"duplicate","count":2,"first":1711281600.000,"last":1711281600.900,"source_ip":"192.0.2.7"}`}
	if !slices.Equal(to.notes, want) {
		t.Errorf("notes: got %q, want %q", to.notes, want)
	}
	if got := strings.Count(to.text(), "\n"); got != 4 {
		t.Errorf("entries: got %d, want 4:\n%s", got, to.text())
	}
	if l := p.intake; l.Received != 6 || l.Accepted != 4 || l.Duplicate != 2 {
		t.Errorf("got %+v, want 6 received, 4 accepted, 2 duplicate", l)
	}
}

func TestWindowClosesWithoutTraffic(t *testing.T) {
	p, to := deduped()
	take(p, htb, "192.0.2.7", 0)
	take(p, htb, "192.0.2.7", 1)
	p.tick(noonMillis + 999)
	if len(to.notes) != 0 {
		t.Errorf("notes before the window closed: %q", to.notes)
	}
	p.tick(noonMillis + 1000)
	if len(to.notes) != 1 {
		t.Errorf("notes: got %q, want 1", to.notes)
	}
}

func TestWindowsAreClosedAtTheEnd(t *testing.T) {
	p, to := deduped()
	take(p, htb, "192.0.2.7", 0)
	take(p, htb, "192.0.2.7", 1)
	take(p, plg, "192.0.2.7", 1)
	p.finish()
	if len(to.notes) != 1 || p.dedup.length != 0 {
		t.Errorf("got notes %q and %d open windows, want 1 and none", to.notes, p.dedup.length)
	}
}

func TestClockSetBackClosesTheWindows(t *testing.T) {
	p, to := deduped()
	take(p, htb, "192.0.2.7", 0)
	take(p, htb, "192.0.2.7", 1)
	take(p, htb, "192.0.2.7", -3_600_000)
	if len(to.notes) != 1 || strings.Count(to.text(), "\n") != 2 {
		t.Errorf("got notes %q and entries\n%s\nwant one note and two entries", to.notes, to.text())
	}
}

func TestNoteWaitsUntilTheJournalHasRoom(t *testing.T) {
	p, to := deduped()
	take(p, htb, "192.0.2.7", 0)
	take(p, htb, "192.0.2.7", 1)
	to.room = 0
	p.tick(noonMillis + 5000)
	to.room = -1
	p.tick(noonMillis + 6000)
	if len(to.notes) != 1 {
		t.Errorf("notes: got %q, want 1", to.notes)
	}
}

func TestMemoryIsBoundedAndTheOldestIsForgottenFirst(t *testing.T) {
	p, to := deduped()
	for i := range dedupEntries + 100 {
		take(p, fmt.Sprintf(`{"n":%d}`, i), "192.0.2.7", 0)
	}
	if p.dedup.length > dedupEntries || len(p.dedup.slots) > dedupEntries {
		t.Errorf("windows: got %d with %d slots, want at most %d", p.dedup.length, len(p.dedup.slots), dedupEntries)
	}
	take(p, `{"n":0}`, "192.0.2.7", 0)
	take(p, fmt.Sprintf(`{"n":%d}`, dedupEntries+99), "192.0.2.7", 0)
	if got := p.intake.Duplicate; got != 1 {
		t.Errorf("duplicates: got %d, want that of the newest and not of the oldest", got)
	}
	to.room = 0
	for i := range dedupEntries {
		take(p, fmt.Sprintf(`{"m":%d}`, i), "192.0.2.7", 0)
	}
	if p.dedup.length > dedupEntries {
		t.Errorf("windows with a full journal: got %d", p.dedup.length)
	}
}

// TestJournalTellsTheTruthWhateverComes holds, for random traffic, that what was received is what is journaled and what
// the notes say was not.
func TestJournalTellsTheTruthWhateverComes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p, to := deduped()
	sent := 0
	for millis := int64(0); millis < 60_000; millis += r.Int64N(100) {
		take(p, fmt.Sprintf(`{"n":%d}`, r.IntN(5)), fmt.Sprintf("192.0.2.%d", r.IntN(3)), millis)
		sent++
	}
	p.finish()
	noted := 0
	for _, note := range to.notes {
		var copies int
		if _, err := fmt.Sscanf(note, `{"ID":"JRN","event":"duplicate","count":%d`, &copies); err != nil {
			t.Fatalf("note %s: %v", note, err)
		}
		noted += copies
	}
	if got := to.entries + noted; got != sent || noted == 0 {
		t.Errorf("got %d journaled and %d noted, want %d together", to.entries, noted, sent)
	}
}

func TestDedupDoesNotAllocate(t *testing.T) {
	p := newPipeline(Options{DedupWindow: time.Second})
	p.to = Discard{}
	message, i := []byte(benchHeartbeat), 0
	n := testing.AllocsPerRun(3*dedupEntries, func() {
		message[len(message)-2], message[len(message)-3] = byte(i), byte(i>>8)
		message[len(message)-4] = byte(i >> 16)
		i++
		for range 2 {
			p.isCopy(message, sender.Addr(), int64(i))
		}
	})
	if n != 0 {
		t.Errorf("got %v allocations a message, want 0", n)
	}
}
