package journal

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Network is a set of senders: an address or a network, and for a link-local one the zone, which is the interface by
// which its datagrams came.
type Network struct {
	Prefix netip.Prefix // IPv4 of what was written as an IPv4-mapped IPv6 address
	Zone   string       // "": any
}

// ParseNetwork reads an address or a network in CIDR notation, either with a zone: 10.0.0.0/8, fe80::1%eth0, fe80::%2/64.
func ParseNetwork(text string) (Network, error) {
	address, bits, isNetwork := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return Network{}, fmt.Errorf("parse network: %w", err)
	}
	n := Network{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Zone: addr.Zone()}
	if isNetwork {
		if n.Prefix, err = netip.ParsePrefix(addr.WithZone("").String() + "/" + bits); err != nil {
			return Network{}, fmt.Errorf("parse network: %w", err)
		}
	}
	const mapped = 96 // bits in front of an IPv4 address that is written as IPv6
	if addr.Is4In6() && n.Prefix.Bits() >= mapped {
		n.Prefix = netip.PrefixFrom(addr.Unmap(), n.Prefix.Bits()-mapped)
	}
	return n, nil
}

// Contains reports whether a sender is in n. An IPv4 address is the same when it is written as IPv6.
func (n Network) Contains(addr netip.Addr) bool {
	return (n.Zone == "" || n.Zone == addr.Zone()) && n.Prefix.Contains(addr.Unmap().WithZone(""))
}
