package ingest

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"testing"
)

// addrNumber is one of as many addresses as there are numbers.
func addrNumber(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return netip.AddrFrom4(b)
}

func TestHostsAreCountedExactlyWhenTheyAreFewAndNearlySoWhenTheyAreMany(t *testing.T) {
	for _, n := range []int{0, 1, 2, 30, 1000, 100_000, 2_000_000} {
		h := hosts{seed: maphash.MakeSeed()}
		for range 2 {
			for i := range n {
				h.see(addrNumber(i))
				h.see(addrNumber(i))
			}
		}
		sum := make([]uint64, hostBits/64)
		h.moveTo(sum)
		allowed := 0.01 * float64(n)
		if n <= 30 {
			allowed = 1 // Two of them share a bit once in a thousand runs.
		}
		if got := countHosts(sum); math.Abs(float64(got-n)) > allowed {
			t.Errorf("hosts: got %d, want %d", got, n)
		}
		clear(sum)
		if h.moveTo(sum); countHosts(sum) != 0 {
			t.Errorf("hosts after they were counted: got %d, want 0", countHosts(sum))
		}
	}
}

func TestHostThatSendsToTwoSocketsCountsOnce(t *testing.T) {
	seed := maphash.MakeSeed()
	a, b := hosts{seed: seed}, hosts{seed: seed}
	a.see(addrNumber(1))
	b.see(netip.AddrFrom16(addrNumber(1).As16()))
	sum := make([]uint64, hostBits/64)
	a.moveTo(sum)
	b.moveTo(sum)
	if got := countHosts(sum); got != 1 {
		t.Errorf("hosts: got %d, want 1", got)
	}
}

func TestSeeingAHostCostsNoMemory(t *testing.T) {
	h := hosts{seed: maphash.MakeSeed()}
	h.see(addrNumber(0))
	i := 0
	if allocs := testing.AllocsPerRun(1000, func() { i++; h.see(addrNumber(i)) }); allocs != 0 {
		t.Errorf("allocations: got %v, want 0", allocs)
	}
}
