package sink

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("VICTIM_DIR"); dir != "" {
		next, err := strconv.Atoi(os.Getenv("VICTIM_NEXT"))
		log.Fatal(errors.Join(err, victim(dir, next)))
	}
	goleak.VerifyTestMain(m)
}

var (
	host  = netip.MustParseAddrPort("192.168.1.100:50003")
	noon  = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	short = time.Second
)

// open opens a Journal for the time of the test. The directory is a new one, unless o names one.
func open(t *testing.T, o Options) *Journal {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func closeJournal(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func logMessage(t *testing.T, j *Journal, message string) {
	t.Helper()
	if err := j.LogMessage([]byte(message), host, noon); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain: " + what)
		}
	}
}

// messages returns the message of each entry, backups first. Every line must be an entry.
func messages(t *testing.T, dir string) []string {
	t.Helper()
	backups, err := names.Backups(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range backups {
		got = append(got, messagesOf(t, filepath.Join(dir, b.Name))...)
	}
	return append(got, messagesOf(t, filepath.Join(dir, "messages.journal"))...)
}

func messagesOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var entry struct{ Message json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			t.Fatalf("%s holds the line %q: %v", path, lines.Text(), err)
		}
		got = append(got, string(entry.Message))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return got
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func checkIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error: got %v, want one that is %q", err, want)
	}
}

func TestLineIsExactlyAsDocumented(t *testing.T) {
	j := open(t, Options{})
	at := time.UnixMilli(1711234567123)
	if err := j.LogMessage([]byte(` { "ID" : "HTB", "x": 1.0 } `), host, at); err != nil {
		t.Fatal(err)
	}
	closeJournal(t, j)
	got, err := os.ReadFile(filepath.Join(j.opts.Dir, "messages.journal"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, "line", string(got), `{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07",`+
		`"source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"HTB","x":1.0}}`+"\n")
}

func TestLinesReachTheFileWithoutAClose(t *testing.T) {
	j := open(t, Options{})
	logMessage(t, j, `{"n":1}`)
	eventually(t, "the entry is counted as written", func() bool { return j.Stats().Entries == 1 })
	if got := messages(t, j.opts.Dir); !slices.Equal(got, []string{`{"n":1}`}) {
		t.Errorf("messages: got %q, want the one", got)
	}
}

func TestLogMessageRefusesWhatIsNoObject(t *testing.T) {
	j := open(t, Options{})
	for _, message := range []string{"", " ", "[1]", "1", `"text"`, "null", "{", `{"a":1}{"b":2}`, `{"a":1}x`, "{'a':1}"} {
		checkIs(t, j.LogMessage([]byte(message), host, noon), ErrNotObject)
	}
	logMessage(t, j, "{\"a\":\"\xff\xfe\"}")
	closeJournal(t, j)
	if got := messages(t, j.opts.Dir); !slices.Equal(got, []string{"{\"a\":\"\uFFFD\uFFFD\"}"}) {
		t.Errorf("messages: got %q, want the repaired one only", got)
	}
}

func TestAppendRefusesLinesWithoutAnEnd(t *testing.T) {
	j := open(t, Options{})
	checkIs(t, j.Append([]byte("torn"), 1), rotate.ErrNotWhole)
	checkIs(t, j.Append(nil, 0), rotate.ErrNotWhole)
}

func TestOpenRefusesBadOptions(t *testing.T) {
	for _, o := range []Options{{Fsync: -3}, {BufferBytes: -1}, {CloseTimeout: -1}, {MaxBytes: -1}} {
		o.Dir = t.TempDir()
		if j, err := Open(o); err == nil {
			closeJournal(t, j)
			t.Errorf("Open(%+v): got no error", o)
		}
	}
}

func TestClosedJournalRefuses(t *testing.T) {
	j := open(t, Options{})
	closeJournal(t, j)
	closeJournal(t, j)
	checkIs(t, j.LogMessage([]byte("{}"), host, noon), os.ErrClosed)
	checkIs(t, j.Rotate(), os.ErrClosed)
	checkIs(t, j.Reopen(), os.ErrClosed)
	j.NoteLoss("kernel", 1, noon, noon)
	check(t, "losses after the close", j.Stats().Dropped["kernel"], 1)
}

// TestManyGoroutinesAddUpAtEveryMoment has a looker check the figures all the while: what has been accepted is either
// written or queued.
func TestManyGoroutinesAddUpAtEveryMoment(t *testing.T) {
	const writers, each = 8, 500
	j := open(t, Options{MaxBytes: 20_000, Fsync: FsyncNever})
	var begun, done atomic.Uint64
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				begun.Add(1)
				if err := j.LogMessage(fmt.Appendf(nil, `{"w":%d,"i":%d}`, w, i), host, noon); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for !closed(stop) {
			least := done.Load()
			s := j.Stats()
			if sum, most := s.Entries+s.Queued, begun.Load(); sum < least || sum > most {
				t.Errorf("written and queued: got %d, want %d to %d", sum, least, most)
			}
		}
	})
	writing.Wait()
	close(stop)
	looking.Wait()
	closeJournal(t, j)
	checkEach(t, messages(t, j.opts.Dir), writers, each)
	s := j.Stats()
	check(t, "entries", s.Entries, writers*each)
	check(t, "queued", s.Queued, 0)
	check(t, "queued bytes", s.QueuedBytes, 0)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// checkEach wants every message of every writer once, and those of one writer in order.
