package sink

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/rotate"
)

// block makes every write fail, until the returned function is called: a directory stands at the live path. What has
// been written so far is beside it in the meantime, and back afterwards.
func block(t *testing.T, dir string) (unblock func()) {
	t.Helper()
	live := filepath.Join(dir, "messages.journal")
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.Rename(live, live+".aside"))
	do(os.Mkdir(live, 0o750))
	return func() {
		t.Helper()
		do(os.Rename(live, live+".was-blocked"))
		do(os.Rename(live+".aside", live))
	}
}

// degrade appends a message to a blocked journal and waits until it shows.
func degrade(t *testing.T, j *Journal, message string) {
	t.Helper()
	logMessage(t, j, message)
	eventually(t, "the journal is degraded", func() bool { return j.Degraded() != nil })
}

func TestDiskThatRefusesIsTriedAgainInOrderAndWithNothingDoubled(t *testing.T) {
	var log bytes.Buffer
	j := open(t, Options{Log: zerolog.New(zerolog.SyncWriter(&log))})
	logMessage(t, j, `{"n":0}`)
	eventually(t, "the first entry is written", func() bool { return j.Stats().Entries == 1 })
	unblock := block(t, j.opts.Dir)
	degrade(t, j, `{"n":1}`)
	var want []string
	for i := 2; i < 500; i++ {
		logMessage(t, j, fmt.Sprintf(`{"n":%d}`, i))
	}
	check(t, "queued", j.Stats().Queued, 499)
	if text := j.Stats().Degraded["write"]; !strings.Contains(text, "it is a directory") {
		t.Errorf("Stats.Degraded: got %q, want the reason", text)
	}
	unblock()
	eventually(t, "all is written", func() bool { return j.Stats().Queued == 0 && j.Degraded() == nil })
	closeJournal(t, j)
	for i := range 500 {
		want = append(want, fmt.Sprintf(`{"n":%d}`, i))
	}
	if got := messages(t, j.opts.Dir); !slices.Equal(got, want) {
		t.Errorf("messages: got %d, want 0 to 499 in order", len(got))
	}
	check(t, "log lines about the writing: one at the begin, one at the end", strings.Count(log.String(), `"what":"write"`), 2)
}

func TestWhatDoesNotFitIsCountedAndNotedInItsPlace(t *testing.T) {
	const room = 10
	j := open(t, Options{BufferBytes: room * 132})
	unblock := block(t, j.opts.Dir)
	lost := 0
	var want []string
	for i := range 100 {
		message := fmt.Sprintf(`{"n":"%010d"}`, i)
		if i == 0 {
			degrade(t, j, message)
			want = append(want, message)
			continue
		}
		if err := j.LogMessage([]byte(message), host, noon); err != nil {
			checkIs(t, err, ErrFull)
			lost++
		} else {
			want = append(want, message)
		}
	}
	check(t, "dropped", j.Stats().Dropped["queue"], uint64(lost))
	if lost == 0 || len(want) < 2 {
		t.Fatalf("got %d accepted and %d dropped, want some of both", len(want), lost)
	}
	unblock()
	eventually(t, "all and the note are written", func() bool { return j.Stats().Notes == 1 })
	logMessage(t, j, `{"n":"after"}`)
	closeJournal(t, j)
	got := messages(t, j.opts.Dir)
	note := got[len(want)]
	want = append(want, note, `{"n":"after"}`)
	if !slices.Equal(got, want) {
		t.Errorf("messages: got %q, want %q", got, want)
	}
	if prefix := fmt.Sprintf(`{"ID":"JRN","event":"gap","reason":"queue","lost":%d,"first":`, lost); !strings.HasPrefix(note, prefix) {
		t.Errorf("note: got %s, want it to start with %s", note, prefix)
	}
	checkLedger(t, j, 100)
}

// checkLedger wants each of the offered entries to be accounted for.
func checkLedger(t *testing.T, j *Journal, offered uint64) {
	t.Helper()
	s := j.Stats()
	check(t, "entries + queued + dropped", s.Entries+s.Queued+s.Dropped["queue"]+s.Dropped["shutdown"], offered+1)
}

func TestLossElsewhereIsNotedWithItsTimes(t *testing.T) {
	j := open(t, Options{})
	j.NoteLoss("kernel", 42, noon, noon.Add(1500*time.Millisecond))
	closeJournal(t, j)
	want := `{"ID":"JRN","event":"gap","reason":"kernel","lost":42,"first":1774699200.000,"last":1774699201.500}`
	if got := messages(t, j.opts.Dir); !slices.Equal(got, []string{want}) {
		t.Errorf("messages: got %q, want %s", got, want)
	}
	s := j.Stats()
	check(t, "dropped", s.Dropped["kernel"], 42)
	check(t, "notes", s.Notes, 1)
	check(t, "entries", s.Entries, 0)
}

func TestLossesInQuickSuccessionAreNotedTogether(t *testing.T) {
	j := open(t, Options{})
	for i := range 100 {
		j.NoteLoss("kernel", 1, noon.Add(time.Duration(i)*time.Second), noon.Add(time.Duration(i)*time.Second))
	}
	closeJournal(t, j)
	got := messages(t, j.opts.Dir)
	if len(got) != 2 || !strings.Contains(got[0], `"lost":1,`) || !strings.Contains(got[1], `"lost":99,`) {
		t.Errorf("notes: got %q, want one of 1 and one of 99", got)
	}
}

