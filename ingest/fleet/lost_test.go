package fleet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"hbjournal/sink/crypt"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
)

// putBack returns a function that puts the positions of an archive and of rx back to what they are now, as a kill leaves them
// that comes after a write and before they are written.
func (a *archive) putBack() func() {
	a.t.Helper()
	texts := make(map[string][]byte)
	for _, name := range []string{".archive.d/position", "rx/.messages.journal.d/archive/position"} {
		path := filepath.Join(a.dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			a.t.Fatal(err)
		}
		texts[path] = text
	}
	return func() {
		a.t.Helper()
		for path, text := range texts {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

func (a *archive) wantEnd(receiver string, want []byte) {
	a.t.Helper()
	got := a.joined(receiver)
	if len(got) == 0 || !bytes.HasSuffix(want, got) {
		a.t.Errorf("receiver %s: got %d lines, want the last ones of %d:\n%.2000s", receiver, bytes.Count(got, []byte{'\n'}), bytes.Count(want, []byte{'\n'}), got)
	}
}

// One flush writes more than all files hold: the file that the place on the disk points to is pruned.
func TestAFlushThatPrunesItsOwnStartIsSurvivedByAKill(t *testing.T) {
	for _, whole := range []bool{true, false} {
		a := newArchive(t)
		a.tune = func(o *rotate.Options) { o.MaxBackups = 1 }
		a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
		a.read()
		putBack := a.putBack()
		a.engine.put(message(t, "rx", "j", 10, lines(10, 100), none))
		a.engine.put(message(t, "rx", "j", 100, lines(100, 190), none))
		a.run(func(f Figures) bool { return f.Lines == 180 })
		putBack()
		want := lines(0, 200)
		if !whole { // Killed within the write of the last message.
			live := filepath.Join(a.dir, "rx", "messages.journal")
			text, err := os.ReadFile(live)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(live, int64(bytes.IndexByte(text, '\n')+1)); err != nil {
				t.Fatal(err)
			}
		}
		a.engine.put(message(t, "rx", "j", 190, lines(190, 200), none))
		a.run(func(Figures) bool { return bytes.HasSuffix(a.joined("rx"), lines(190, 200)) })
		a.wantEnd("rx", want)
	}
}

// A compressed backup that holds what stands behind the place is damaged.
func TestATailThatCannotBeReadIsPassed(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	putBack := a.putBack()
	a.engine.put(message(t, "rx", "j", 10, lines(10, 30), none))
	a.engine.put(message(t, "rx", "j", 30, lines(30, 60), none))
	a.run(func(f Figures) bool { return f.Lines == 50 })
	putBack()
	live := filepath.Join(a.dir, "rx", "messages.journal")
	files, err := read.Files(filepath.Dir(live), "messages.journal")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files[:len(files)-1] {
		if err := os.Rename(file.Path, file.Path+".zst"); err != nil { // It is none.
			t.Fatal(err)
		}
	}
	before := a.joined("rx")
	a.engine.put(message(t, "rx", "j", 60, lines(60, 70), none))
	a.run(func(Figures) bool { return bytes.HasSuffix(a.joined("rx"), lines(60, 70)) })
	a.want("rx", append(before, lines(60, 70)...))
}

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

// dealing is an archiver that is given messages by hand, with a clock.
func (a *archive) dealing(clock *time.Time) *Archiver {
	a.t.Helper()
	o := a.options()
	o.Now = func() time.Time { return *clock }
	archiver, err := Open(o)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { archiver.Close() })
	archiver.began(Position{Stream: "one", Offsets: map[int32]uint64{0: 0}})
	return archiver
}

func TestTheStreamIsKeptBehindAHoleForAWhileOnly(t *testing.T) {
	a := newArchive(t)
	clock := time.Unix(1774699200, 0)
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

func TestWhatIsLookedThroughForALostPlaceDoesNotGrowWithMessages(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 3000), none))
	a.read()
	if err := os.Remove(filepath.Join(a.dir, "rx/.messages.journal.d/archive/position")); err != nil {
		t.Fatal(err)
	}
	clear(a.bucket.values)
	clock := time.Unix(1774699200, 0)
	archiver := a.dealing(&clock)
	r := newReceiver("rx", &archiver.opts)
	var looked atomic.Int64
	r.opt.Count = &looked
	archiver.receivers["rx"] = r
	for i := range 50 {
		m := message(t, "rx", "j", int64(9000+i), lines(9000+i, 9001+i), none)
		m.Offset = uint64(i) + 2
		archiver.message(m)
	}
	size := int64(len(lines(0, 3000)))
	if got := looked.Load(); got == 0 || got > 2*size {
		t.Errorf("%d bytes were read of a journal of %d for 50 messages", got, size)
	}
	m := message(t, "rx", "j", 2990, lines(2990, 3000), none)
	m.Offset = 60
	if archiver.message(m); !r.known || r.Number != 3000 {
		t.Errorf("the place is known: %v, %+v; want number 3000", r.known, r.place)
	}
}

