package fleet

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

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

func TestWhatIsLookedThroughForALostPlaceDoesNotGrowWithMessages(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 3000), none))
	a.read()
	if err := os.Remove(filepath.Join(a.dir, "rx/.messages.journal.d/archive/position")); err != nil {
		t.Fatal(err)
	}
	clear(a.bucket.values)
	clock := start()
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
	clock := start()
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
	recipients, identities := ageKeys(t)
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

// loseAll removes what tells where the archive and rx are.
func (a *archive) loseAll() {
	a.t.Helper()
	for _, path := range []string{"rx/.messages.journal.d/archive/position", ".archive.d/position"} {
		if err := os.Remove(filepath.Join(a.dir, path)); err != nil {
			a.t.Fatal(err)
		}
	}
	clear(a.bucket.values)
}

// The gap note behind a place that was found anew.
func TestAGapBehindAPlaceFoundAnewIsNotedAsBefore(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	a.loseAll()
	a.engine.put(message(t, "rx", "j", 15, lines(15, 20), goneFrom(10)))
	a.read()
	if got := a.joined("rx"); !bytes.Contains(got, []byte(`"first":1774699209.000`)) {
		t.Errorf("got %s", got[len(lines(0, 10)):])
	}
}

// The same, with the note in the tail already, over more than one file.
func TestAGapInTheTailOfAPlaceFoundAnewDoesNotStopAReceiver(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.engine.put(message(t, "rx", "j", 15, lines(15, 100), goneFrom(10)))
	a.read()
	a.loseAll()
	a.engine.put(message(t, "rx", "j", 100, lines(100, 110), none))
	a.run(func(f Figures) bool { return f.Messages > 40 || a.endsWith(lines(100, 110)) })
	if !a.endsWith(lines(100, 110)) {
		t.Error("lines 100 to 110 do not come")
	}
}

// What the log tells to do.
func TestADirectoryThatWasMovedAwayIsWrittenAnew(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	a.loseAll()
	clock := start()
	archiver := a.dealing(&clock)
	give := func(offset uint64, m Message) {
		m.Offset = offset
		archiver.message(m)
		if err := archiver.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	give(2, message(t, "rx", "j", 50, lines(50, 60), none)) // The place is not found.
	if err := os.Rename(filepath.Join(a.dir, "rx"), filepath.Join(t.TempDir(), "rx")); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(2 * time.Minute)
	archiver.tick()
	give(3, message(t, "rx", "j", 0, lines(0, 10), none)) // sent again, as it was asked for
	if r := archiver.receivers["rx"]; !r.known || r.Number != 10 {
		t.Errorf("known %v, number %d", r.known, r.Number)
	}
}

// One receiver that loses its place often.
func TestAPlaceMayBeLostOften(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	clock := start()
	archiver := a.dealing(&clock)
	for i := range mostRecalled + 10 {
		archiver.receivers["rx"].lose("one")
		m := message(t, "rx", "j", 0, lines(0, 10), none)
		m.Offset = uint64(i) + 2
		if archiver.message(m); !archiver.receivers["rx"].known {
			t.Fatalf("it is not found the %d. time", i+1)
		}
	}
}

// A journal that cannot be read for a moment.
func TestAJournalThatCouldNotBeReadOnceIsReadLater(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.read()
	if err := os.WriteFile(filepath.Join(a.dir, "rx/.messages.journal.d/archive/position"), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	clear(a.bucket.values)
	clock := start()
	archiver := a.dealing(&clock)
	dir, away := filepath.Join(a.dir, "rx"), filepath.Join(t.TempDir(), "rx")
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := message(t, "rx", "j", 5, lines(5, 20), none)
	m.Offset = 2
	archiver.message(m)
	r := archiver.receivers["rx"]
	if !r.missing {
		t.Error("it is not tried again")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(time.Minute)
	archiver.tick()
	archiver.message(m)
	if !r.known {
		t.Errorf("the place is not found: %+v", r.recent)
	}
}

// Purge of another archiver's messages when a place is lost.
func TestWhenAPlaceIsLostNothingIsPurgedForAnotherArchiver(t *testing.T) {
	a := newArchive(t)
	a.bucket.values["archiver.b"] = []byte(`{}`)
	clock := start()
	archiver := a.dealing(&clock)
	for i := range 3 {
		m := message(t, "rx", "j", int64(10*i), lines(10*i, 10*i+10), none)
		m.Offset = uint64(i) + 1
		archiver.message(m)
	}
	talk := func() {
		t.Helper()
		clock = clock.Add(purgeEvery)
		if err := archiver.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := archiver.talk.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	talk()
	if a.bucket.purged > 0 {
		t.Fatal("at first", a.bucket.purged)
	}
	r := archiver.receivers["rx"]
	archiver.leave(r, errNoPlace) // as flush does
	talk()
	if a.bucket.purged > 0 {
		t.Errorf("purged up to message %d, which archiver b has not confirmed", a.bucket.purged)
	}
}

// damage changes the end of the only compressed backup of rx.
func (a *archive) damage() {
	a.t.Helper()
	paths, err := filepath.Glob(filepath.Join(a.dir, "rx", "*.gz"))
	if err != nil || len(paths) != 1 {
		a.t.Fatal(paths, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		a.t.Fatal(err)
	}
	for i := len(text) * 2 / 3; i < len(text); i++ {
		text[i] ^= 0x55
	}
	if err := os.WriteFile(paths[0], text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// Nothing of the backup is needed.
func TestADamagedBackupBeforeAnEmptyLiveFileStopsNothing(t *testing.T) {
	a := newArchive(t)
	a.tune = keeping(9, rotate.Gzip, nil)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 50), none))
	a.read()
	a.rotate()
	a.damage()
	a.engine.put(message(t, "rx", "j", 50, lines(50, 60), none))
	a.run(func(Figures) bool { return a.endsWith(lines(50, 60)) })
}

func TestAPlaceInADamagedBackupIsFoundAnew(t *testing.T) {
	a := newArchive(t)
	a.tune = keeping(9, rotate.Gzip, nil)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 50), none))
	a.read()
	putBack := a.putBack()
	a.rotate()
	a.engine.put(message(t, "rx", "j", 50, lines(50, 60), none))
	a.run(func(f Figures) bool { return f.Lines == 10 })
	putBack()
	a.damage()
	a.engine.put(message(t, "rx", "j", 60, lines(60, 70), none))
	live := filepath.Join(a.dir, "rx", "messages.journal")
	a.run(func(Figures) bool { return a.endsWith(lines(60, 70)) })
	if text, err := os.ReadFile(live); err != nil || !bytes.Equal(text, lines(50, 70)) {
		t.Errorf("the live file holds\n%s%v", text, err)
	}
}

// Another journal that has the same lines.
func TestAForeignJournalDoesNotFindTheLostPlace(t *testing.T) {
	a := newArchive(t)
	clock := start()
	archiver := a.dealing(&clock)
	m := message(t, "rx", "j", 0, lines(0, 10), none)
	m.Offset = 1
	archiver.message(m)
	if err := archiver.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := archiver.receivers["rx"]
	archiver.leave(r, errNoPlace)
	clock = clock.Add(time.Minute)
	archiver.tick()
	m = message(t, "rx", "copy", 0, lines(0, 10), none)
	m.Offset = 2
	archiver.message(m)
	if r.Journal != "j" {
		t.Errorf("the receiver's journal is %q now, without any taking over", r.Journal)
	}
}