func TestLastNoteIsWrittenThoughTheBufferIsFull(t *testing.T) {
	j := open(t, Options{BufferBytes: 200})
	unblock := block(t, j.opts.Dir)
	degrade(t, j, `{"n":1}`)
	checkIs(t, j.LogMessage([]byte(`{"n":2}`), host, noon), ErrFull)
	unblock()
	closeJournal(t, j)
	got := messages(t, j.opts.Dir)
	if len(got) != 2 || !strings.Contains(got[1], `"reason":"queue","lost":1,`) {
		t.Errorf("messages: got %q, want the first and a note about the second", got)
	}
}

func TestCloseGivesUpInTimeAndCountsWhatIsLost(t *testing.T) {
	j := open(t, Options{CloseTimeout: short})
	unblock := block(t, j.opts.Dir)
	degrade(t, j, `{"n":0}`)
	for i := 1; i < 50; i++ {
		logMessage(t, j, fmt.Sprintf(`{"n":%d}`, i))
	}
	begin := time.Now()
	err := j.Close()
	if took := time.Since(begin); took < short || took > 10*time.Second {
		t.Errorf("Close took %v, want about %v", took, short)
	}
	var unwritten *UnwrittenError
	if !errors.As(err, &unwritten) || unwritten.Entries != 50 || !strings.Contains(err.Error(), "50 entries could not be written: ") {
		t.Errorf("Close: got %v, want an error that says 50 entries", err)
	}
	checkIs(t, err, rotate.ErrNotRegular)
	s := j.Stats()
	check(t, "lost in shutting down", s.Dropped["shutdown"], 50)
	check(t, "queued", s.Queued, 0)
	check(t, "queued bytes", s.QueuedBytes, 0)
	unblock()
}

func TestBufferIsBoundedInBytes(t *testing.T) {
	j := open(t, Options{BufferBytes: 1 << 20, CloseTimeout: short})
	unblock := block(t, j.opts.Dir)
	for i := 0; ; i++ {
		if j.LogMessage(fmt.Appendf(nil, `{"n":%d}`, i), host, noon) != nil {
			break
		}
	}
	if got := j.Stats().QueuedBytes; got > 1<<20 || got < 1<<20-200 {
		t.Errorf("queued bytes: got %d, want just below %d", got, 1<<20)
	}
	unblock()
}

// TestClockThatJumpsStallsNothing moves the wall clock while messages, losses and rotations go on.
func TestClockThatJumpsStallsNothing(t *testing.T) {
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Round(0).Add(time.Duration(offset.Load())) }
	j := open(t, Options{MaxBytes: 1000, MaxBackups: 3, Now: now, Fsync: 50 * time.Millisecond})
	const day = 24 * time.Hour
	total := uint64(0)
	for i, jump := range []time.Duration{0, -time.Hour, 365 * day, -365 * day, -10 * 365 * day, 10 * 365 * day} {
		offset.Add(int64(jump))
		for n := range 30 {
			logMessage(t, j, fmt.Sprintf(`{"jump":%d,"n":%d}`, i, n))
		}
		total += 30
		eventually(t, fmt.Sprintf("jump %d: all is written", i), func() bool { return j.Stats().Entries == total })
		j.NoteLoss("kernel", 1, now(), now())
		eventually(t, fmt.Sprintf("jump %d: the loss is noted", i), func() bool { return j.Stats().Notes >= uint64(i)+1 })
		eventually(t, fmt.Sprintf("jump %d: old backups are removed", i), func() bool { return j.Stats().Backups <= 3 })
	}
	closeJournal(t, j)
	got := messages(t, j.opts.Dir)
	if last := got[len(got)-1]; !strings.Contains(last, `"event":"gap"`) || !slices.Contains(got, `{"jump":5,"n":29}`) {
		t.Errorf("messages: got %q at the end, want the newest to be kept", got)
	}
	if slices.Contains(got, `{"jump":0,"n":0}`) {
		t.Error("messages: the oldest is still there")
	}
}

func TestLocalTimeAcrossBothDaylightSavingEdges(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database:", err)
	}
	for edge, start := range map[string]time.Time{
		"spring": time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC),
		"autumn": time.Date(2026, 10, 25, 0, 10, 0, 0, time.UTC),
	} {
		t.Run(edge, func(t *testing.T) {
			var minutes atomic.Int64
			now := func() time.Time { return start.Add(time.Duration(minutes.Load()) * time.Minute) }
			j := open(t, Options{Location: zone, Now: now})
			var want []string
			for i := range 12 {
				minutes.Store(int64(i) * 10)
				message := fmt.Sprintf(`{"n":%d}`, i)
				if err := j.LogMessage([]byte(message), host, now()); err != nil {
					t.Fatal(err)
				}
				want = append(want, message)
				eventually(t, "it is written", func() bool { return j.Stats().Entries == uint64(i)+1 })
				if err := j.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
			closeJournal(t, j)
			if got := messages(t, j.opts.Dir); !slices.Equal(got, want) {
				t.Errorf("messages in the order of the names: got %q, want %q", got, want)
			}
		})
	}
}
