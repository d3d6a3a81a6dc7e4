package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/forward/stream"
)

var none stream.Gone

func TestTwoReceiversAreWrittenByteForByteAndOnce(t *testing.T) {
	a := newArchive(t)
	for i := range 20 {
		a.engine.put(message(t, "rx-1", "j1", int64(10*i), lines(10*i, 10*i+10), none))
		a.engine.put(message(t, "rx-2", "j2", int64(10*i), lines(1000+10*i, 1000+10*i+10), none))
	}
	a.engine.put(message(t, "rx-1", "j1", 190, lines(190, 200), none)) // again
	a.engine.put(message(t, "rx-1", "j1", 195, lines(195, 205), none)) // half of it again
	if f := a.read(); f.Lines != 405 || f.Copies != 15 || f.Holes != 0 {
		t.Errorf("got %+v", f)
	}
	a.want("rx-1", lines(0, 205))
	a.want("rx-2", lines(1000, 1200))
	var c stream.Confirmation
	if !a.bucket.get(t, "confirmed.a.rx-1", &c) || c.Number != 205 || c.Journal != "j1" || c.Sequence == 0 {
		t.Errorf("confirmed %+v", c)
	}
}

func TestAfterAKillWhatStandsThereIsSkipped(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 100), none))
	a.read()
	place := filepath.Join(a.dir, "rx", ".messages.journal.d", "archive", "position")
	old, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	global, err := os.ReadFile(filepath.Join(a.dir, ".archive.d", "position"))
	if err != nil {
		t.Fatal(err)
	}
	a.engine.put(message(t, "rx", "j", 100, lines(100, 200), none)) // over more than one file
	a.run(func(f Figures) bool { return f.Lines == 100 })
	for path, text := range map[string][]byte{place: old, filepath.Join(a.dir, ".archive.d", "position"): global} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.engine.put(message(t, "rx", "j", 200, lines(200, 210), none))
	a.run(func(f Figures) bool { return f.Lines == 110 })
	a.want("rx", lines(0, 210))
}

