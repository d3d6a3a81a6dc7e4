package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/journal"
)

// adopted is the name of a socket that outlives the process.
const adopted = "1a2b.01234567-89ab"

func wantNoted(t *testing.T, j *Journal, socket string, count, want uint32) (at time.Time) {
	t.Helper()
	noted, at := j.WatchDrops(socket, count)
	if noted != want {
		t.Errorf("socket %s at %d: got %d noted, want %d", socket, count, noted, want)
	}
	return at
}

func TestNextStartKnowsHowFarDropsAreNoted(t *testing.T) {
	j := open(t, Options{})
	dir := j.opts.Dir
	if at := wantNoted(t, j, adopted, 7, 0); !at.IsZero() {
		t.Errorf("a new socket was looked at at %v", at)
	}
	j.NoteDrops(adopted, 7, time.Time{}, noon)
	j.NoteDrops(adopted, 3, noon, noon.Add(time.Second))
	j.NoteDrops("", 5, noon, noon) // Of a socket that ends with the process.
	j.NoteDrops(adopted, 0, noon.Add(time.Minute), noon.Add(time.Minute))
	check(t, "dropped", j.Stats().Dropped["kernel"], 15)
	closeJournal(t, j)
	wantGaps(t, dir, `"kernel","lost":7,"first":0.000,"last":1774699200.000`, `"kernel","lost":8,`)

	j = open(t, Options{Dir: dir})
	if at := wantNoted(t, j, adopted, 12, 10); !at.Equal(noon.Add(time.Minute)) {
		t.Errorf("looked at last: got %v, want a minute past noon", at)
	}
	wantNoted(t, j, "1a2b.fedcba98-7654", 12, 0) // The same cookie after another boot.
	closeJournal(t, j)
	j = reopened(t, dir) // It watches none, and keeps what is known.
	check(t, "kept", uint64(strings.Count(string(j.file.Kept()), `"noted":10`)), 1)
	j = open(t, Options{Dir: dir})
	wantNoted(t, j, adopted, 10, 10)
	closeJournal(t, j)
}

func TestCountThatRanBackIsAnotherSockets(t *testing.T) {
	j := open(t, Options{})
	wantNoted(t, j, adopted, 100, 0)
	j.NoteDrops(adopted, 100, noon, noon)
	wantNoted(t, j, adopted, 99, 0)
	j.NoteDrops(adopted, 99, noon, noon)
	wantNoted(t, j, adopted, 99, 99)
	j.NoteDrops(adopted, 1<<32-100, noon, noon) // The count wraps.
	wantNoted(t, j, adopted, 4, 1<<32-1)
	closeJournal(t, j)
}

// TestKillAtEachStepOfANoteAboutDropsHasItNotedOnce blocks the file, so that the steps can be looked at.
func TestKillAtEachStepOfANoteAboutDropsHasItNotedOnce(t *testing.T) {
	j := open(t, Options{CloseTimeout: short})
	logMessage(t, j, `{"n":"written"}`)
	eventually(t, "the first entry is written", func() bool { return j.Stats().Entries == 1 })
	wantNoted(t, j, adopted, 42, 0)
	eventually(t, "the socket is kept", func() bool { return strings.Contains(string(j.file.Kept()), `"noted":0`) })
	unblock := block(t, j.opts.Dir)
	counted := asKilled(t, j.opts.Dir)
	j.NoteDrops(adopted, 42, noon, noon.Add(time.Second))
	eventually(t, "it is kept", func() bool { return strings.Contains(string(j.file.Kept()), `"noting":`) })
	begun := asKilled(t, j.opts.Dir)
	written := asKilled(t, j.opts.Dir)
	note := journal.GapNote{Reason: "kernel", Lost: 42, First: journal.InstantOf(noon), Last: journal.InstantOf(noon.Add(time.Second))}
	appendTo(t, written, j.encoder.AppendLine(nil, noon, host, note.Append(nil)))
	unblock()
	closeJournal(t, j)

	f := func(step, dir string, noted uint32, gaps ...string) {
		t.Helper()
		t.Log(step)
		again := open(t, Options{Dir: dir})
		wantNoted(t, again, adopted, 42, noted)
		if noted < 42 {
			again.NoteDrops(adopted, uint64(42-noted), noon, noon) // As the listener does.
		}
		closeJournal(t, again)
		wantGaps(t, dir, gaps...)
		again = open(t, Options{Dir: dir})
		wantNoted(t, again, adopted, 42, 42)
		closeJournal(t, again)
		wantGaps(t, dir, gaps...)
	}
	f("before it was told", counted, 0, `"kernel","lost":42,`)
	f("before it was written", begun, 42, `"kernel","lost":42,`)
	f("after it was written", written, 42, `"kernel","lost":42,`)
	f("afterwards", j.opts.Dir, 42, `"kernel","lost":42,`)
}

