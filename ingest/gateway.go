package ingest

import (
	"bufio"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// DefaultGateways are the next hops of this machine's default routes, as far as the system tells: on Linux in net/route
// and net/ipv6_route below proc, which is /proc.
func DefaultGateways(proc string) []netip.Addr {
	var all []netip.Addr
	for _, fields := range table(filepath.Join(proc, "net/route")) { // Iface Destination Gateway ...: bytes in the machine's order.
		if len(fields) > 2 && fields[1] == "00000000" {
			all = appendGateway(all, fields[2], true)
		}
	}
	for _, fields := range table(filepath.Join(proc, "net/ipv6_route")) { // destination, length, source, length, next hop, ...
		if len(fields) > 4 && fields[1] == "00" {
			all = appendGateway(all, fields[4], false)
		}
	}
	return all
}

// table reads the lines of a file of /proc in fields; none if it cannot be read.
func table(path string) (rows [][]string) {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		rows = append(rows, strings.Fields(lines.Text()))
	}
	return rows
}

// appendGateway appends the address that digits stand for, unless that is none.
func appendGateway(all []netip.Addr, digits string, reversed bool) []netip.Addr {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return all
	}
	if reversed {
		slices.Reverse(b)
	}
	if addr, ok := netip.AddrFromSlice(b); ok && !addr.IsUnspecified() {
		all = append(all, addr)
	}
	return all
}

// What it takes to suspect that the senders are hidden: this many datagrams, over this time, from one gateway alone.
const (
	hiddenCount = 20
	hiddenTime  = time.Minute
)

// gatewayWatch finds out whether all datagrams of a socket come from a default gateway. Then that one most likely puts
// its own address in the place of the senders', as Docker's does, and source_ip says nothing.
type gatewayWatch struct {
	log      zerolog.Logger
	gateways []netip.Addr

	from  netip.Addr // the only source so far
	first time.Time  // when it was seen first
	count int
	over  bool // said, or not so
}

// see takes note of a datagram from addr.
func (w *gatewayWatch) see(addr netip.Addr, at time.Time) {
	switch {
	case w.over:
	case !w.from.IsValid():
		w.over = !slices.Contains(w.gateways, addr.WithZone(""))
		w.from, w.first, w.count = addr, at, 1
	case addr != w.from:
		w.over = true
	default:
		w.count++
	}
}

// report logs once that the senders are hidden, when it is sure enough.
func (w *gatewayWatch) report(now time.Time) {
	if w.over || w.count < hiddenCount || now.Sub(w.first) < hiddenTime {
		return
	}
	w.over = true
	w.log.Warn().Stringer("source", w.from).
		Str("hint", "give the container the host's network; in Kubernetes set externalTrafficPolicy: Local").
		Msg("all journal messages come from the default gateway, which seems to hide their senders: source_ip says nothing")
}