func TestATailThatDiffersIsMovedAside(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 5), none))
	a.read()
	live := filepath.Join(a.dir, "rx", "messages.journal")
	file, err := os.OpenFile(live, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(lines(700, 702))
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	a.engine.put(message(t, "rx", "j", 5, lines(5, 10), none))
	a.run(func(f Figures) bool { return f.Lines == 5 })
	a.want("rx", lines(0, 10))
	kept, err := filepath.Glob(filepath.Join(a.dir, "rx", ".messages.journal.d", "archive", "aside-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("got %v, %v", kept, err)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(text, lines(700, 702)) {
		t.Errorf("moved aside: %s, %v", text, err)
	}
}

func TestAHoleIsAskedForAndHeals(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.engine.put(message(t, "rx", "j", 20, lines(20, 30), none))
	a.engine.put(message(t, "other", "o", 0, lines(0, 3), none))
	if f := a.read(); f.Holes != 1 || f.Asked != 1 || f.Lines != 13 {
		t.Errorf("got %+v", f)
	}
	a.want("rx", lines(0, 10))
	a.want("other", lines(0, 3))
	var r stream.Request
	if !a.bucket.get(t, "ask.a.rx", &r) || r.Number != 10 || r.Journal != "j" || r.ID == "" {
		t.Errorf("asked %+v", r)
	}
	a.engine.put(message(t, "rx", "j", 10, lines(10, 30), none))
	a.run(func(f Figures) bool { return f.Lines == 20 })
	a.want("rx", lines(0, 30))
}

func TestWhatIsGoneIsAGapThatIsTheSameInAllArchives(t *testing.T) {
	var texts [][]byte
	for range 2 {
		a := newArchive(t)
		a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
		a.engine.put(message(t, "rx", "j", 15, lines(15, 20), stream.Gone{From: 10, Reason: stream.GonePruned}))
		if f := a.read(); f.Lost != 5 || f.Lines != 15 || f.Asked != 0 {
			t.Errorf("got %+v", f)
		}
		texts = append(texts, a.joined("rx"))
	}
	if !bytes.Equal(texts[0], texts[1]) {
		t.Error("two archives differ")
	}
	gap := `{"timestamp":1774699215.000,"datetime":"2026-03-28T12:00:15","source_ip":"::","source_port":0,"message":` +
		`{"ID":"JRN","event":"gap","reason":"pruned","lost":5,"first":1774699209.000,"last":1774699215.000}}` + "\n"
	if want := string(lines(0, 10)) + gap + string(lines(15, 20)); string(texts[0]) != want {
		t.Errorf("got\n%s\nwant\n%s", texts[0], want)
	}
}

func TestAStreamThatWasMadeAnewIsReadFromItsStart(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
	a.read()
	a.engine = newFakeEngine()
	a.engine.name = "two"
	a.engine.put(message(t, "rx", "j", 15, lines(15, 25), none))
	a.run(func(f Figures) bool { return f.Lines == 5 })
	a.want("rx", lines(0, 25))
}

func TestAPositionThatIsLostIsFoundAnew(t *testing.T) {
	for _, bucket := range []bool{true, false} {
		a := newArchive(t)
		a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
		a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
		a.read()
		for _, path := range []string{"rx/.messages.journal.d/archive/position", ".archive.d/position"} {
			if err := os.Remove(filepath.Join(a.dir, path)); err != nil {
				t.Fatal(err)
			}
		}
		if !bucket {
			clear(a.bucket.values)
		}
		a.engine.put(message(t, "rx", "j", 20, lines(20, 30), none))
		a.read()
		a.want("rx", lines(0, 30))
	}
}

func TestAnotherJournalWaitsUntilItIsToldToTakeOver(t *testing.T) {
	a := newArchive(t)
	a.engine.put(message(t, "rx", "old", 0, lines(0, 10), none))
	a.engine.put(message(t, "rx", "new", 0, lines(50, 60), none))
	if f := a.read(); f.Foreign[foreignJournal] != 1 || f.Lines != 10 {
		t.Errorf("got %+v", f)
	}
	a.want("rx", lines(0, 10))
	if err := a.bucket.Put(t.Context(), "owner.rx", []byte(`{"journal":"new","before":["old"]}`)); err != nil {
		t.Fatal(err)
	}
	a.run(func(Figures) bool { a.bucket.mu.Lock(); defer a.bucket.mu.Unlock(); return a.bucket.polled })
	a.engine.put(message(t, "rx", "new", 0, lines(50, 60), none))
	for a.run(func(f Figures) bool { return f.Lines == 10 || f.Foreign[foreignJournal] > 0 }).Lines != 10 {
		a.engine.put(message(t, "rx", "new", 0, lines(50, 60), none))
	}
	got := a.joined("rx")
	note := `"message":{"ID":"JRN","event":"takeover","journal":"new","before":"old"}}`
	if !bytes.HasPrefix(got, lines(0, 10)) || !bytes.HasSuffix(got, lines(50, 60)) || strings.Count(string(got), note) != 1 || bytes.Count(got, []byte{'\n'}) != 21 {
		t.Errorf("got\n%s", got)
	}
}

func TestForeignMessagesAreCountedAndPutAside(t *testing.T) {
	a := newArchive(t)
	bad := func(change func(*Message)) {
		m := message(t, "rx", "j", 0, lines(0, 3), none)
		change(&m)
		a.engine.put(m)
	}
	names := []string{"..", "a/b", ".a", "RX", strings.Repeat("x", 300), "a\x00", "", "a.b"}
	for _, name := range names {
		bad(func(m *Message) { m.Receiver = name })
	}
	bad(func(m *Message) { m.Header = func(string) string { return "" } })
	bad(func(m *Message) { m.Payload = []byte("no zstd") })
	bad(func(m *Message) { m.Payload = message(t, "rx", "j", 0, lines(0, 4), none).Payload })
	bad(func(m *Message) { m.Payload = message(t, "rx", "j", 0, lines(1, 4), none).Payload })
	a.engine.put(message(t, "rx", "j", 0, lines(0, 3), none))
	f := a.read()
	if f.Foreign[foreignName] != uint64(len(names)) || f.Foreign[foreignMark] != 1 || f.Foreign[foreignLines] != 3 {
		t.Errorf("got %v", f.Foreign)
	}
	a.want("rx", lines(0, 3))
	entries, err := os.ReadDir(a.dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("got %v, %v; want the receiver and the archive's own directory", entries, err)
	}
	text, err := os.ReadFile(filepath.Join(a.dir, ".archive.d", "aside.jsonl"))
	if err != nil || bytes.Count(text, []byte{'\n'}) != len(names)+4 {
		t.Errorf("put aside: %d lines, %v", bytes.Count(text, []byte{'\n'}), err)
	}
}

func TestAReceiverWhoseJournalCannotBeWrittenHoldsUpNoOther(t *testing.T) {
	a := newArchive(t)
	if err := os.WriteFile(filepath.Join(a.dir, "rx"), nil, 0o600); err != nil { // where the directory would be
		t.Fatal(err)
	}
	a.engine.put(message(t, "rx", "j", 0, lines(0, 10), none))
	a.engine.put(message(t, "other", "o", 0, lines(0, 3), none))
	a.engine.put(message(t, "rx", "j", 10, lines(10, 20), none))
	a.run(func(Figures) bool {
		text, err := os.ReadFile(filepath.Join(a.dir, "other", "messages.journal"))
		return err == nil && bytes.Equal(text, lines(0, 3))
	})
	if err := os.Remove(filepath.Join(a.dir, "rx")); err != nil {
		t.Fatal(err)
	}
	a.run(func(f Figures) bool { return f.Lines == 20 })
	a.want("rx", lines(0, 20))
	a.want("other", lines(0, 3))
}

func TestOneArchiveHasOneWriter(t *testing.T) {
	a := newArchive(t)
	archiver, err := Open(a.options())
	if err != nil {
		t.Fatal(err)
	}
	defer archiver.Close()
	if _, err := Open(a.options()); !errors.Is(err, durable.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
}

func TestOnlyWhatAllArchiversConfirmedIsPurged(t *testing.T) {
	o := newArchive(t).options()
	o.Now = nil
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	talk := newTalk(o)
	talk.told = progress{Position{Stream: "s", Offsets: map[int32]uint64{0: 100}}, map[string]uint64{"r1": 90, "r2": 100, "idle": 5}}
	f := func(first, want uint64, holding string) {
		t.Helper()
		if last, who := talk.confirmedByAll(first); last != want || who != holding {
			t.Errorf("got %d held by %q, want %d by %q", last, who, want, holding)
		}
	}
	f(10, 100, "")
	talk.hear(Change{"archiver.b", []byte(`{}`)})
	f(10, 0, "b")
	talk.hear(Change{"confirmed.b.r1", []byte(`{"to":"-/0000000000000000/0","seq":90,"stream":"s"}`)})
	talk.hear(Change{"confirmed.b.r2", []byte(`{"to":"-/0000000000000000/0","seq":40,"stream":"s"}`)})
	f(10, 40, "b")
	talk.hear(Change{"confirmed.b.r2", []byte(`{"to":"-/0000000000000000/0","seq":4000,"stream":"another"}`)})
	f(10, 0, "b")
	talk.hear(Change{"archiver.b", nil})
	f(10, 100, "")
	if err := talk.purge(context.Background()); err != nil {
		t.Error(err)
	}
}

// Under load another archiver is always a little behind: only one that stands still keeps the stream from being purged.
func TestOnlyAnArchiverThatStandsStillIsSaidToHoldTheStream(t *testing.T) {
	var log bytes.Buffer
	o := newArchive(t).options()
	clock := time.Now()
	o.Now = func() time.Time { return clock }
	o.Log = zerolog.New(&log)
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	talk := newTalk(o)
	round := func(here, there uint64) {
		t.Helper()
		clock = clock.Add(purgeEvery)
		talk.told = progress{Position{Stream: "s", Offsets: map[int32]uint64{0: here}}, map[string]uint64{"r1": here}}
		talk.hear(Change{"confirmed.b.r1", fmt.Appendf(nil, `{"to":"-/0000000000000000/0","seq":%d,"stream":"s"}`, there)})
		if err := talk.purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	talk.hear(Change{"archiver.b", []byte(`{}`)})
	for i := range uint64(30) {
		round(100+i, 90+i)
	}
	if log.Len() > 0 {
		t.Errorf("got %q of an archiver that goes on, want nothing", &log)
	}
	for i := range uint64(15) {
		round(130+i, 119)
	}
	if !strings.Contains(log.String(), "what archiver b has not confirmed") {
		t.Errorf("got %q of one that stands still, want its name", &log)
	}
}
