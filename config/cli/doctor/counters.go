package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// reading is what the counters stood at, by source and name.
type reading map[string]source

// source is what one file, or some that belong together, says.
type source struct {
	values map[string]uint64
	err    error
}

// read reads all counters.
func (e *examination) read() reading {
	r := reading{}
	for name, read := range map[string]func() (map[string]uint64, error){
		"snmp":      func() (map[string]uint64, error) { return readTitled(e.proc("net/snmp")) },
		"netstat":   func() (map[string]uint64, error) { return readTitled(e.proc("net/netstat")) },
		"snmp6":     func() (map[string]uint64, error) { return readNamed(e.proc("net/snmp6")) },
		"softnet":   func() (map[string]uint64, error) { return readSoftnet(e.proc("net/softnet_stat")) },
		"conntrack": func() (map[string]uint64, error) { return readConntrack(e.proc("net/stat/nf_conntrack")) },
		"nic":       e.readNICs,
		"udp":       e.readDrops,
	} {
		values, err := read()
		r[name] = source{values, err}
	}
	return r
}

// readTitled reads a file like /proc/net/snmp, in which a line of names stands above one of numbers.
func readTitled(path string) (map[string]uint64, error) {
	rows, err := fields(path)
	values := map[string]uint64{}
	for i := 1; i < len(rows); i++ {
		titles, numbers := rows[i-1], rows[i]
		if len(titles) != len(numbers) || titles[0] != numbers[0] {
			continue
		}
		for j := 1; j < len(titles); j++ {
			if n, err := strconv.ParseUint(numbers[j], 10, 64); err == nil {
				values[strings.TrimSuffix(titles[0], ":")+"."+titles[j]] = n
			}
		}
	}
	return values, err
}

// readNamed reads a file with a name and a number on each line.
func readNamed(path string) (map[string]uint64, error) {
	rows, err := fields(path)
	values := map[string]uint64{}
	for _, row := range rows {
		if len(row) == 2 {
			values[row[0]], _ = strconv.ParseUint(row[1], 10, 64)
		}
	}
	return values, err
}

// readSoftnet sums the lines of the processors: processed, dropped, time_squeeze, ... in hexadecimal digits.
func readSoftnet(path string) (map[string]uint64, error) {
	rows, err := fields(path)
	values := map[string]uint64{}
	for _, row := range rows {
		for i, name := range []string{"", "dropped", "squeezed"} {
			if i > 0 && i < len(row) {
				n, _ := strconv.ParseUint(row[i], 16, 64)
				values[name] += n
			}
		}
	}
	return values, err
}

// readConntrack sums the lines of the processors, which stand below one of names, in hexadecimal digits.
func readConntrack(path string) (map[string]uint64, error) {
	rows, err := fields(path)
	values := map[string]uint64{}
	for i, row := range rows {
		for j := 0; i > 0 && j < min(len(row), len(rows[0])); j++ {
			n, _ := strconv.ParseUint(row[j], 16, 64)
			values[rows[0][j]] += n
		}
	}
	return values, err
}

// readNICs reads what the network interfaces had no room for, by "eth0 rx_dropped".
func (e *examination) readNICs() (map[string]uint64, error) {
	interfaces, err := os.ReadDir(filepath.Join(e.Sys, "class/net"))
	values := map[string]uint64{}
	for _, nic := range interfaces {
		for _, counter := range []string{"rx_dropped", "rx_missed_errors", "rx_fifo_errors", "rx_over_errors"} {
			n, err := number(filepath.Join(e.Sys, "class/net", nic.Name(), "statistics", counter))
			if errors.Is(err, fs.ErrPermission) {
				return nil, err
			}
			if err == nil {
				values[nic.Name()+" "+counter] = n
			}
		}
	}
	if err == nil && len(values) == 0 {
		err = errors.New("no interface has statistics in " + filepath.Join(e.Sys, "class/net"))
	}
	return values, err
}

// readDrops reads what the sockets of the daemon had no room for, by their inode.
func (e *examination) readDrops() (map[string]uint64, error) {
	sockets, err := e.sockets()
	values := map[string]uint64{}
	for _, s := range sockets {
		if e.isOwn(s) {
			values[s.inode] = s.drops
		}
	}
	return values, err
}

// tally is what some counters came to: since they began, and between the two readings.
type tally struct {
	total, grew uint64
	names       []string // of those that grew, or else of those that are not 0
	err         error
}