// TestNoteThatIsWrittenIsNotOwedThoughMoreIs: what was lost after the note that a kill left is still to be noted.
func TestNoteThatIsWrittenIsNotOwedThoughMoreIs(t *testing.T) {
	lost := []keptLoss{{"queue", 3, 1, 2}, {"kernel", 10, 1000, 9000}}
	noting := &keptLoss{"kernel", 4, 1000, 5000}
	gap := noting.loss()
	text := string(gap.appendMessage(nil))
	ends := func(message []byte) bool { return string(message) == text }
	got := withoutNoted(lost, noting, ends)
	if want := []keptLoss{{"queue", 3, 1, 2}, {"kernel", 6, 5000, 9000}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := withoutNoted(lost, noting, func([]byte) bool { return false }); fmt.Sprint(got) != fmt.Sprint(lost) {
		t.Errorf("not written: got %v, want all", got)
	}
}

func appendTo(t *testing.T, dir string, line []byte) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(dir, "messages.journal"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.Write(line)
	}
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
}

// TestRecordHasRoomForAllSocketsAndLosses: the largest that there can be is kept.
func TestRecordHasRoomForAllSocketsAndLosses(t *testing.T) {
	var log bytes.Buffer
	var ticks atomic.Int64
	o := Options{Dir: t.TempDir(), Log: zerolog.New(zerolog.SyncWriter(&log))}
	o.Now = func() time.Time { return noon.Add(time.Duration(ticks.Add(1)) * time.Second) }
	j := open(t, o)
	name := func(i int) string { return fmt.Sprintf("%018x.01234567-89ab", uint64(i)) }
	for i := range keptSockets {
		wantNoted(t, j, name(i), 1<<32-1, 0)
		j.NoteDrops(name(i), 1<<32-1, noon, noon)
	}
	for _, reason := range []string{"queue", "goneaway", "killed"} {
		j.NoteLoss(reason, 1<<63, noon, noon)
	}
	record := j.owed()
	record.Waiting = &waiting{1 << 63, noon.UnixMilli(), noon.UnixMilli(), 1 << 62}
	record.Noting = &keptLoss{"shutdown", 1 << 63, noon.UnixMilli(), noon.UnixMilli()}
	if len(record.Lost) < 3 || len(record.Drops) != keptSockets {
		t.Fatalf("got %d losses and %d sockets", len(record.Lost), len(record.Drops))
	}
	if err := j.putOwed(record, false); err != nil {
		t.Errorf("keep the largest record: %v", err)
	}
	closeJournal(t, j)

	j = open(t, o)
	for i := range keptSockets { // Of another boot; the others make room.
		wantNoted(t, j, fmt.Sprintf("%x.cccc", i), 5, 0)
	}
	wantNoted(t, j, "one.more", 5, 0)
	closeJournal(t, j)
	if got := strings.Count(log.String(), "more sockets are handed over"); got != 1 {
		t.Errorf("the log says %d times that there are too many sockets, want it of one:\n%s", got, log.String())
	}
	var kept owed
	if err := json.Unmarshal(j.file.Kept(), &kept); err != nil || len(kept.Drops) != keptSockets {
		t.Errorf("kept: got %d sockets, %v; want %d", len(kept.Drops), err, keptSockets)
	}
}
