package ingest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

var noon = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// rateGuard is a guard that stands at noon.
func rateGuard(limit int) *guard {
	return newGuard(Options{RateLimit: limit, Now: func() time.Time { return noon }})
}

// taken counts how many of n datagrams that come at once are not refused.
func taken(g *guard, source netip.Addr, at time.Time, n int) int {
	count := 0
	for range n {
		if g.refuses(source, at, false) == "" {
			count++
		}
	}
	return count
}

func wantTaken(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %d datagrams taken, want %d", what, got, want)
	}
}

func TestRateLimitIsByTheSecondAndTheSource(t *testing.T) {
	g := rateGuard(10)
	a, b := addr("192.0.2.1"), addr("2001:db8::1")
	wantTaken(t, "first burst", taken(g, a, noon, 100), 10)
	wantTaken(t, "another source", taken(g, b, noon, 100), 10)
	wantTaken(t, "half a second later", taken(g, a, noon.Add(500*time.Millisecond), 100), 5)
	wantTaken(t, "a quiet minute later", taken(g, a, noon.Add(time.Minute), 100), 10)
}

func TestSteadySourceGetsItsRate(t *testing.T) {
	g := rateGuard(10)
	got := 0
	for i := range 60 * 100 { // 100 a second for a minute
		got += taken(g, addr("192.0.2.1"), noon.Add(time.Duration(i)*10*time.Millisecond), 1)
	}
	if got < 600 || got > 610 {
		t.Errorf("in a minute: got %d datagrams taken, want 600 and the first burst of 10 at most", got)
	}
}

func TestClockSetBackDoesNotShutASourceOut(t *testing.T) {
	g := rateGuard(10)
	taken(g, addr("192.0.2.1"), noon.Add(time.Hour), 100)
	wantTaken(t, "an hour back", taken(g, addr("192.0.2.1"), noon, 100), 10)
	wantTaken(t, "before the start", taken(g, addr("192.0.2.2"), noon.Add(-24*time.Hour), 100), 10)
}

func TestAllowFromTakesOnlyItsNetworks(t *testing.T) {
	g := newGuard(Options{AllowFrom: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("192.0.2.7/32"),
	}})
	for source, want := range map[string]string{
		"10.255.0.1": "", "11.0.0.1": "source", "192.0.2.7": "", "192.0.2.8": "source",
		"fe80::1%2": "", "2001:db8::1": "source",
	} {
		if got := g.refuses(addr(source), noon, false); got != want {
			t.Errorf("datagram from %s: got refusal %q, want %q", source, got, want)
		}
	}
}

func TestNoGuardRefusesNothing(t *testing.T) {
	g := newGuard(Options{})
	if g != nil || g.refuses(addr("192.0.2.1"), noon, false) != "" {
		t.Errorf("got a guard, want none")
	}
	g.report(noon)
}

// spoofed is the i-th of many sources.
func spoofed(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i)+0x0a000000)
	return netip.AddrFrom4(b)
}

func TestFloodOfSourcesCostsNoMemoryHarmsNoGoodSourceAndHidesNoBadOne(t *testing.T) {
	g := rateGuard(5)
	places := len(g.rates.sets) * rateWays
	good, refused := addr("192.0.2.1"), 0
	heavy, got := addr("192.0.2.2"), 0
	for i := range 1_000_000 {
		at := noon.Add(time.Duration(i) * time.Microsecond)
		taken(g, spoofed(i), at, 1)
		if i%250_000 == 0 && taken(g, good, at, 1) == 0 { // Four a second.
			refused++
		}
		if i%100 == 0 {
			got += taken(g, heavy, at, 1)
		}
	}
	if got > 10 {
		t.Errorf("heavy source: got %d datagrams taken in the flood, want 10 in a second at most", got)
	}
	if refused > 0 {
		t.Errorf("good source: got %d datagrams refused, want none", refused)
	}
	if now := len(g.rates.sets) * rateWays; now != places {
		t.Errorf("places: got %d, want %d", now, places)
	}
}

func TestGuardDoesNotAllocate(t *testing.T) {
	g := newGuard(Options{RateLimit: 1, AllowFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")}, Now: func() time.Time { return noon }})
	i := 0
	n := testing.AllocsPerRun(10_000, func() {
		g.refuses(spoofed(i<<8), noon, false)
		i++
	})
	if n != 0 {
		t.Errorf("got %v allocations a datagram, want 0", n)
	}
}

func TestRefusalsAreSummedUpOnceAMinuteWithTheWorstSources(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(Options{
		RateLimit: 1, Now: func() time.Time { return noon }, Log: zerolog.New(&log),
		AllowFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	g.report(noon)
	for second := range 119 {
		at := noon.Add(time.Duration(second) * time.Second)
		taken(g, addr("10.0.0.1"), at, 11) // One a second is taken.
		taken(g, addr("192.0.2.1"), at, 3)
		taken(g, spoofed(1000+second), at, 2)
		g.report(at)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 4 { // One of each kind at once, and another a minute later.
		t.Fatalf("got %d log lines, want 4:\n%s", len(lines), log.String())
	}
	var last struct {
		Setting string
		Refused uint64
		Worst   map[string]uint64
	}
	if err := json.Unmarshal([]byte(lines[3]), &last); err != nil {
		t.Fatal(err)
	}
	if last.Setting != "rate_limit" || last.Refused != 60*(10+1) || last.Worst["10.0.0.1"] != 600 || len(last.Worst) != 5 {
		t.Errorf("summary: got %+v, want 660 refused, 600 of them from 10.0.0.1, and the five worst", last)
	}
}

func TestPipelineCountsWhatIsRefused(t *testing.T) {
	to := &recorder{room: -1}
	p := newPipeline(Options{})
	p.guard, p.to = rateGuard(2), to
	p.begin()
	for range 5 {
		p.process([]byte(`{"n":1}`), sender, noon)
	}
	p.end()
	if l := p.intake; l.Received != 5 || l.Accepted != 2 || l.Limited["rate"] != 3 {
		t.Errorf("intake: got %+v, want 5 received, 2 accepted and 3 limited", l)
	}
}

func BenchmarkGuard(b *testing.B) {
	for name, o := range map[string]Options{
		"off":   {},
		"allow": {AllowFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		"rate":  {RateLimit: 1e9, Now: time.Now},
	} {
		b.Run(name, func(b *testing.B) {
			g := newGuard(o)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				g.refuses(spoofed(i&1023), noon, false)
			}
		})
	}
}
