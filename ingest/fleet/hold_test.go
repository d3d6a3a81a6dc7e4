package fleet

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"hbjournal/sink/forward/stream"
)

// What the stream holds behind a hole is taken from it, though the receiver has pruned that meanwhile.
func TestOnlyWhatTheStreamDoesNotHoldIsAGap(t *testing.T) {
	pruned := stream.Gone{From: 0, Reason: stream.GonePruned}
	gap := func(n, first int) string {
		return fmt.Sprintf(`"message":{"ID":"JRN","event":"gap","reason":"pruned","lost":%d,"first":%s,"last":%d.000}}`, n,
			map[bool]string{true: "0.000", false: fmt.Sprintf("%d.000", 1774699200+first-1)}[first == 0], 1774699200+first+n)
	}
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
	a.engine.put(message(t, "other", "o", 0, lines(0, 3), none))
	a.engine.put(message(t, "rx", "j", 25, lines(25, 30), none))
	a.run(func(f Figures) bool { return f.Messages == 3 && f.Asked == 1 })
	a.engine.put(message(t, "rx", "j", 40, lines(40, 50), pruned))
	if f := a.run(func(f Figures) bool { return f.Lines >= 25 }); f.Lost != 25 {
		t.Errorf("got %+v, want 25 lines lost", f)
	}
	got := a.joined("rx")
	var rest []byte
	gaps := 0
	for line := range bytes.Lines(got) {
		if bytes.Contains(line, []byte(`"event":"gap"`)) {
			gaps++
			continue
		}
		rest = append(rest, line...)
	}
	want := append(append(lines(10, 20), lines(25, 30)...), lines(40, 50)...)
	if !bytes.Equal(rest, want) || gaps != 3 || !bytes.Contains(got, []byte(gap(5, 20))) || !bytes.Contains(got, []byte(gap(10, 30))) {
		t.Errorf("got %d gaps:\n%s", gaps, got)
	}
}

// The receiver prunes on while it fills the hole.
func TestWhatTheReceiverPrunesWhileItFillsAHoleIsTakenFromTheStream(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
	a.engine.put(message(t, "rx", "j", 5, lines(5, 10), stream.Gone{From: 0, Reason: stream.GonePruned}))
	a.engine.put(message(t, "rx", "j", 20, lines(20, 30), stream.Gone{From: 10, Reason: stream.GonePruned}))
	if f := a.run(func(f Figures) bool { return f.Lines >= 25 }); f.Lost != 5 {
		t.Errorf("got %+v, want 5 lines lost", f)
	}
	if got := a.joined("rx"); !bytes.HasSuffix(got, lines(5, 30)) || bytes.Count(got, []byte{'\n'}) != 26 {
		t.Errorf("got\n%s", got)
	}
}

func TestTheStreamIsKeptBehindAHoleForAWhileOnly(t *testing.T) {
	a := newArchive(t)
	clock := start()
	archiver := a.dealing(&clock)
	want := func(saved uint64) {
		t.Helper()
		archiver.tick()
		if err := archiver.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := archiver.loadPosition().Offsets[0]; got != saved {
			t.Errorf("what is purged goes up to message %d, want %d", got, saved)
		}
	}
	for i, m := range []Message{
		message(t, "rx", "j", 0, lines(0, 10), none), message(t, "rx", "j", 20, lines(20, 30), none), message(t, "other", "o", 0, lines(0, 3), none),
	} {
		m.Offset = uint64(i) + 1
		archiver.message(m)
	}
	want(1)
	clock = clock.Add(holdFor)
	want(1)
	clock = clock.Add(time.Second)
	want(3)
}

func goneFrom(from int64) stream.Gone { return stream.Gone{From: from, Reason: stream.GonePruned} }