func TestThePositionInAThousandsOfPartitionsIsKept(t *testing.T) {
	a := newArchive(t)
	clock := time.Unix(1774699200, 0)
	archiver := a.dealing(&clock)
	for range 2 {
		for i := range int32(5000) {
			archiver.position.Offsets[i] += 1<<40 + uint64(i)
		}
		if err := archiver.savePosition(); err != nil {
			t.Fatal(err)
		}
		if got := archiver.loadPosition(); !got.equal(archiver.position) {
			t.Errorf("got %d partitions, want %d", len(got.Offsets), len(archiver.position.Offsets))
		}
	}
}

// decoded is all that the journal of a receiver holds, read as people read it.
func (a *archive) decoded(receiver string, by read.Decrypter) []byte {
	a.t.Helper()
	source, err := read.Open(read.Options{Dir: filepath.Join(a.dir, receiver), Base: "messages.journal", Decrypter: by})
	if err != nil {
		a.t.Fatal(err)
	}
	defer source.Close()
	var all []byte
	var b read.Block
	for {
		err := source.Read(a.t.Context(), &b)
		if err == io.EOF {
			return all
		}
		if err != nil || b.Fault != nil {
			a.t.Fatal(err, b.Fault)
		}
		all = append(all, b.Data...)
	}
}

// rotate archives all that there is, and makes the live files backups.
func (a *archive) rotate() {
	a.t.Helper()
	archiver, err := Open(a.options())
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(a.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- archiver.Run(ctx) }()
	if err := archiver.Rotate(); err != nil {
		a.t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		a.t.Error(err)
	}
}

func TestWhatStandsBehindThePlaceMayBeCompressedOrEncrypted(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := crypt.ParseRecipients([]string{identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	identities, err := crypt.ReadIdentities([]string{"-"}, strings.NewReader(identity.String()))
	if err != nil {
		t.Fatal(err)
	}
	f := func(encrypt rotate.Encrypter, more int, killed, rotated bool) {
		t.Helper()
		a := newArchive(t)
		a.tune = keeping(9, rotate.Gzip, encrypt)
		a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
		a.read()
		putBack := a.putBack()
		if more > 0 {
			a.engine.put(message(t, "rx", "j", 10, lines(10, 10+more), none))
			a.run(func(f Figures) bool { return f.Lines == uint64(more) })
		}
		if rotated {
			a.rotate()
			if live, err := os.Stat(filepath.Join(a.dir, "rx/messages.journal")); err != nil || live.Size() > 0 {
				t.Fatalf("the live file has %d bytes, %v; want none", live.Size(), err)
			}
		}
		if killed {
			putBack()
		}
		a.engine.put(message(t, "rx", "j", int64(10+more), lines(10+more, 20+more), none))
		a.run(func(Figures) bool { return bytes.HasSuffix(a.joined("rx"), lines(10+more, 20+more)) })
		if got := a.decoded("rx", identities); !bytes.Equal(got, lines(0, 20+more)) {
			t.Errorf("encrypted %v, %d more lines, killed %v, rotated %v: got %d lines, want %d once",
				encrypt != nil, more, killed, rotated, bytes.Count(got, []byte{'\n'}), 20+more)
		}
	}
	for _, encrypt := range []rotate.Encrypter{nil, recipients} {
		f(encrypt, 0, false, true)   // stopped behind a rotation
		f(encrypt, 100, true, false) // killed before the position was written
	}
	f(nil, 10, true, true) // Only a compressed file stands behind the position.
}
