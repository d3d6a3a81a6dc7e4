package fleet

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestReceiverThatBringsOldLines brings the lines of a whole day into an archive that has those of now already.
func TestReceiverThatBringsOldLines(t *testing.T) {
	f := newFleet(t, plan{})
	stop := f.send(t, 1000)
	goOn(t, 2*time.Second)
	late := f.madeUp(t, "late", 20_000_000)
	run(t, []string{"RECEIVER_NAME=late", "JOURNAL_DIR=" + late.journal}, program("hbjournal"), "forward", "--once", "--journal-id", "late", f.url("archivers=a,b"))
	stop()
	f.receivers = append(f.receivers, late)
	f.settle(t)
	until := time.Now().Add(-time.Hour).Truncate(time.Second)
	since := until.Add(-time.Hour)
	want := between(t, late.journal, since, until)
	if want < 100 {
		t.Fatalf("%d lines are an hour old, want more to look for", want)
	}
	for _, a := range f.archivers {
		found := run(t, nil, program("hbjournal"), "query", "--count", "--since", since.UTC().Format(time.RFC3339),
			"--until", until.UTC().Format(time.RFC3339), a.journals)
		if got := strings.TrimSpace(found); got != strconv.Itoa(want) {
			t.Errorf("%s: a query of the hour finds %s lines, want %d", a.name, got, want)
		}
		run(t, nil, program("hbjournal"), "verify", a.journals)
	}
	f.wantSame(t)
}

// between counts the lines of a journal that were received in a span of time.
func between(t testing.TB, dir string, since, until time.Time) (n int) {
	t.Helper()
	text, err := joined(dir)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var entry struct{ Timestamp float64 }
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if at := time.UnixMilli(int64(entry.Timestamp*1000 + 0.5)); !at.Before(since) && at.Before(until) {
			n++
		}
	}
	return n
}