// A healing that came half way, and then the receiver prunes.
func TestWhatTheStreamHoldsBehindAHalfHealedHoleIsNoGap(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.engine.put(message(t, "rx", "j", 20, lines(20, 30), none))
	a.engine.put(message(t, "rx", "j", 10, lines(10, 15), none))
	a.engine.put(message(t, "rx", "j", 40, lines(40, 50), goneFrom(15)))
	a.run(func(Figures) bool { return a.endsWith(lines(40, 50)) })
	if got := a.joined("rx"); !bytes.Contains(got, lines(20, 30)) {
		t.Errorf("lines 20 to 30 are in the stream and not here:\n%s", got)
	}
}

// The stream holds them out of order.
func TestWhatIsHeldOutOfOrderIsNoGap(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 25, lines(25, 30), none))
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none)) // sent once more, as another archiver asked
	a.engine.put(message(t, "rx", "j", 20, lines(20, 30), none))
	a.engine.put(message(t, "rx", "j", 40, lines(40, 50), goneFrom(0)))
	a.run(func(Figures) bool { return a.endsWith(lines(40, 50)) })
	if got := a.joined("rx"); !bytes.Contains(got, lines(10, 25)) {
		t.Errorf("lines 10 to 25 are in the stream and not here:\n%s", got)
	}
}

// Hold runs out between early and tick.
func TestAGoneMessageAtTheEndOfAHoldIsReadAgain(t *testing.T) {
	a := newArchive(t)
	clock := start()
	archiver := a.dealing(&clock)
	for i, m := range []Message{
		message(t, "rx", "j", 0, lines(0, 10), none), message(t, "rx", "j", 20, lines(20, 30), none), message(t, "rx", "j", 40, lines(40, 50), goneFrom(10)),
	} {
		if i == 2 {
			clock = clock.Add(holdFor)
		}
		m.Offset = uint64(i) + 1
		archiver.message(m)
	}
	clock = clock.Add(time.Second)
	archiver.tick()
	if archiver.turn == 0 {
		t.Errorf("it does not go back; position %v, number %d", archiver.position, archiver.receivers["rx"].Number)
	}
}

// Two journals under a name of which no line came.
func TestTwoJournalsBeforeTheFirstLineDoNotHaveAllReadAgainAndAgain(t *testing.T) {
	a := newArchive(t)
	clock := start()
	archiver := a.dealing(&clock)
	all := []Message{message(t, "rx", "x", 10, lines(10, 20), none), message(t, "rx", "y", 40, lines(40, 50), goneFrom(0))}
	for range 200 {
		for i, m := range all {
			m.Offset = uint64(i) + 1
			archiver.message(m)
		}
		clock = clock.Add(time.Second)
		before := archiver.turn
		archiver.tick()
		if archiver.turn == before {
			break
		}
	}
	if archiver.turn > 2 {
		t.Errorf("it went back %d times, journal %q", archiver.turn, archiver.receivers["rx"].Journal)
	}
}

// Going back for one receiver reads again what is held for another.
func TestGoingBackForOneDoesNotReadWhatIsHeldForAnother(t *testing.T) {
	a := newArchive(t)
	clock := start()
	archiver := a.dealing(&clock)
	var all []Message
	put := func(m Message) {
		m.Offset = uint64(len(all)) + 1
		all = append(all, m)
	}
	put(message(t, "y", "y", 10, lines(10, 20), none)) // It stays behind a hole.
	for i := range 1000 {
		put(message(t, "z", "z", int64(i), lines(i, i+1), none))
	}
	n := int64(0)
	for range 10 {
		put(message(t, "x", "x", n+1, lines(1, 2), none))
		put(message(t, "x", "x", n+3, lines(3, 4), goneFrom(n)))
		n += 4
	}
	dealt := 0
	for i := 0; i < len(all); {
		archiver.message(all[i])
		dealt++
		i++
		if turn := archiver.turn; i > 1001 && i%2 == 1 { // behind a message of x that tells of a gap
			clock = clock.Add(time.Second)
			archiver.tick()
			if archiver.turn != turn {
				i = int(archiver.position.Offsets[0])
			}
		}
	}
	if dealt > 2*len(all) {
		t.Errorf("%d messages were dealt with, of %d", dealt, len(all))
	}
}
