package sink

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// patient is a health with a clock that the test sets, and its log.
type patient struct {
	*health
	clock time.Time
	log   bytes.Buffer
}

func newPatient() *patient {
	p := &patient{clock: noon}
	p.health = newHealth(func() time.Time { return p.clock }, zerolog.New(&p.log))
	return p
}

func (p *patient) said(t *testing.T, text string, want int) {
	t.Helper()
	check(t, "log lines with "+text, strings.Count(p.log.String(), text), want)
}

var errFullDisk = errors.New("no space left on device")

func TestFaultIsLoggedAtItsBeginAtItsEndAndOnceAMinute(t *testing.T) {
	p := newPatient()
	for range 150 { // One try a second.
		p.set("write", errFullDisk)
		p.remind(7)
		p.clock = p.clock.Add(time.Second)
	}
	p.said(t, "journal degraded", 3)
	p.said(t, `"lost":7`, 2)
	p.set("write", nil)
	p.said(t, "journal recovered", 1)
	p.said(t, `"lasted":150000`, 1)
	check(t, "fault", p.err(), nil)
}

func TestFaultThatComesAndGoesDoesNotFloodTheLog(t *testing.T) {
	p := newPatient()
	for range 600 {
		p.set("write", errFullDisk)
		p.set("write", nil)
		p.clock = p.clock.Add(100 * time.Millisecond)
	}
	p.said(t, "journal degraded", 1)
	p.said(t, "journal recovered", 1)
}

func TestFaultTellsWhatAndSinceWhen(t *testing.T) {
	p := newPatient()
	p.set("write", errFullDisk)
	p.clock = p.clock.Add(time.Hour)
	p.set("write", errFullDisk)
	checkIs(t, p.err(), errFullDisk)
	check(t, "text", p.err().Error(), "write: since 2026-03-28T12:00:00Z: no space left on device")
}

func TestDiskThatDoesNotAnswerIsAFault(t *testing.T) {
	p := newPatient()
	p.begin("write")
	p.clock = p.clock.Add(stuckAfter - time.Millisecond)
	p.remind(0)
	check(t, "fault before its time", p.err(), nil)
	p.clock = p.clock.Add(8 * time.Second)
	p.remind(0)
	if err := p.err(); err == nil || err.Error() != "write: no answer from the disk for 12s" {
		t.Errorf("fault: got %v, want that there is no answer for 12s", err)
	}
	p.said(t, "journal degraded", 1)
	p.set("write", nil)
	p.said(t, "journal recovered", 1)
	check(t, "fault", p.err(), nil)
}

func TestClockSetBackDoesNotSilenceAFault(t *testing.T) {
	p := newPatient()
	p.set("write", errFullDisk)
	p.clock = p.clock.Add(-24 * time.Hour)
	p.remind(0)
	p.said(t, "journal degraded", 2)
	p.set("write", nil)
	p.said(t, "journal recovered", 1)
}