func checkEach(t *testing.T, got []string, writers, each int) {
	t.Helper()
	next := make([]int, writers)
	for _, text := range got {
		var m struct{ W, I int }
		if err := json.Unmarshal([]byte(text), &m); err != nil || next[m.W] != m.I {
			t.Fatalf("message %s: want number %d (%v)", text, next[m.W], err)
		}
		next[m.W]++
	}
	for w, n := range next {
		check(t, fmt.Sprintf("messages of writer %d", w), n, each)
	}
}

func TestFilesObeyTheLimits(t *testing.T) {
	j := open(t, Options{MaxBytes: 1000, MaxBackups: 2, Fsync: FsyncAlways})
	for i := range 100 {
		logMessage(t, j, fmt.Sprintf(`{"n":%d}`, i))
	}
	closeJournal(t, j)
	s := j.Stats()
	check(t, "backups", s.Backups, 2)
	check(t, "threshold", s.RotationThreshold, 1000)
	if s.CurrentSize > 1000 || s.Rotations["size"] == 0 || s.Removed == 0 {
		t.Errorf("figures: got %+v, want rotations, removals, and at most 1000 bytes", s)
	}
	got := messages(t, j.opts.Dir)
	check(t, "last message", got[len(got)-1], `{"n":99}`)
}

func TestFileThatIsTakenAwayInQuietTimesComesBack(t *testing.T) {
	j := open(t, Options{})
	logMessage(t, j, `{"n":1}`)
	eventually(t, "the entry is written", func() bool { return j.Stats().Entries == 1 })
	path := filepath.Join(j.opts.Dir, "messages.journal")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the path exists again", func() bool { _, err := os.Stat(path); return err == nil })
	eventually(t, "the change is counted", func() bool { return j.Stats().ExternalChanges == 1 })
	check(t, "size", j.Stats().CurrentSize, 0)
}

func TestOpenAndCloseLeaveNoGoroutine(t *testing.T) {
	dir := t.TempDir()
	for range 100 {
		j := open(t, Options{Dir: dir, Fsync: FsyncNever})
		logMessage(t, j, `{"n":1}`)
		closeJournal(t, j)
	}
	goleak.VerifyNone(t)
	check(t, "messages", len(messages(t, dir)), 100)
}

func TestFieldNamesOfStatsStay(t *testing.T) {
	s := Stats{LastWrite: journal.InstantOf(noon), Degraded: map[string]string{"write": "x"}, RotationError: "x", CleanUpError: "x"}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"current_size", "rotation_threshold", "entries", "notes", "bytes", "queued", "queued_bytes", "dropped", "backups",
		"rotations", "removed", "external_changes", "write_errors", "last_write", "degraded", "rotation_error", "clean_up_error",
	} {
		if !strings.Contains(string(text), `"`+name+`":`) {
			t.Errorf("field %s is missing in %s", name, text)
		}
	}
}
