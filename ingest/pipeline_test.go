package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is an Appender that keeps what it is given, until it is full.
type recorder struct {
	mu      sync.Mutex
	lines   bytes.Buffer
	entries int
	appends int
	room    int // entries that still fit; negative: no limit
	losses  []string
	notes   []string

	dropsNoted            uint32 // of a socket that has a name
	dropsFirst, dropsLast time.Time
}

func (r *recorder) Append(lines []byte, entries int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room >= 0 && entries > r.room {
		return errors.New("full")
	}
	if r.room >= 0 {
		r.room -= entries
	}
	if got := bytes.Count(lines, []byte{'\n'}); got != entries {
		panic(fmt.Sprintf("%d lines were called %d entries", got, entries))
	}
	r.entries += entries
	r.appends++
	r.lines.Write(lines)
	return nil
}

func (r *recorder) NoteDrops(socket string, lost uint64, first, last time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost > 0 {
		r.losses = append(r.losses, fmt.Sprintf("kernel %d", lost))
	}
	if socket != "" {
		r.dropsNoted += uint32(lost)
		r.dropsFirst, r.dropsLast = first, last
	}
}

func (r *recorder) WatchDrops(string, uint32) (noted uint32, at time.Time) {
	return r.dropsNoted, r.dropsLast
}

func (r *recorder) Note(message []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room == 0 {
		return errors.New("full")
	}
	r.notes = append(r.notes, string(message))
	return nil
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.String()
}

var sender = netip.MustParseAddrPort("192.0.2.7:4000")

func processed(o Options, to Appender, datagrams ...string) *pipeline {
	p := newPipeline(o)
	p.to = to
	p.begin()
	for _, d := range datagrams {
		p.process([]byte(d), sender, time.Unix(1711234567, 0))
	}
	p.end()
	return p
}

func TestPipelineMakesOneLineOfEachDatagram(t *testing.T) {
	to := &recorder{room: -1}
	p := processed(Options{}, to, `{"ID": "HTB"}`, "oops\n", `[1]`, "{\"s\":\"\xff\"}")
	const head = `{"timestamp":1711234567.000,"datetime":"2024-03-23T22:56:07","source_ip":"192.0.2.7","source_port":4000,"message":`
	want := head + `{"ID":"HTB"}}` + "\n" +
		head + `{"_raw":"oops\n","_error":"invalid JSON at byte 0"}}` + "\n" +
		head + `{"_value":[1]}}` + "\n" +
		head + "{\"s\":\"\ufffd\"}}\n"
	if got := to.text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	l := p.intake
	if l.Received != 4 || l.Accepted != 4 || l.Wrapped != 2 || l.Repaired != 1 {
		t.Errorf("got intake %+v; want 4 received and accepted, 2 of them wrapped and 1 repaired", l)
	}
}

func TestPipelineDropsAndCountsTheInvalidIfToldTo(t *testing.T) {
	to := &recorder{room: -1}
	p := processed(Options{DropInvalid: true}, to, `{"ID":"HTB"}`, "oops", `[1]`, "")
	if l := p.intake; l.Received != 4 || l.Accepted != 1 || l.Invalid != 3 || to.entries != 1 {
		t.Errorf("got intake %+v and %d entries; want 1 accepted and 3 invalid", l, to.entries)
	}
}

func TestPipelineCountsWhatTheAppenderRefuses(t *testing.T) {
	to := &recorder{room: 1}
	p := newPipeline(Options{})
	p.to = to
	for range 3 {
		p.begin()
		p.process([]byte(`{}`), sender, time.Unix(0, 0))
		p.end()
	}
	if l := p.intake; l.Received != 3 || l.Accepted != 1 || l.Dropped["queue"] != 2 {
		t.Errorf("got intake %+v; want 1 accepted and 2 dropped", l)
	}
	off := processed(Options{}, Discard{}, `{}`, `{}`)
	if l := off.intake; l.Dropped["disabled"] != 2 || l.Accepted != 0 {
		t.Errorf("got intake %+v of a disabled journal; want 2 dropped as disabled", l)
	}
}

func TestPipelineHandsOverBeforeABatchGrowsLarge(t *testing.T) {
	to := &recorder{room: -1}
	big := strings.Repeat("\x01", 60_000) // 360,000 bytes as a JSON string
	p := newPipeline(Options{})
	p.to = to
	p.begin()
	for range 20 {
		p.process([]byte(big), sender, time.Unix(0, 0))
		if len(p.lines) > flushBytes {
			t.Fatalf("%d bytes are held back", len(p.lines))
		}
	}
	p.end()
	if to.entries != 20 {
		t.Errorf("got %d entries, want 20", to.entries)
	}
}

func TestPipelineDoesNotAllocate(t *testing.T) {
	p := newPipeline(Options{})
	datagram, at := []byte(`{"ID": "HTB", "name": "webserver1", "interval": 30, "ver": 1}`), time.Unix(1711234567, 0)
	p.to = Discard{}
	n := testing.AllocsPerRun(1000, func() {
		p.begin()
		p.process(datagram, sender, at)
		p.end()
	})
	if n != 0 {
		t.Errorf("got %v allocations a datagram, want 0", n)
	}
}

func BenchmarkPipeline(b *testing.B) {
	heartbeat := []byte(`{"ID":"HTB","name":"webserver0001","interval":30,"ver":1,"seq":1000001}`)
	plugin := []byte(`{"ID":"PLG","name":"webserver0001","plugin":"cpu_monitor","cpu_percent":45.25,"load_1min":1.5,"cores":8,` +
		`"user":30.5,"system":10.25,"idle":54.75,"iowait":4.5,"note":"` + strings.Repeat("all is well ", 6) + `","seq":1234567}`)
	p := newPipeline(Options{})
	p.to = Discard{}
	at := time.Unix(1711234567, 0)
	b.SetBytes(int64(len(heartbeat) + len(plugin)))
	b.ReportAllocs()
	for b.Loop() {
		p.begin()
		for range 32 {
			p.process(heartbeat, sender, at)
			p.process(plugin, sender, at)
		}
		p.end()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(64*b.N), "ns/datagram")
}
