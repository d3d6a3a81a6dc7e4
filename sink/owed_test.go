package sink

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// gaps are the notes about losses in a journal, without what stands before the reason.
func gaps(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, message := range messages(t, dir) {
		if rest, ok := strings.CutPrefix(message, `{"ID":"JRN","event":"gap","reason":`); ok {
			found = append(found, strings.TrimSuffix(rest, "}"))
		}
	}
	return found
}

func wantGaps(t *testing.T, dir string, want ...string) {
	t.Helper()
	got := gaps(t, dir)
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("gaps: got %q, want such that start with %q", got, want)
	}
}

// reopened opens the journal in dir again, and closes it once it has noted what it had to.
func reopened(t *testing.T, dir string) *Journal {
	t.Helper()
	j := open(t, Options{Dir: dir})
	logMessage(t, j, `{"n":"after"}`)
	closeJournal(t, j)
	return j
}

func TestWhatCloseGaveUpIsNotedByTheNextStartAndOnce(t *testing.T) {
	j := open(t, Options{CloseTimeout: short})
	dir := j.opts.Dir
	unblock := block(t, dir)
	for i := range 50 {
		if err := j.LogMessage(fmt.Appendf(nil, `{"n":%d}`, i), host, noon.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if j.Close() == nil {
		t.Fatal("Close: got no error")
	}
	unblock()
	again := reopened(t, dir)
	wantGaps(t, dir, `"shutdown","lost":50,"first":1774699200.000,"last":1774699249.000`)
	if lost := again.Stats().Dropped["shutdown"]; lost != 0 {
		t.Errorf("dropped by the next start: got %d, want 0, since it was another's", lost)
	}
	reopened(t, dir)
	wantGaps(t, dir, `"shutdown","lost":50,`)
}

func TestNotesThatCloseCouldNotWriteAreWrittenByTheNextStart(t *testing.T) {
	j := open(t, Options{CloseTimeout: short, BufferBytes: 10 * 132})
	dir := j.opts.Dir
	unblock := block(t, dir)
	degrade(t, j, `{"n":"0000000000"}`)
	lost := 0
	for i := range 100 {
		if j.LogMessage(fmt.Appendf(nil, `{"n":"%010d"}`, i), host, noon) != nil {
			lost++
		}
	}
	j.NoteLoss("kernel", 42, noon, noon)
	if j.Close() == nil {
		t.Fatal("Close: got no error")
	}
	given := j.Stats().Dropped["shutdown"]
	check(t, "offered", uint64(lost)+given, 101)
	unblock()
	reopened(t, dir)
	wantGaps(t, dir, fmt.Sprintf(`"queue","lost":%d,`, lost), `"kernel","lost":42,`, fmt.Sprintf(`"shutdown","lost":%d,`, given))
}

// asKilled copies a journal as a kill at this moment would leave it, with what had been written before it was blocked.
func asKilled(t *testing.T, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	live, err := os.ReadFile(filepath.Join(dir, "messages.journal.aside"))
	if err == nil {
		err = os.WriteFile(filepath.Join(copied, "messages.journal"), live, 0o640)
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(copied, ".messages.journal.d"), os.DirFS(filepath.Join(dir, ".messages.journal.d")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestWhatAKillCostsWhileTheDiskIsFullIsNotedByTheNextStart(t *testing.T) {
	j := open(t, Options{BufferBytes: 20 * 132, CloseTimeout: short})
	logMessage(t, j, `{"n":"written"}`)
	eventually(t, "the first entry is written", func() bool { return j.Stats().Entries == 1 })
	unblock := block(t, j.opts.Dir)
	degrade(t, j, `{"n":"0000000000"}`)
	for i := range 100 {
		_ = j.LogMessage(fmt.Appendf(nil, `{"n":"%010d"}`, i), host, noon)
	}
	s := j.Stats()
	want := []string{fmt.Sprintf(`"queue","lost":%d,`, s.Dropped["queue"]), fmt.Sprintf(`"killed","lost":%d,`, s.Queued)}
	eventually(t, "it is kept", func() bool {
		text := string(j.file.Kept())
		return strings.Contains(text, fmt.Sprintf(`"lost":%d,`, s.Dropped["queue"])) && strings.Contains(text, fmt.Sprintf(`"entries":%d,`, s.Queued))
	})
	dir := asKilled(t, j.opts.Dir)
	var log bytes.Buffer
	again := open(t, Options{Dir: dir, Log: zerolog.New(zerolog.SyncWriter(&log))})
	closeJournal(t, again)
	wantGaps(t, dir, want...)
	if text := fmt.Sprintf(`"lost":%d,"message":"journal lost entries before this start`, s.Dropped["queue"]+s.Queued); !strings.Contains(log.String(), text) {
		t.Errorf("log: got %s, want %s in it", log.String(), text)
	}
	reopened(t, dir)
	wantGaps(t, dir, want...)

	// What was written after the last look is not lost, and somebody who makes room by removing the file changes nothing.
	dir = asKilled(t, j.opts.Dir)
	file, err := os.OpenFile(filepath.Join(dir, "messages.journal"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		line := j.encoder.AppendLine(nil, noon, host, []byte(`{"n":"0000000000"}`))
		_, err = file.Write(slices.Concat(line, line))
	}
	if err != nil || file.Close() != nil {
		t.Fatal(err)
	}
	reopened(t, dir)
	wantGaps(t, dir, want[0], fmt.Sprintf(`"killed","lost":%d,`, s.Queued-2))
	dir = asKilled(t, j.opts.Dir)
	if err := os.Remove(filepath.Join(dir, "messages.journal")); err != nil {
		t.Fatal(err)
	}
	reopened(t, dir)
	wantGaps(t, dir, want...)

	unblock()
	eventually(t, "all is written", func() bool { return j.Stats().Queued == 0 && j.Degraded() == nil })
	eventually(t, "nothing is owed", func() bool { return string(j.file.Kept()) == "{}" })
	closeJournal(t, j)
	reopened(t, j.opts.Dir)
	wantGaps(t, j.opts.Dir, want[0])
}
