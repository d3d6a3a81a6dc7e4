package ingest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

func TestNetworksOfMappedIPv4AreIPv4(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParseNetwork(text)
		if err != nil || got.String() != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	f("::ffff:10.0.0.0/104", "10.0.0.0/8")
	f("::ffff:10.1.2.3/104", "10.0.0.0/8")
	f("::ffff:0:0/96", "0.0.0.0/0")
	f("::ffff:10.0.0.1", "10.0.0.1/32")
	f("10.0.0.1/8", "10.0.0.0/8")
	f("fe80::1%2", "fe80::1/128")
	f("fe80::/10", "fe80::/10")
	f("::/0", "::/0")
	for _, text := range []string{"::ffff:10.0.0.0/64", "::ffff:0:0/95", "10.0.0.0/33", "a", "", "10.0.0"} {
		if got, err := ParseNetwork(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestTheSameAddressTwiceIsSaidInEverySpelling(t *testing.T) {
	f := func(twice bool, addrs ...string) {
		t.Helper()
		_, err := resolveAll(addrs)
		if got := errors.Is(err, ErrSameAddress); got != twice || !got && err != nil {
			t.Errorf("%q: got %v, want the same address twice: %v", addrs, err, twice)
		}
		if err != nil && (!strings.Contains(err.Error(), addrs[0]) || !strings.Contains(err.Error(), addrs[1])) {
			t.Errorf("%q: got %v, want both as they are spelled", addrs, err)
		}
		literal := !strings.Contains(strings.Join(addrs, " "), "localhost")
		if got := CheckAddrs(addrs); literal && (got != nil) != twice {
			t.Errorf("%q: got %v without looking up names, want the same address twice: %v", addrs, got, twice)
		}
	}
	f(true, ":1", ":1")
	f(true, "127.0.0.1:1", "127.0.0.1:01")
	f(true, "127.0.0.1:1", "localhost:1")
	f(true, "127.0.0.1:1", "[::ffff:127.0.0.1]:1")
	f(true, "0.0.0.0:1", "[::ffff:0.0.0.0]:1")
	f(true, "[::1]:1", "[0:0::1]:1")
	f(true, ":1", "[::]:1")
	f(true, "[::]:1", ":1")
	f(true, ":1", "0.0.0.0:1")
	f(true, "127.0.0.1:1", ":1")
	f(true, "0.0.0.0:1", "127.0.0.1:1")
	f(true, "[::1]:1", "[::]:1")
	f(true, "127.0.0.1:514", "127.0.0.1:syslog")
	f(false, "0.0.0.0:1", "[::]:1")
	f(false, "[::]:1", "0.0.0.0:1")
	f(false, "127.0.0.1:1", "[::]:1")
	f(false, "0.0.0.0:1", "[::1]:1")
	f(false, "127.0.0.1:1", "127.0.0.1:2")
	f(false, "127.0.0.1:1", "127.0.0.2:1")
	f(false, "127.0.0.1:0", "127.0.0.1:0")
	f(false, ":0", "[::]:0")
}

// reaches reports by which of its sockets, by index, the listener gets what is sent to host; -1: by none.
func reaches(t *testing.T, l *Listener, host string, port int) int {
	t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		return -1
	}
	for i, r := range l.readers {
		if n, _ := r.socket.receive(50 * time.Millisecond); n > 0 {
			return i
		}
	}
	return -1
}

func TestAnAddressOfIPv4TakesIPv4Alone(t *testing.T) {
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	port := int(freeport.Must(t))
	f := func(four, six int, hosts ...string) {
		t.Helper()
		addrs := make([]string, len(hosts))
		for i, host := range hosts {
			addrs[i] = fmt.Sprintf("%s:%d", host, port)
		}
		l, err := Listen(Options{Addrs: addrs})
		if err != nil {
			t.Errorf("%q: %v", addrs, err)
			return
		}
		defer l.Close()
		if got := reaches(t, l, "127.0.0.1", port); got != four {
			t.Errorf("%q: got what is sent to 127.0.0.1 by socket %d, want %d", addrs, got, four)
		}
		if got := reaches(t, l, "::1", port); got != six {
			t.Errorf("%q: got what is sent to ::1 by socket %d, want %d", addrs, got, six)
		}
		if hosts[0] == "0.0.0.0" && l.Addrs()[0].Addr() != netip.IPv4Unspecified() {
			t.Errorf("%q: got address %v, want 0.0.0.0", addrs, l.Addrs()[0])
		}
	}
	f(0, -1, "0.0.0.0")
	f(0, -1, "[::ffff:0.0.0.0]")
	f(0, 0, "")
	f(0, 0, "[::]")
	f(0, 1, "0.0.0.0", "[::]")
	f(1, 0, "[::]", "0.0.0.0")
	f(0, 1, "127.0.0.1", "[::1]")
}

func TestAProgramBesideOneThatHasIPv4TakesIPv6(t *testing.T) {
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	port := int(freeport.Must(t))
	other, err := Listen(Options{Addrs: []string{fmt.Sprintf("0.0.0.0:%d", port)}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l, err := Listen(Options{Addrs: []string{fmt.Sprintf("[::]:%d", port)}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if four, six := reaches(t, l, "127.0.0.1", port), reaches(t, l, "::1", port); four != -1 || six != 0 || !l.readers[0].socket.onlyIPv6 {
		t.Errorf("got IPv4 by socket %d and IPv6 by %d, only IPv6 %v; want none, 0 and true", four, six, l.readers[0].socket.onlyIPv6)
	}
	if _, err := Listen(Options{Addrs: []string{fmt.Sprintf(":%d", port)}}); err == nil {
		t.Error("got every address beside a program that has IPv4, want an error")
	}
}
