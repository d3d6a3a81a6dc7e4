package ingest

import (
	"cmp"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Reasons for which a guard refuses a datagram, as the intake has them.
const (
	refusedSource = "source" // not in AllowFrom
	refusedRate   = "rate"   // more than RateLimit in a second
)

// reportPause is the least time between two log lines about refused or lost datagrams.
const reportPause = time.Minute

// guard refuses datagrams by where they come from, before anything of them is looked at. All sockets share one.
type guard struct {
	log   zerolog.Logger
	allow []netip.Prefix // empty: every source

	mu      sync.Mutex
	rates   *rateTable // nil: no limit
	refused map[string]*offenders
}

// newGuard returns nil if nothing is ever refused.
func newGuard(o Options) *guard {
	if len(o.AllowFrom) == 0 && o.RateLimit == 0 {
		return nil
	}
	g := &guard{log: o.Log, allow: o.AllowFrom, refused: map[string]*offenders{refusedSource: {}, refusedRate: {}}}
	if o.RateLimit > 0 {
		g.rates = newRateTable(o.RateLimit, o.Now())
	}
	return g
}

// refuses returns why a datagram from addr is refused; "": it is not. A nil guard refuses nothing. Nothing is known of when
// a datagram came that has waited, so it is not held against its source's rate.
func (g *guard) refuses(addr netip.Addr, at time.Time, waited bool) string {
	if g == nil {
		return ""
	}
	addr = addr.WithZone("") // A link-local source is the same one on every interface.
	allowed := g.allows(addr)
	if allowed && (g.rates == nil || waited) {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !allowed:
		g.refused[refusedSource].add(addr)
		return refusedSource
	case !g.rates.take(addr, at):
		g.refused[refusedRate].add(addr)
		return refusedRate
	}
	return ""
}

func (g *guard) allows(addr netip.Addr) bool {
	for _, network := range g.allow {
		if network.Contains(addr) {
			return true
		}
	}
	return len(g.allow) == 0
}

// report logs what has been refused since the last report, once a minute at most, with the worst sources.
func (g *guard) report(now time.Time) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, reason := range []string{refusedSource, refusedRate} {
		o := g.refused[reason]
		if o.total == 0 || !isDue(now, o.reported) {
			continue
		}
		setting := map[string]string{refusedSource: "allow_from", refusedRate: "rate_limit"}[reason]
		g.log.Warn().Str("setting", setting).Uint64("refused", o.total).Interface("worst", o.worst()).
			Msg("journal messages were refused by their source")
		*o = offenders{reported: now}
	}
}

// owes reports whether a report is to come.
func (g *guard) owes() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused[refusedSource].total > 0 || g.refused[refusedRate].total > 0
}

// isDue reports whether a minute has passed since last. A clock that was set back does not put it off.
func isDue(now, last time.Time) bool {
	since := now.Sub(last)
	return since < 0 || since >= reportPause
}

const (
	rateWays = 8       // places that an address can have in the table
	rateSets = 1 << 13 // so that the table holds 65,536 sources in 2 MiB, however many there are
)

// rateTable allows each source RateLimit datagrams at once and as many in each second after that. It is a cache of fixed
// size: with more sources than it holds, those that have been quiet for longest are forgotten, and begin anew.
type rateTable struct {
	seed     maphash.Seed
	start    time.Time
	interval int64 // nanoseconds that one datagram uses up
	sets     [][rateWays]rateEntry
}

type rateEntry struct {
	addr [16]byte
	used int64 // nanoseconds since start until which the source's allowance is used up; 0: free
}

func newRateTable(perSecond int, start time.Time) *rateTable {
	return &rateTable{
		seed:     maphash.MakeSeed(),
		start:    start.Add(-time.Second), // So that no time is 0.
		interval: max(1, int64(time.Second)/int64(perSecond)),
		sets:     make([][rateWays]rateEntry, rateSets),
	}
}

// take reports whether a datagram from addr is within its allowance, and uses that up.
func (t *rateTable) take(addr netip.Addr, at time.Time) bool {
	now := at.Sub(t.start).Nanoseconds()
	e := t.entry(addr.As16())
	// What is used up further ahead than a second comes from before the clock was set back.
	if e.used < now || e.used > now+int64(time.Second) {
		e.used = now
	}
	if e.used+t.interval > now+int64(time.Second) {
		return false
	}
	e.used += t.interval
	return true
}

// entry finds the place of addr, or gives it that of the quietest source in its set.
func (t *rateTable) entry(addr [16]byte) *rateEntry {
	set := &t.sets[maphash.Bytes(t.seed, addr[:])%rateSets]
	quietest := &set[0]
	for i := range set {
		e := &set[i]
		if e.addr == addr && e.used != 0 {
			return e
		}
		if e.used < quietest.used {
			quietest = e
		}
	}
	*quietest = rateEntry{addr: addr}
	return quietest
}

// offenders counts what has been refused, and about how much came from the worst sources: when all places are taken,
// a new source takes over the least one's, with its count.
type offenders struct {
	reported time.Time // the last time
	total    uint64
	sources  [32]offender
}

type offender struct {
	addr  netip.Addr
	count uint64
}

func (o *offenders) add(addr netip.Addr) {
	o.total++
	least, at := uint64(math.MaxUint64), 0
	for i := range o.sources {
		if o.sources[i].addr == addr {
			o.sources[i].count++
			return
		}
		if o.sources[i].count < least {
			least, at = o.sources[i].count, i
		}
	}
	o.sources[at] = offender{addr, least + 1}
}

// worst returns the counts of the five sources with the most, which are at most a 32nd of the total too high.
func (o *offenders) worst() map[string]uint64 {
	sorted := slices.SortedFunc(slices.Values(o.sources[:]), func(a, b offender) int {
		return cmp.Compare(b.count, a.count)
	})
	worst := make(map[string]uint64)
	for _, s := range sorted[:5] {
		if s.count > 0 {
			worst[s.addr.String()] = s.count
		}
	}
	return worst
}
