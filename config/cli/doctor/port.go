package doctor

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"hbjournal/ingest"
)

// udpSocket is a line of /proc/net/udp or udp6.
type udpSocket struct {
	addr  netip.AddrPort
	uid   int
	inode string
	drops uint64
}

// sockets are all UDP sockets that are bound in this network namespace.
func (e *examination) sockets() ([]udpSocket, error) {
	rows, err := fields(e.proc("net/udp"))
	if err != nil {
		return nil, err
	}
	rows6, err := fields(e.proc("net/udp6"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // Without IPv6 it is not there.
		return nil, err
	}
	var all []udpSocket
	for _, row := range append(rows, rows6...) {
		if s, ok := parseSocket(row); ok {
			all = append(all, s)
		}
	}
	return all, nil
}

// parseSocket takes a line apart: sl local remote st queues tr retrnsmt uid timeout inode ref pointer drops. One of titles
// is none.
func parseSocket(row []string) (s udpSocket, ok bool) {
	if len(row) < 13 {
		return s, false
	}
	address, port, _ := strings.Cut(row[1], ":")
	bytes, errBytes := hex.DecodeString(address)
	n, errPort := strconv.ParseUint(port, 16, 16)
	uid, errUID := strconv.Atoi(row[7])
	drops, errDrops := strconv.ParseUint(row[12], 10, 64)
	for i := 0; i+4 <= len(bytes); i += 4 { // Each word is in the machine's order.
		binary.BigEndian.PutUint32(bytes[i:], binary.NativeEndian.Uint32(bytes[i:]))
	}
	addr, valid := netip.AddrFromSlice(bytes)
	s = udpSocket{addr: netip.AddrPortFrom(addr, uint16(n)), uid: uid, inode: row[9], drops: drops}
	return s, valid && errors.Join(errBytes, errPort, errUID, errDrops) == nil
}

// isOwn reports whether the daemon receives on the socket, or would, if its address is free.
func (e *examination) isOwn(s udpSocket) bool {
	if d := e.daemon(); d.Running && len(d.Listen) > 0 {
		return slices.ContainsFunc(d.Listen, func(addr netip.AddrPort) bool { return meets(addr.Addr(), addr.Port(), s) })
	}
	return slices.ContainsFunc(e.Listen, func(text string) bool {
		b, err := ingest.Resolve("udp", text)
		return err == nil && meets(b.IP, b.Port, s)
	})
}

// meets reports whether a socket has an address, or is in the way of it. The zero IP is every address.
func meets(ip netip.Addr, port uint16, s udpSocket) bool {
	if port == 0 || s.addr.Port() != port {
		return false
	}
	bound := s.addr.Addr().Unmap()
	ip = ip.Unmap().WithZone("")
	switch {
	case !ip.IsValid() || ip == bound:
		return true
	case bound.IsUnspecified():
		return bound.Is6() || ip.Is4() // :: is for IPv4 too, most of the time.
	}
	return ip.IsUnspecified() && ip.Is4() == bound.Is4()
}

// port looks whether each address can be bound, or who has it.
func (e *examination) port() Row {
	addrs := e.Listen
	if d := e.daemon(); d.Running && len(d.Listen) > 0 {
		addrs = nil
		for _, addr := range d.Listen {
			addrs = append(addrs, addr.String())
		}
	}
	var rows []Row
	for _, addr := range addrs {
		rows = append(rows, e.portOf(addr))
	}
	if len(rows) == 0 {
		return skip("there is no address to listen on")
	}
	worst := slices.MaxFunc(rows, func(a, b Row) int {
		return slices.Index(badness, a.Status) - slices.Index(badness, b.Status)
	})
	if worst.Status == OK || worst.Status == Skip {
		return joined(worst, rows)
	}
	return worst
}

// joined is a row with what all of them measured.
func joined(worst Row, rows []Row) Row {
	var texts []string
	for _, r := range rows {
		if r.Status == worst.Status && !slices.Contains(texts, r.Measured) {
			texts = append(texts, r.Measured)
		}
	}
	worst.Measured = strings.Join(texts, "; ")
	return worst
}

func (e *examination) portOf(addr string) Row {
	bindable, err := ingest.Resolve("udp", addr)
	if err != nil {
		return Row{Status: Fail, Measured: err.Error(), Cure: "getent hosts " + Quoted(strings.Split(addr, ":")[0])}
	}
	sockets, _ := e.sockets() // Without them, only binding tells.
	for _, s := range sockets {
		if meets(bindable.IP, bindable.Port, s) {
			return e.heldPort(addr, s)
		}
	}
	listener, err := ingest.Listen(ingest.Options{Addrs: []string{addr}, BufferBytes: 4 << 10})
	if err == nil {
		err = listener.Close()
	}
	switch {
	case err == nil:
		return Row{Status: OK, Measured: addr + " is free"}
	case errors.Is(err, syscall.EADDRINUSE):
		return e.hiddenHolder(addr)
	case errors.Is(err, fs.ErrPermission):
		return Row{
			Status: Fail, Measured: fmt.Sprintf("uid %d may not bind %s", e.UID, addr), Limit: e.sysctl("net.ipv4.ip_unprivileged_port_start"),
			Cure: "export LISTEN_ADDR=:50003 # a port above 1023 needs no privilege",
		}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return Row{Status: Fail, Measured: "no interface has the address of " + addr, Cure: "export LISTEN_ADDR=:50003 # every address; 'ip addr' shows those that there are"}
	}
	return Row{Status: Fail, Measured: err.Error(), Cure: "export LISTEN_ADDR=:50003"}
}

// heldPort is the row of an address that a socket has already.
func (e *examination) heldPort(addr string, s udpSocket) Row {
	d := e.daemon()
	holders := e.holders(s.inode)
	for _, p := range holders {
		if d.is(p.pid) {
			return Row{Status: OK, Measured: fmt.Sprintf("%s is held by the daemon, %v", addr, p)}
		}
	}
	for _, p := range holders {
		if p.pid == 1 {
			return Row{Status: OK, Measured: fmt.Sprintf("%s is held by %v, which starts the daemon", addr, p)}
		}
	}
	if len(holders) == 0 && d.Running && e.isOwn(s) {
		return Row{Status: OK, Measured: fmt.Sprintf("%s is held by uid %d: as it left word, by the daemon", addr, s.uid)}
	}
	if len(holders) == 0 && e.unseen() {
		return Row{
			Status: Note, Measured: fmt.Sprintf("%s is held by uid %d, most likely by the daemon: that uid %d cannot see", addr, s.uid, e.UID),
			Cure: fmt.Sprintf("sudo -u %s hbjournal doctor", quotedUser(strconv.Itoa(s.uid))),
		}
	}
	if len(holders) == 0 {
		return e.taken(addr, fmt.Sprintf("a process of uid %d", s.uid))
	}
	var names []string
	for _, p := range holders {
		names = append(names, p.String())
	}
	return e.taken(addr, strings.Join(names, " and "))
}

// hiddenHolder is the row of an address that a socket has which /proc does not show to this user.
func (e *examination) hiddenHolder(addr string) Row {
	switch d := e.daemon(); {
	case d.Running && len(d.Listen) > 0: // Then addr is one of those.
		return Row{Status: OK, Measured: addr + " is held: as it left word, by the daemon"}
	case d.Running || e.unseen():
		return Row{
			Status: Note, Measured: fmt.Sprintf("%s is held, most likely by the daemon: that uid %d cannot see", addr, e.UID),
			Cure: e.asRoot("hbjournal doctor --only port"),
		}
	}
	return e.taken(addr, "something that this user cannot see")
}

// unseen reports whether there may be a daemon of which this user cannot see whether it is the journal's.
func (e *examination) unseen() bool {
	d := e.daemon()
	return d.LockErr != nil || d.Asked && !d.Running
}

func (e *examination) taken(addr, by string) Row {
	port := portOf(addr)
	command := e.asRoot(fmt.Sprintf("ss -ulpn 'sport = :%s'", port))
	return Row{Status: Fail, Measured: fmt.Sprintf("%s is held by %s", addr, by), Cure: command + " # then stop it, or serve with LISTEN_ADDR=:50004"}
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// process is one that can be named.
type process struct {
	pid  int
	name string
}

func (p process) String() string { return fmt.Sprintf("pid %d (%s)", p.pid, p.name) }

// holders are the processes that have a socket, as far as this user sees them.
func (e *examination) holders(inode string) (all []process) {
	dirs, _ := os.ReadDir(e.Proc)
	for _, dir := range dirs {
		pid, err := strconv.Atoi(dir.Name())
		if err != nil {
			continue
		}
		fds := filepath.Join(e.Proc, dir.Name(), "fd")
		links, _ := os.ReadDir(fds)
		for _, link := range links {
			if to, err := os.Readlink(filepath.Join(fds, link.Name())); err == nil && to == "socket:["+inode+"]" {
				name, _ := word(e.proc(dir.Name() + "/comm"))
				all = append(all, process{pid, name})
				break
			}
		}
	}
	return all
}
