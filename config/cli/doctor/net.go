package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"hbjournal/ingest"
)

const netGroup = "net"

func netChecks() []check {
	return []check{
		{"port", netGroup, (*examination).port},
		{"receive-buffer", netGroup, (*examination).receiveBuffer},
		{"udp-mem", netGroup, (*examination).udpMemory},
		{"ipv6", netGroup, (*examination).ipv6},
		{"gateway", netGroup, (*examination).gateway},
		{"rx-queues", netGroup, (*examination).rxQueues},
	}
}

// receiveBuffer asks the kernel for the buffer that the daemon asks for, or the daemon for the one that it has.
func (e *examination) receiveBuffer() Row {
	granted, who := int64(0), "uid "+strconv.Itoa(e.UID)+" is granted"
	if d := e.daemon(); d.BufferBytes > 0 {
		granted, who = d.BufferBytes, "the daemon was granted"
	} else {
		probed, err := ingest.ProbeBuffer(e.BufferBytes)
		if err != nil {
			return skip(err.Error())
		}
		granted = int64(probed)
	}
	r := Row{Status: OK, Measured: fmt.Sprintf("%s %s of %s", who, bytesText(granted), bytesText(int64(e.BufferBytes))), Limit: e.sysctl("net.core.rmem_max")}
	if granted < int64(e.BufferBytes) {
		r.Status = Warn
		r.Cure = e.onHost(fmt.Sprintf("sysctl -w net.core.rmem_max=%d", e.BufferBytes))
	}
	return r
}

func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// memoryPressed is the share of the middle of net.ipv4.udp_mem from which on there is reason to warn.
const memoryPressed = 0.7

// udpMemory looks at the pages that all UDP sockets have together.
func (e *examination) udpMemory() Row {
	limits, err := word(e.proc("sys/net/ipv4/udp_mem"))
	if err != nil {
		return unreadable(err)
	}
	rows, err := fields(e.proc("net/sockstat"))
	if err != nil {
		return unreadable(err)
	}
	three := strings.Fields(limits)
	used, found := udpPages(rows)
	if len(three) != 3 || !found {
		return skip("udp_mem and sockstat are not as this program knows them")
	}
	pressure, err := strconv.ParseUint(three[1], 10, 64)
	if err != nil {
		return skip("udp_mem: " + err.Error())
	}
	r := Row{Status: OK, Measured: fmt.Sprintf("all UDP sockets have %d pages", used), Limit: "net.ipv4.udp_mem=" + strings.Join(three, " ")}
	if float64(used) > memoryPressed*float64(pressure) {
		r.Status, r.Cure = Warn, e.moreUDPMemory()
	}
	return r
}

// udpPages finds the figure in "UDP: inuse 3 mem 30".
func udpPages(rows [][]string) (pages uint64, ok bool) {
	for _, row := range rows {
		for i := 1; row[0] == "UDP:" && i+1 < len(row); i++ {
			if row[i] == "mem" {
				pages, err := strconv.ParseUint(row[i+1], 10, 64)
				return pages, err == nil
			}
		}
	}
	return 0, false
}

// moreUDPMemory is twice of each limit.
func (e *examination) moreUDPMemory() string {
	limits, _ := word(e.proc("sys/net/ipv4/udp_mem"))
	var twice []string
	for _, text := range strings.Fields(limits) {
		n, _ := strconv.ParseUint(text, 10, 63)
		twice = append(twice, strconv.FormatUint(2*n, 10))
	}
	return e.onHost(fmt.Sprintf("sysctl -w net.ipv4.udp_mem='%s'", strings.Join(twice, " ")))
}

func (e *examination) ipv6() Row {
	addresses, err := fields(e.proc("net/if_inet6"))
	off, _ := word(e.proc("sys/net/ipv6/conf/all/disable_ipv6"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isThere(e.proc("net/snmp")):
		return skip("this system has no " + e.proc("net"))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unreadable(err)
	case err != nil:
		return Row{Status: Note, Measured: "the kernel has no IPv6: senders that use it do not arrive"}
	case off == "1":
		return Row{
			Status: Note, Measured: "IPv6 is off: senders that use it do not arrive", Limit: "net.ipv6.conf.all.disable_ipv6=1",
			Cure: e.onHost("sysctl -w net.ipv6.conf.all.disable_ipv6=0"),
		}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("on, with %d addresses", len(addresses))}
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// gateway looks whether the senders' addresses may be hidden.
func (e *examination) gateway() Row {
	if _, err := word(e.proc("net/route")); err != nil {
		return unreadable(err)
	}
	gateways := ingest.DefaultGateways(e.Proc)
	var names []string
	for _, addr := range gateways {
		names = append(names, addr.String())
	}
	through := "no default gateway"
	if len(names) > 0 {
		through = "default gateway " + strings.Join(names, ", ")
	}
	in := e.container()
	if in == "" || len(names) == 0 {
		return Row{Status: OK, Measured: through}
	}
	cure := "docker run --network host ... # if all entries have the gateway's address as source_ip"
	if in == "Kubernetes" {
		cure = `kubectl patch service hbjournal -p '{"spec":{"externalTrafficPolicy":"Local"}}' # if all entries have the gateway's address as source_ip`
	}
	return Row{Status: Note, Measured: fmt.Sprintf("%s, in a container (%s): it may hide the senders' addresses", through, in), Cure: cure}
}

// rxQueues looks whether one processor alone handles what a card receives.
func (e *examination) rxQueues() Row {
	if _, err := os.ReadDir(filepath.Join(e.Sys, "class/net")); errors.Is(err, fs.ErrPermission) {
		return unreadable(err)
	}
	cards, _ := filepath.Glob(filepath.Join(e.Sys, "class/net/*/device"))
	processors, _ := filepath.Glob(filepath.Join(e.Sys, "devices/system/cpu/cpu[0-9]*"))
	if len(cards) == 0 {
		return skip("no network card is seen in " + filepath.Join(e.Sys, "class/net"))
	}
	for _, card := range cards {
		nic := filepath.Dir(card)
		queues, _ := filepath.Glob(filepath.Join(nic, "queues/rx-*"))
		if len(queues) != 1 || len(processors) < 2 {
			continue
		}
		spread, err := word(filepath.Join(queues[0], "rps_cpus"))
		if errors.Is(err, fs.ErrPermission) {
			return unreadable(err)
		}
		if err == nil && strings.Trim(spread, "0,") == "" {
			return Row{
				Status: Note, Measured: fmt.Sprintf("%s has one receive queue, so one of %d processors handles all packets", filepath.Base(nic), len(processors)),
				Limit: "rps_cpus=" + spread,
				Cure:  e.onHost(fmt.Sprintf("sh -c 'echo %s > %s'", processorMask(len(processors)), filepath.Join(queues[0], "rps_cpus"))),
			}
		}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("%d network cards, the work is spread as far as it can be", len(cards))}
}

// processorMask has a bit for each processor, in groups of 32 as the kernel reads them.
func processorMask(n int) string {
	var groups []string
	for ; n > 0; n -= 32 {
		groups = append(groups, strconv.FormatUint(1<<min(n, 32)-1, 16))
	}
	slices.Reverse(groups) // The first group, which may not be full, has the highest processors.
	return strings.Join(groups, ",")
}
