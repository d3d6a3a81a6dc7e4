package web

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// entryOf is a line as it is read.
func entryOf(t *testing.T, l line) journal.Entry {
	t.Helper()
	text := l.append(nil)
	e, err := journal.ParseLine(text[:len(text)-1])
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The plugins of a host are not replaced by nothing because others read at this moment.
func TestAHostsPluginsStayWhileOthersRead(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	writeJournal(t, dir, []line{
		{now.Add(-60 * time.Second), "10.0.0.1", `{"ID":"HTB","name":"a","interval":300}`},
		{now.Add(-50 * time.Second), "10.0.0.1", `{"ID":"PLG","name":"a","plugin":"disk","percent":42}`},
	})
	s, address := served(t, oneJournal(dir))
	settled(t, s)
	if _, _, page := get(t, address+"/host?name=a"); !strings.Contains(page, ">disk<") {
		t.Fatal("the page has no plugin")
	}
	taken := 0
	for s.readings.take() {
		taken++
	}
	time.AfterFunc(2*time.Second, func() { // By then the page was told of at least once.
		for range taken {
			s.readings.giveBack()
		}
	})
	events(t, address+"/events?host=a", "", func(name, _, data string) bool {
		if name != "figures" {
			return true
		}
		var u update
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			t.Fatal(err)
		}
		html, told := u.Parts["plugins"]
		if told && !strings.Contains(string(html), ">disk<") {
			t.Errorf("the stream replaces the plugins by %s", html)
		}
		return !told
	})
}

// A clock that ran hours ahead until it was set right leaves entries of a time that is still to come.
func TestEntriesOfAClockThatRanAheadHideNothingOfThePresent(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	ahead := now.Add(8 * time.Hour)
	var text []byte
	for _, l := range []line{
		{ahead, "10.0.0.1", `{"ID":"HTB","name":"a","interval":1}`},
		{ahead, "10.0.0.1", `{"ID":"JRN","event":"gap","reason":"kernel","lost":1}`},
	} {
		text = l.append(text)
	}
	for i := 60; i > 0; i-- {
		at := now.Add(-time.Duration(i) * time.Second)
		text = line{at, "10.0.0.1", `{"ID":"HTB","name":"a","interval":1}`}.append(text)
		if i%10 == 0 {
			text = line{at, "10.0.0.1", `{"ID":"JRN","event":"gap","reason":"kernel","lost":100}`}.append(text)
		}
	}
	appendTo(t, filepath.Join(dir, base), text)
	s, _ := served(t, oneJournal(dir))
	settled(t, s)
	g, _, _ := s.watch.current()
	if _, lost := g.speed(time.Now()); len(lost) != 1 || lost[0].Lost < 600 {
		t.Errorf("600 messages were lost in the last minute: got %v", lost)
	}
}

// What a process that was held up has not read yet is no silence.
func TestAPageThatWasHeldUpIsNotOfThePresent(t *testing.T) {
	g := &gathering{now: time.Now}
	now := time.Now()
	g.tick(now.Add(-time.Minute))
	g.waits.Store(now.Add(-time.Minute).UnixNano())
	if g.idle(60 * time.Millisecond) {
		t.Error("held up for a minute: got that all was read, want that it is not known")
	}
	g.tick(now)
	if g.idle(30 * time.Second) {
		t.Error("going on: got that it waited for half a minute, want that it has begun to")
	}
	g.tick(time.Now())
	g.woke.Store(now.Add(-time.Second).UnixNano())
	if !g.idle(60 * time.Millisecond) {
		t.Error("a second later: got that it does not wait, want that it does")
	}
}

// Each field is bounded, and so are all together: one host may not take the memory of the page.
func TestFieldsOfAllPluginsOfAHostAreBounded(t *testing.T) {
	s, _ := served(t, oneJournal(t.TempDir()))
	v := s.newHostView("a")
	for p := range maxPlugins {
		message := strings.Builder{}
		fmt.Fprintf(&message, `{"ID":"PLG","name":"a","plugin":"p%d"`, p)
		for f := range maxFields {
			fmt.Fprintf(&message, `,"f%d":%d`, f, f)
		}
		message.WriteByte('}')
		e := entryOf(t, line{time.Now(), "10.0.0.1", message.String()})
		v.add(&e)
	}
	fields := 0
	for _, p := range v.plugins {
		fields += len(p.fields)
	}
	if fields != mostFields || len(v.plugins) != maxPlugins {
		t.Errorf("got %d fields of %d plugins, want %d of %d", fields, len(v.plugins), mostFields, maxPlugins)
	}
}
