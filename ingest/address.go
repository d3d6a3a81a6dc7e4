package ingest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ErrSameAddress is wrapped by the errors of Listen and CheckAddrs for two addresses of which one takes what is sent to
// the other.
var ErrSameAddress = errors.New("the same address twice")

// ParseNetwork reads an address or a network, such as 10.0.0.0/8. IPv4 in the form of IPv6, as ::ffff:10.0.0.0/104, is
// IPv4; zones are left out. The network is masked.
func ParseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network, such as 192.168.1.100 or 10.0.0.0/8", text)
	}
	const mappedBits = 96 // of ::ffff:0:0/96, which is all of IPv4
	switch {
	case !network.Addr().Is4In6():
		return network.Masked(), nil
	case network.Bits() < mappedBits:
		return netip.Prefix{}, fmt.Errorf("%q holds IPv4 and more: give 0.0.0.0/0 for all of IPv4, and the networks of IPv6 beside it", text)
	}
	return netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mappedBits).Masked(), nil
}

// Bindable is an address to bind, and the network to do it in. The zero IP is every address of IPv4 and IPv6.
type Bindable struct {
	IP      netip.Addr
	Port    uint16
	Network string // with udp or tcp in front: udp4, udp6, or udp for both
}

// Resolve looks up host:port for binding it over proto, udp or tcp. What is an address of IPv4 is bound for IPv4 alone,
// however it is spelled; no host, and ::, mean both.
func Resolve(proto, addr string) (Bindable, error) {
	found, err := net.ResolveUDPAddr("udp", addr) // Of a name that has several, the first of IPv4.
	if err != nil {
		return Bindable{}, err
	}
	b := Bindable{Port: uint16(found.Port), Network: proto}
	if found.IP == nil {
		return b, nil
	}
	b.IP = found.AddrPort().Addr().Unmap()
	switch {
	case b.IP.Is4():
		b.Network += "4"
	case !b.IP.IsUnspecified():
		b.Network += "6"
	}
	return b, nil
}

// Addr is the address to bind, as package net takes it.
func (b Bindable) Addr() string {
	if !b.IP.IsValid() {
		return fmt.Sprintf(":%d", b.Port)
	}
	return netip.AddrPortFrom(b.IP, b.Port).String()
}

// Bind calls bind with the network and the address. If another program has the port of :: for IPv4, :: is bound for
// IPv6 alone. It reports whether bind has bound :: for IPv6 alone, for this reason or another.
func (b Bindable) Bind(bind func(network, addr string) error) (onlyIPv6 bool, err error) {
	any6 := b.IP.Is6() && b.IP.IsUnspecified()
	err = bind(b.Network, b.Addr())
	if any6 && !b.only() && errors.Is(err, syscall.EADDRINUSE) && bind(b.Network+"6", b.Addr()) == nil {
		return true, nil
	}
	return any6 && b.only(), err
}

// only reports whether b is for one family.
func (b Bindable) only() bool {
	return strings.HasSuffix(b.Network, "4") || strings.HasSuffix(b.Network, "6")
}

// resolveAll resolves the addresses for UDP, and leaves to :: only IPv6 if there is one of IPv4 with its port.
func resolveAll(addrs []string) ([]Bindable, error) {
	all := make([]Bindable, len(addrs))
	for i, addr := range addrs {
		var err error
		if all[i], err = Resolve("udp", addr); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", addr, err)
		}
	}
	for i := range all {
		if all[i].IP.Is6() && all[i].IP.IsUnspecified() && all[i].Port != 0 && hasIPv4(all, all[i].Port) {
			all[i].Network = "udp6"
		}
	}
	return all, distinct(addrs, all)
}

func hasIPv4(all []Bindable, port uint16) bool {
	for _, b := range all {
		if b.IP.Is4() && b.Port == port {
			return true
		}
	}
	return false
}

// CheckAddrs returns what is wrong with the addresses together, as far as it shows without looking up names: one that is
// given twice, in whatever spelling, or that another includes.
func CheckAddrs(addrs []string) error {
	var literal []string
	for _, addr := range addrs {
		host, _, err := net.SplitHostPort(addr)
		if _, errIP := netip.ParseAddr(host); err == nil && (host == "" || errIP == nil) {
			literal = append(literal, addr)
		}
	}
	_, err := resolveAll(literal)
	return err
}

// distinct returns an error if two addresses are one, or if one takes what is sent to the other.
func distinct(addrs []string, all []Bindable) error {
	for i, b := range all {
		for j, a := range all[:i] {
			switch {
			case a.Port != b.Port || a.Port == 0:
				continue
			case a.IP == b.IP:
				return fmt.Errorf("listen on %s and %s: %w", addrs[j], addrs[i], ErrSameAddress)
			case a.takes(b):
				return fmt.Errorf("listen on %s and %s: %w, since the first includes the second", addrs[j], addrs[i], ErrSameAddress)
			case b.takes(a):
				return fmt.Errorf("listen on %s and %s: %w, since the second includes the first", addrs[j], addrs[i], ErrSameAddress)
			}
		}
	}
	return nil
}

// takes reports whether b takes what is sent to another address of its port.
func (b Bindable) takes(other Bindable) bool {
	switch {
	case b.IP.IsValid() && !b.IP.IsUnspecified():
		return false
	case strings.HasSuffix(b.Network, "4"):
		return other.IP.Is4()
	case strings.HasSuffix(b.Network, "6"):
		return other.IP.Is6()
	}
	return true
}
