package cli

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// refuseLoop is the error if a daemon that writes what is read receives at the address: what is sent would be read again.
func (r *replayer) refuseLoop(to netip.AddrPort) error {
	for _, place := range r.places() {
		if !isOwn(to, r.listening(place)) {
			continue
		}
		return &usageError{
			fmt.Errorf("--to %s is where the daemon listens that writes %s: each message would be journaled again", r.to, place),
			"send to another daemon, or give --loop if that is what you want",
		}
	}
	return nil
}

// place is where a journal is.
type place struct{ dir, file string }

func (p place) String() string { return filepath.Join(p.dir, p.file) }

// places are the journals that the files to be read are of. Whose a pipe is cannot be told.
func (s *selection) places() []place {
	var all []place
	var paths []string
	for _, j := range s.options.Each() {
		if paths = append(paths, j.Paths...); len(j.Paths) == 0 {
			all = append(all, place{j.Dir, j.Base})
		}
	}
	for _, path := range paths {
		if path == read.Stdin {
			path = pathOf(s.environ.Stdin)
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if path == "" {
			continue
		}
		p := place{filepath.Dir(path), filepath.Base(path)}
		if base, backup := names.BaseOf(p.file); backup {
			p.file = base
		}
		all = append(all, p)
	}
	return all
}

// pathOf is a name of an open file, such as that which standard input was redirected to, where the system has one.
func pathOf(r io.Reader) string {
	file, ok := r.(*os.File)
	if !ok {
		return ""
	}
	path, err := filepath.EvalSymlinks(fmt.Sprintf("/dev/fd/%d", file.Fd()))
	if err != nil {
		return "" // A pipe has none.
	}
	return path
}

// listening are the addresses at which the daemon that writes a journal receives: those that it left word of, or else those
// of the settings. Without such a daemon there are none.
func (s *selection) listening(p place) []string {
	held, err := rotate.Held(p.dir, p.file)
	if err == nil && !held {
		return nil
	}
	word, found := servingNoteOf(p.dir, p.file).read()
	if !found {
		return s.cfg.Config.ListenAddr
	}
	var addrs []string
	for _, addr := range word.Listen {
		addrs = append(addrs, addr.String())
	}
	return addrs
}

// isOwn reports whether what is sent to an address arrives at one of those that a daemon of this machine listens on.
func isOwn(to netip.AddrPort, listening []string) bool {
	for _, addr := range listening {
		host, port, err := net.SplitHostPort(addr)
		if err == nil && port == strconv.Itoa(int(to.Port())) && arrives(to.Addr().Unmap(), host) {
			return true
		}
	}
	return false
}

// arrives reports whether an address leads to a socket that is bound to host.
func arrives(to netip.Addr, host string) bool {
	bound, err := netip.ParseAddr(host)
	switch {
	case err != nil: // none, which is every address, or a name
		return isLocal(to)
	case bound.IsUnspecified():
		return isLocal(to) && (bound.Is6() || to.Is4())
	case to.IsUnspecified(): // goes to this machine
		return bound.IsLoopback()
	}
	return bound.Unmap() == to
}

func isLocal(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil || addr.IsLoopback() || addr.IsUnspecified() {
		return addr.IsLoopback() || addr.IsUnspecified()
	}
	for _, own := range addrs {
		if prefix, err := netip.ParsePrefix(own.String()); err == nil && prefix.Addr().Unmap() == addr.WithZone("") {
			return true
		}
	}
	return false
}
