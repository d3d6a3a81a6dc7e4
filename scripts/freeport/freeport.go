// Package freeport finds ports for servers of tests and benchmarks that have to be told theirs, and have it again after a restart.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strconv"
)

// A Port is one of 127.0.0.1.
type Port int

// String is its number.
func (p Port) String() string { return strconv.Itoa(int(p)) }

// Addr is its address.
func (p Port) Addr() string { return net.JoinHostPort("127.0.0.1", p.String()) }

// Ports are looked for between these. Linux gives connections that go out ports from 32768 on (ip_local_port_range): a free port
// up there may be somebody else's before the server asks for it, or while it is down.
const (
	lowest  = 10_000
	highest = 32_767
)

// Find returns a port that nobody has, of TCP and UDP. It looks into the kernel's tables: a socket opened to try it would be held
// for a moment by whatever process is being started meanwhile.
func Find() (Port, error) {
	taken, err := takenPorts()
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	for range 100 {
		p := Port(lowest + rand.IntN(highest-lowest+1))
		if !taken[p] {
			return p, nil
		}
	}
	return 0, fmt.Errorf("find a free port: %d ports of this machine are taken", len(taken))
}

// localPort is in a line of these tables behind the number of the line: an address of our side and its port, in hexadecimal.
var localPort = regexp.MustCompile(`(?m)^ *\d+: [0-9A-F]+:([0-9A-F]{4}) `)

// takenPorts are those of all sockets.
func takenPorts() (map[Port]bool, error) {
	taken := make(map[Port]bool)
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		if errors.Is(err, os.ErrNotExist) && table[len(table)-1] == '6' {
			continue // a machine without IPv6
		}
		if err != nil {
			return nil, err
		}
		for _, line := range localPort.FindAllSubmatch(text, -1) {
			port, err := strconv.ParseUint(string(line[1]), 16, 16)
			if err != nil {
				return nil, err
			}
			taken[Port(port)] = true
		}
	}
	return taken, nil
}

// failer is a test.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// Must is Find for a test.
func Must(t failer) Port {
	t.Helper()
	p, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
