package journal

import (
	"net/netip"
	"testing"
)

func TestNetworksHoldSendersHoweverTheirAddressesAreWritten(t *testing.T) {
	f := func(network, addr string, want bool) {
		t.Helper()
		n, err := ParseNetwork(network)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s in %s: got %v, want %v", addr, network, got, want)
		}
	}
	for _, all := range []string{"fe80::1", "fe80::/10", "::/0", "fe80::1%2", "fe80::%2/64", "fe80::1/128"} {
		f(all, "fe80::1%2", true)
	}
	f("fe80::1%eth0", "fe80::1%2", false)
	f("fe80::1%2", "fe80::1", false)
	f("fe80::%3/64", "fe80::1%2", false)
	f("fe80::2", "fe80::1%2", false)
	for _, v4 := range []string{"10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "::ffff:0:0/96"} {
		f(v4, "10.0.0.1", true)
		f(v4, "::ffff:10.0.0.1", true)
	}
	f("::ffff:11.0.0.0/104", "10.0.0.1", false)
	f("::ffff:10.0.0.0/104", "::1", false)
	f("::/0", "10.0.0.1", false)
	f("::/0", "2001:db8::1", true)
}

func TestWhatIsNoNetworkIsRefused(t *testing.T) {
	for _, text := range []string{"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "/8", "fe80::1/129", "fe80::%2/x", "web1", "10.0.0.0/8/8", "fe80::1%/64"} {
		if n, err := ParseNetwork(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, n)
		}
	}
}