// tally sums the counters of a source that are chosen.
func (e *examination) tally(from string, chosen func(name string) bool) (t tally) {
	before, after := e.counters()
	if t.err = after[from].err; t.err == nil {
		t.err = before[from].err
	}
	var old []string
	for _, name := range slices.Sorted(maps.Keys(after[from].values)) {
		was, known := before[from].values[name]
		is := after[from].values[name]
		if !chosen(name) || is == 0 {
			continue
		}
		t.total += is
		old = append(old, name)
		if known && is > was {
			t.grew += is - was
			t.names = append(t.names, name)
		}
	}
	if t.grew == 0 {
		t.names = old
	}
	return t
}

func (t tally) status() Status {
	switch {
	case t.grew > 0:
		return Warn
	case t.total > 0:
		return Note
	}
	return OK
}

// among chooses the counters of these names.
func among(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// row is the row of counters of what is lost: what they count, since when, what limits it, and the cure.
func (e *examination) row(t tally, what, since, limit, cure string) Row {
	if t.err != nil {
		return unreadable(t.err)
	}
	r := Row{Status: t.status(), Measured: "no " + what + " since " + since, Limit: limit}
	if r.Status == OK {
		return r
	}
	r.Cure = cure
	r.Measured = fmt.Sprintf("%s %s since %s, none of them in the last %v", humanize.Comma(int64(t.total)), what, since, e.Interval)
	if t.grew > 0 {
		r.Measured = fmt.Sprintf("%s %s since %s, %s of them in the last %v",
			humanize.Comma(int64(t.total)), what, since, humanize.Comma(int64(t.grew)), e.Interval)
	}
	return r
}

// unreadable is the row of what could not be read.
func unreadable(err error) Row {
	var path *fs.PathError
	switch {
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist):
		return skip("this system has no " + path.Path)
	case errors.As(err, &path):
		return skip(fmt.Sprintf("cannot read %s: %v", path.Path, path.Err))
	}
	return skip(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func counterChecks() []check {
	return []check{
		{"own-drops", netGroup, (*examination).ownDrops},
		{"udp-drops", netGroup, (*examination).udpDrops},
		{"udp-errors", netGroup, (*examination).udpErrors},
		{"no-port", netGroup, (*examination).noPort},
		{"fragments", netGroup, (*examination).fragments},
		{"reverse-path", netGroup, (*examination).reversePath},
		{"backlog", netGroup, (*examination).backlog},
		{"nic", netGroup, (*examination).nics},
		{"conntrack", netGroup, (*examination).conntrack},
	}
}

// ownDrops looks at the drops of the sockets that the daemon receives on.
func (e *examination) ownDrops() Row {
	before, after := e.counters()
	if len(before["udp"].values)+len(after["udp"].values) == 0 && after["udp"].err == nil {
		return skip("nobody receives on the port now")
	}
	t := e.tally("udp", func(string) bool { return true })
	return e.row(t, "datagrams dropped by the daemon's socket", "it was opened", fmt.Sprintf("listen_buffer=%d", e.BufferBytes), e.moreBuffer())
}

// moreBuffer is the cure of a receive buffer that overruns: twice of it.
func (e *examination) moreBuffer() string {
	twice := 2 * e.BufferBytes
	return then(e.onHost(fmt.Sprintf("sysctl -w net.core.rmem_max=%d", twice)), fmt.Sprintf("then start the daemon with LISTEN_BUFFER=%d", twice))
}

// udpDrops looks at the drops of all UDP sockets, and says which limit bites.
func (e *examination) udpDrops() Row {
	t4 := e.tally("snmp", among("Udp.RcvbufErrors", "Udp.MemErrors"))
	t6 := e.tally("snmp6", among("Udp6RcvbufErrors", "Udp6MemErrors"))
	if t4.err != nil {
		return unreadable(t4.err)
	}
	t := tally{total: t4.total + t6.total, grew: t4.grew + t6.grew, names: append(t4.names, t6.names...)} // Without IPv6 there is no snmp6.
	limit, cure := "the receive buffer of a socket", e.asRoot("ss -uamn # d in skmem is what a socket dropped; then see receive-buffer")
	if slices.ContainsFunc(t.names, func(name string) bool { return strings.HasSuffix(name, "MemErrors") }) {
		limit, cure = "net.ipv4.udp_mem, for all sockets together", e.moreUDPMemory()
	}
	return e.row(t, "datagrams dropped by all UDP sockets", "boot", limit, cure)
}

// udpErrors looks at datagrams that came in broken.
func (e *examination) udpErrors() Row {
	t4, t6 := e.tally("snmp", among("Udp.InCsumErrors")), e.tally("snmp6", among("Udp6InCsumErrors"))
	t := tally{total: t4.total + t6.total, grew: t4.grew + t6.grew, err: t4.err}
	return e.row(t, "UDP checksum errors", "boot", "", e.asRoot("ethtool -K eth0 rx off # with the name of the interface, if its card checks wrongly; else a cable or a router breaks them"))
}

// noPort looks at datagrams for ports that nobody listens on. It does not warn: they may be meant for others.
func (e *examination) noPort() Row {
	t4, t6 := e.tally("snmp", among("Udp.NoPorts")), e.tally("snmp6", among("Udp6NoPorts"))
	t := tally{total: t4.total + t6.total, grew: t4.grew + t6.grew, err: t4.err}
	r := e.row(t, "datagrams to ports that nobody listened on", "boot", "", "ss -uln # shows what is listened on; do the senders use another port?")
	switch {
	case t.err == nil && t.grew == 0: // While the daemon restarts without a socket unit, some come.
		r.Status, r.Cure = OK, ""
	case r.Status == Warn:
		r.Status = Note
	}
	return r
}

func (e *examination) fragments() Row {
	t4, t6 := e.tally("snmp", among("Ip.ReasmFails")), e.tally("snmp6", among("Ip6ReasmFails"))
	t := tally{total: t4.total + t6.total, grew: t4.grew + t6.grew, err: t4.err}
	limit := e.sysctl("net.ipv4.ipfrag_high_thresh")
	return e.row(t, "packets lost since fragments were missing", "boot", limit,
		then(e.onHost("sysctl -w net.ipv4.ipfrag_high_thresh=16777216"), "better: let the senders keep datagrams below the MTU, about 1400 bytes"))
}

func (e *examination) reversePath() Row {
	t := e.tally("netstat", among("TcpExt.IPReversePathFilter"))
	return e.row(t, "packets dropped by the reverse path filter", "boot", e.sysctl("net.ipv4.conf.all.rp_filter"),
		e.onHost("sysctl -w net.ipv4.conf.all.rp_filter=2"))
}

func (e *examination) backlog() Row {
	now, limit := e.sysctlNumber("net.core.netdev_max_backlog"), e.sysctl("net.core.netdev_max_backlog")
	r := e.row(e.tally("softnet", among("dropped")), "packets dropped by the backlog of a processor", "boot", limit,
		e.onHost(fmt.Sprintf("sysctl -w net.core.netdev_max_backlog=%d", max(2*now, 4096))))
	squeezed := e.tally("softnet", among("squeezed"))
	if r.Status == OK && squeezed.grew > 0 {
		r.Status = Note
		r.Measured += fmt.Sprintf("; %d times in the last %v its time was too short", squeezed.grew, e.Interval)
		r.Limit = e.sysctl("net.core.netdev_budget")
		r.Cure = e.onHost(fmt.Sprintf("sysctl -w net.core.netdev_budget=%d", max(2*e.sysctlNumber("net.core.netdev_budget"), 600)))
	}
	return r
}

func (e *examination) nics() Row {
	t := e.tally("nic", func(string) bool { return true })
	nic := "eth0"
	if len(t.names) > 0 {
		nic, _, _ = strings.Cut(t.names[0], " ")
	}
	r := e.row(t, "packets dropped by network interfaces", "boot", "", then(e.onHost("ethtool -g "+nic), "then -G "+nic+" rx with the maximum that it shows"))
	if len(t.names) > 0 {
		r.Measured += " (" + strings.Join(t.names, ", ") + ")"
	}
	return r
}

// conntrackFull is the share of the table from which on there is reason to warn.
const conntrackFull = 0.8

func (e *examination) conntrack() Row {
	count, errCount := number(e.proc("sys/net/netfilter/nf_conntrack_count"))
	most, errMost := number(e.proc("sys/net/netfilter/nf_conntrack_max"))
	if err := errors.Join(errCount, errMost); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return skip("connections are not tracked here, or not for this process to see")
		}
		return unreadable(err)
	}
	cure := then(e.onHost(fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", 2*most)), "better: NOTRACK for the port, in the raw table")
	limit := fmt.Sprintf("net.netfilter.nf_conntrack_max=%d", most)
	t := e.tally("conntrack", among("drop", "early_drop", "insert_failed"))
	if errors.Is(t.err, fs.ErrNotExist) {
		t.err = nil // Not every kernel has the figures.
	}
	r := e.row(t, "packets dropped by connection tracking", "boot", limit, cure)
	if r.Status != Skip && float64(count) > conntrackFull*float64(most) {
		r.Status, r.Cure = Warn, cure
	}
	r.Measured = fmt.Sprintf("%d connections; %s", count, r.Measured)
	return r
}
