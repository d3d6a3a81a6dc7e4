package web

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/journal/read"
)

// fleet is a directory of receivers, to which some may come.
type fleet struct {
	top  string
	mu   sync.Mutex
	come []read.Journal
}

// joins makes the journal of a receiver with one message.
func (f *fleet) joins(tb testing.TB, name string, n int) read.Journal {
	tb.Helper()
	dir := filepath.Join(f.top, name)
	if err := os.Mkdir(dir, 0o750); err != nil {
		tb.Fatal(err)
	}
	f.says(tb, name, n)
	j := read.Journal{Dir: dir, Base: base}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.come = append(f.come, j)
	return j
}

// says adds a message of a receiver.
func (f *fleet) says(tb testing.TB, name string, n int) {
	tb.Helper()
	l := line{time.Now(), "10.0.0.1", fmt.Sprintf(`{"ID":"EVT","name":"of-%s","n":%d}`, name, n)}
	appendTo(tb, filepath.Join(f.top, name, base), l.append(nil))
}

func (f *fleet) more() []read.Journal {
	f.mu.Lock()
	defer f.mu.Unlock()
	come := f.come
	f.come = nil
	return come
}

// next reads a stream until there are so many lines, which are returned as one text.
func next(tb testing.TB, address, last string, lines int) (texts string) {
	tb.Helper()
	n := 0
	events(tb, address+"/events", last, func(name, _, data string) bool {
		if name == "lines" {
			for _, it := range items(tb, data) {
				texts += it.Text
				n++
			}
		}
		return n < lines
	})
	if n != lines {
		tb.Errorf("got %d lines, want %d: %s", n, lines, texts)
	}
	return texts
}

func TestAReceiverThatJoinsAFleetIsShownWithoutARestart(t *testing.T) {
	f := &fleet{top: t.TempDir()}
	opt := Options{Title: "a fleet"}
	opt.Read.Journals, opt.Read.More = []read.Journal{f.joins(t, "north", 1)}, f.more
	f.more()
	s, address := served(t, opt)
	settled(t, s)
	_, _, page := get(t, address)
	from := attribute(t, page, "data-at")
	joined := make(chan read.Journal, 1)
	var id string
	var texts []string
	events(t, address+"/events", from, func(name, at, data string) bool {
		if name != "lines" {
			return true
		}
		for _, it := range items(t, data) {
			texts = append(texts, it.Text)
		}
		if id = at; len(texts) == 0 {
			return true
		}
		if len(texts) == 1 { // The stream is open while another joins, whose directory comes first.
			joined <- f.joins(t, "east", 3)
		}
		return len(texts) < 2
	}, func() { f.says(t, "north", 2) })
	if got := strings.Join(texts, ""); !strings.Contains(got, `"n":2}`) || !strings.Contains(got, `"n":3}`) {
		t.Fatalf("got %s, want the new line of north, and that of east", got)
	}
	if _, _, page := get(t, address); !strings.Contains(page, "of-east") {
		t.Error("got no host of the receiver that joined in the page")
	}
	f.says(t, "east", 4)
	if got := next(t, address, id, 1); !strings.Contains(got, `"n":4}`) {
		t.Errorf("resumed: got %s, want the newest line alone", got)
	}
	// A restart, after which the journals are in another order, and a third one has come.
	opt.Read.Journals = []read.Journal{<-joined, f.joins(t, "middle", 5), opt.Read.Journals[0]}
	f.more()
	_, address = served(t, opt)
	got := next(t, address, id, 2)
	if !strings.Contains(got, `"n":4}`) || !strings.Contains(got, `"n":5}`) {
		t.Errorf("after a restart: got %s, want the lines 4 and 5, and no other", got)
	}
}

func TestAPlaceOfAFleetIsReadAsItIsWritten(t *testing.T) {
	r := newRoster(read.Options{Journals: []read.Journal{{Dir: "a", Base: base}, {Dir: "b", Base: base}}}, nil)
	text := r.text(place{nil, {First: 1, Offset: 2}})
	p, err := r.parse(text)
	if err != nil || len(p) != 2 || p[0] != nil || *p[1] != (read.Cursor{First: 1, Offset: 2}) {
		t.Errorf("got %v, %v for %s", p, err, text)
	}
	for _, bad := range []string{"", "no,no", "x=no", "=", keyOf(r.journals[0]), keyOf(r.journals[0]) + "=x", text + ",", strings.Repeat("x=no,", maxJournals) + text} {
		if p, err := r.parse(bad); err == nil {
			t.Errorf("%.40q: got %v, want an error", bad, p)
		}
	}
}
