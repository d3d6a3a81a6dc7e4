package web

import (
	"net/netip"
	"sync"
	"time"
)

const (
	firstWait  = time.Second
	longWait   = 8 * time.Second
	forgiven   = time.Minute // after the last wrong token, all is as if there had been none
	maxGuesser = 4096        // networks that are remembered
)

// guesses slow down those who try tokens: from each network one a moment, longer with each wrong one. It is safe for use by
// several goroutines at once.
type guesses struct {
	now func() time.Time

	mu   sync.Mutex
	from map[netip.Prefix]*guesser
}

type guesser struct {
	wrong int
	until time.Time
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, from: map[netip.Prefix]*guesser{}}
}

// try takes an attempt from there, of which right tells whether it gives the token. It is not looked at as long as wait is
// more than nothing. Attempts are judged one by one, so that many at once are no way around.
func (g *guesses) try(remote string, right func() bool) (ok bool, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	network, now := networkOf(remote), g.now()
	from := g.from[network]
	if from != nil && from.until.After(now) {
		return false, from.until.Sub(now)
	}
	if right() {
		delete(g.from, network)
		return true, 0
	}
	if from == nil || now.Sub(from.until) > forgiven {
		g.makeRoom()
		from = &guesser{}
		g.from[network] = from
	}
	from.until = now.Add(min(longWait, firstWait<<min(from.wrong, 8)))
	from.wrong++
	return false, 0
}

// makeRoom forgets those who are forgiven, or whoever is met first.
func (g *guesses) makeRoom() {
	if len(g.from) < maxGuesser {
		return
	}
	for network, from := range g.from {
		if g.now().Sub(from.until) > forgiven {
			delete(g.from, network)
		}
	}
	for network := range g.from {
		if len(g.from) < maxGuesser {
			return
		}
		delete(g.from, network)
	}
}

// networkOf is the address, or what one customer has of IPv6.
func networkOf(remote string) netip.Prefix {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	const customer = 64
	addr := from.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = customer
	}
	network, _ := addr.Prefix(bits) // The bits fit.
	return network
}
