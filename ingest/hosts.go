package ingest

import (
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
)

// hostBits is how many bits stand for addresses. A few dozen are counted exactly, and up to two million within one in a
// hundred. A set of addresses would be exact, but cost more a datagram and grow with every source that is made up.
const hostBits = 1 << 19

// hosts counts the addresses that datagrams come from, in bounded memory: each sets one bit, and how many bits are set
// tells how many addresses there were (linear counting).
type hosts struct {
	seed maphash.Seed // one for all sockets, so that an address that sends to several counts once
	last netip.Addr
	set  []uint64 // nil until something comes in
}

// see notes that a datagram came from addr.
func (h *hosts) see(addr netip.Addr) {
	if addr == h.last {
		return
	}
	if h.set == nil {
		h.set = make([]uint64, hostBits/64)
	}
	h.last = addr
	bytes := addr.As16()
	bit := maphash.Bytes(h.seed, bytes[:]) % hostBits
	h.set[bit/64] |= 1 << (bit % 64)
}

// moveTo adds what was seen to sum, and forgets it.
func (h *hosts) moveTo(sum []uint64) {
	for i, word := range h.set {
		sum[i] |= word
	}
	clear(h.set)
	h.last = netip.Addr{}
}

// countHosts is how many addresses have set these bits, which is more than bits are set once some share one.
func countHosts(set []uint64) int {
	free := hostBits
	for _, word := range set {
		free -= bits.OnesCount64(word)
	}
	return int(math.Round(-hostBits * math.Log(max(1, float64(free))/hostBits)))
}
