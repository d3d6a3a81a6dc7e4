package sink

import (
	"bytes"
	"errors"
	"slices"
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
	p.health = newHealth(func() time.Time { return p.clock }, zerolog.New(&p.log), func() uint64 { return 7 })
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
		p.remind()
		p.clock = p.clock.Add(time.Second)
	}
	p.said(t, "journal degraded", 3)
	p.said(t, `"lost":7`, 3)
	p.set("write", nil)
	p.said(t, "journal recovered", 1)
	p.said(t, `"lasted":150000`, 1)
	check(t, "fault", p.err(), nil)
}

// flap has the disk fail and work again by turns for a minute.
func (p *patient) flap() {
	for i := range 600 {
		p.set("write", errFullDisk)
		p.set("write", nil)
		p.clock = p.clock.Add(100 * time.Millisecond)
		if i%10 == 0 {
			p.remind()
		}
	}
}

func TestFaultThatComesAndGoesDoesNotFloodTheLog(t *testing.T) {
	p := newPatient()
	p.flap()
	p.said(t, "journal degraded", 2) // At its begin, and when it came back after it had seemed to be over.
	p.said(t, "journal recovered", 1)
	p.clock = p.clock.Add(calm)
	p.remind()
	p.said(t, "journal recovered", 2)
	p.remind()
	p.said(t, "journal recovered", 2)
}

func TestEndOfAFaultIsNeverTheLastWordWhileItIsThere(t *testing.T) {
	p := newPatient()
	for i, pause := range []time.Duration{0, time.Second, 3 * time.Second, calm, 20 * time.Second, 100 * time.Millisecond, time.Minute} {
		p.clock = p.clock.Add(pause)
		p.remind()
		p.set("write", errFullDisk)
		p.lastWord(t, i, "journal degraded")
		p.clock = p.clock.Add(time.Second)
		p.set("write", nil)
	}
	p.finish()
	p.lastWord(t, -1, "journal recovered")
}

// lastWord wants text in the last line of the log.
func (p *patient) lastWord(t *testing.T, round int, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, text) {
		t.Errorf("round %d: got %s as the log's last word, want %s", round, last, text)
	}
}

func TestEndOfOneFaultSaysWhichOthersAreLeft(t *testing.T) {
	p := newPatient()
	p.set("write", errFullDisk)
	p.set("fsync", errFullDisk)
	p.set("write", nil)
	p.said(t, `"still_failing":["fsync"],"message":"journal recovered in part"`, 1)
	p.set("fsync", nil)
	p.said(t, `"message":"journal recovered"`, 1)
}

func TestFirstLossAndEachNewBeginningAreLoggedAtOnceAndTheRestWhenItIsOver(t *testing.T) {
	var log bytes.Buffer
	l := lossLog{log: zerolog.New(&log)}
	clock, total := noon, uint64(0)
	lose := func(n uint64, want ...string) {
		t.Helper()
		total += n
		l.observe(clock, total)
		clock = clock.Add(time.Second)
		var got []string
		for line := range strings.Lines(log.String()) {
			_, rest, _ := strings.Cut(line, `"lost":`)
			got = append(got, rest[:strings.IndexByte(rest, ',')])
		}
		if !slices.Equal(got, want) {
			t.Errorf("losses in the log: got %q, want %q", got, want)
		}
	}
	lose(0)
	lose(3, "3")
	for range 59 {
		lose(1, "3")
	}
	lose(1, "3", "60") // A minute later.
	lose(5, "3", "60")
	for range int(calm/time.Second) - 1 {
		lose(0, "3", "60")
	}
	lose(0, "3", "60", "5")
	lose(2, "3", "60", "5", "2")
	total++
	l.finish(clock, total)
	lose(0, "3", "60", "5", "2", "1")
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
	p.remind()
	check(t, "fault before its time", p.err(), nil)
	p.clock = p.clock.Add(8 * time.Second)
	p.remind()
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
	p.remind()
	p.said(t, "journal degraded", 2)
	p.set("write", nil)
	p.said(t, "journal recovered", 1)
}
