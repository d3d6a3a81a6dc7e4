package stream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/journal/read"
)

// someMarks are marks as they are made.
func someMarks() []Mark {
	plain := Mark{
		Journal: "a-journal", From: read.Cursor{First: 1}, To: read.Cursor{First: 1, Offset: 8}, Number: 7, Lines: 2, Last: "abc",
	}
	gone := plain
	gone.Gone = Gone{From: 0, Reason: GonePruned}
	return []Mark{plain, gone}
}

func headerOf(m Mark) nats.Header {
	header := make(nats.Header)
	for _, h := range m.Headers() {
		header[h[0]] = []string{h[1]}
	}
	return header
}

func TestParseMarkTakesWhatIsWrittenOnly(t *testing.T) {
	for _, m := range someMarks() {
		if got, err := ParseMark(headerOf(m).Get); err != nil || got != m {
			t.Errorf("got %+v, %v; want %+v", got, err, m)
		}
	}
	f := func(name, value, want string) {
		t.Helper()
		header := headerOf(someMarks()[1])
		header[name] = []string{value}
		if got, err := ParseMark(header.Get); err == nil || !strings.Contains(err.Error(), want) || got != (Mark{}) {
			t.Errorf("%s: %s: got %+v, %v; want an error with %s", name, value, got, err, want)
		}
	}
	f(headerJournal, "", headerJournal)
	f(headerJournal, strings.Repeat("x", MaxJournalID+1), headerJournal)
	f(headerFrom, "here", headerFrom)
	f(headerTo, "-/0000000000000001/-8", headerTo)
	f(headerNumber, "-1", headerNumber)
	f(headerNumber, "07", headerNumber)
	f(headerLines, "99999999999", headerLines)
	f(headerLast, strings.Repeat("0", 65), headerLast)
	f(headerGone, "7 pruned", headerGone)
	f(headerGone, "-1 pruned", headerGone)
	f(headerGone, "3", headerGone)
	f(headerGone, "3 eaten", headerGone)
}

// FuzzMark reads headers that anybody may have written: what is taken says the same when it is written again.
func FuzzMark(f *testing.F) {
	for _, text := range []string{
		"", "NATS/1.0\r\n\r\n", "NATS/1.0 503\r\n\r\n", "NATS/1.0\r\nHbj-Journal: x\r\nHbj-N: -1\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	for _, m := range someMarks() {
		var whole strings.Builder
		whole.WriteString("NATS/1.0\r\n")
		for _, h := range m.Headers() {
			whole.WriteString(h[0] + ": " + h[1] + "\r\n")
		}
		f.Add([]byte(whole.String() + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := HeaderMark(raw)
		if err != nil {
			if m != (Mark{}) {
				t.Errorf("got %+v with %v", m, err)
			}
			return
		}
		if m.Journal == "" || len(m.Journal) > MaxJournalID || m.Lines < 0 || m.Next() < m.Number || m.To.Offset < 0 {
			t.Errorf("took %+v", m)
		}
		if again, err := ParseMark(headerOf(m).Get); err != nil || again != m {
			t.Errorf("got %+v, %v; want %+v", again, err, m)
		}
	})
}
