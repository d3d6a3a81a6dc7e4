package doctor

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// healthy are the files of a machine that nothing is wrong with, below its root.
var healthy = map[string]string{
	"proc/net/snmp": "Ip: Forwarding ReasmFails\nIp: 1 0\n" +
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\nUdp: 9 0 0 9 0 0 0 0 0\n",
	"proc/net/snmp6":        "Ip6ReasmFails 0\nUdp6RcvbufErrors 0\nUdp6MemErrors 0\nUdp6InCsumErrors 0\nUdp6NoPorts 0\n",
	"proc/net/netstat":      "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 0\nIpExt: InNoRoutes\nIpExt: 0\n",
	"proc/net/softnet_stat": "00000010 00000000 00000000 0\n00000020 00000000 00000000 0\n",
	"proc/net/udp": "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops\n" +
		" 1: 00000000:C353 00000000:0000 07 00000000:00000000 00:00000000 00000000 65532 0 4711 2 0000000000000000 0\n",
	"proc/net/udp6":                                "  sl  local_address\n",
	"proc/net/route":                               "Iface Destination Gateway Flags\neth0 00000000 010011AC 0003\n",
	"proc/net/sockstat":                            "sockets: used 31\nUDP: inuse 1 mem 30\n",
	"proc/net/if_inet6":                            "00000000000000000000000000000001 01 80 10 80 lo\n",
	"proc/net/stat/nf_conntrack":                   "entries insert_failed drop early_drop\n00000003 00000000 00000000 00000000\n00000003 00000000 00000000 00000000\n",
	"proc/sys/net/netfilter/nf_conntrack_count":    "12\n",
	"proc/sys/net/netfilter/nf_conntrack_max":      "1000\n",
	"proc/sys/net/ipv4/udp_mem":                    "50\t100\t200\n",
	"proc/sys/net/ipv4/ipfrag_high_thresh":         "4194304\n",
	"proc/sys/net/ipv4/conf/all/rp_filter":         "1\n",
	"proc/sys/net/ipv6/conf/all/disable_ipv6":      "0\n",
	"proc/sys/net/core/rmem_max":                   "212992\n",
	"proc/sys/net/core/netdev_max_backlog":         "1000\n",
	"proc/sys/net/core/netdev_budget":              "300\n",
	"proc/77/comm":                                 "hbjournal\n",
	"proc/77/status":                               "Name:\thbjournal\nUid:\t65532\t65532\t65532\t65532\n",
	"proc/77/fd/5":                                 "-> socket:[4711]",
	"proc/self/cgroup":                             "0::/system.slice/hb.service\n",
	"proc/self/limits":                             "Limit Soft Limit Hard Limit Units\nMax file size unlimited unlimited bytes\nMax open files 1024 4096 files\n",
	"proc/self/mountinfo":                          "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n",
	"proc/meminfo":                                 "MemTotal: 16384000 kB\n",
	"sys/class/net/eth0/device":                    "",
	"sys/class/net/eth0/statistics/rx_dropped":     "0\n",
	"sys/class/net/eth0/statistics/rx_fifo_errors": "0\n",
	"sys/class/net/eth0/queues/rx-0/rps_cpus":      "3\n",
	"sys/devices/system/cpu/cpu0/online":           "1\n",
	"sys/devices/system/cpu/cpu1/online":           "1\n",
}

// running is the daemon of the healthy machine.
func running() Daemon {
	return Daemon{
		Running: true, PID: 77, Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:50003")},
		Asked: true, BufferBytes: 4 << 20,
	}
}

// machine is one that a check looks at.
type machine struct {
	files  map[string]string // that differ; "gone": removed, "-> text": a link
	later  map[string]string // that have changed at the second reading
	daemon func(*Daemon)     // what differs with the daemon; nil: nothing
	set    func(*Options)    // what differs in the settings; nil: nothing
}

// put makes the files below root.
func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if files[name] == "gone" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, []byte(files[name]), 0o644)
		if to, ok := strings.CutPrefix(files[name], "-> "); ok {
			_ = os.Remove(path)
			err = os.Symlink(to, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// examine makes the examination of a machine, with a journal of its own that is not there yet.
func (m machine) examine(t *testing.T) *examination {
	t.Helper()
	root := t.TempDir()
	put(t, root, healthy)
	put(t, root, m.files)
	d := running()
	if m.daemon != nil {
		m.daemon(&d)
	}
	o := Options{
		Root: root, Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"),
		Listen: []string{"0.0.0.0:50003"}, BufferBytes: 4 << 20, MemoryBytes: 64 << 20, UID: 65532,
		Journal:  Journal{Dir: filepath.Join(root, "journal"), Name: "messages.journal", FileMode: 0o640, MaxBytes: 100 << 20, MaxBackups: 10},
		Interval: time.Nanosecond, Patience: time.Minute,
		Now: func() time.Time { return time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC) },
	}
	if m.set != nil {
		m.set(&o)
	}
	e := newExamination(t.Context(), o)
	e.daemon = func() Daemon { return d }
	e.counters = sync.OnceValues(func() (before, after reading) {
		before = e.read()
		put(t, root, m.later)
		return before, e.read()
	})
	return e
}

// look is what the check of this name finds.
func (e *examination) look(t *testing.T, name string) Row {
	t.Helper()
	for _, c := range checks() {
		if c.name == name {
			return c.look(e)
		}
	}
	t.Fatalf("got no check %q", name)
	return Row{}
}

// expected is what is expected of a row: the status, and texts that its line holds.
type expected struct {
	machine
	status Status
	texts  []string
}

func has(status Status, m machine, texts ...string) expected { return expected{m, status, texts} }

func snmp(udp, ip string) map[string]string {
	return map[string]string{"proc/net/snmp": "Ip: Forwarding ReasmFails\nIp: 1 " + ip + "\n" +
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\nUdp: " + udp + "\n"}
}

func file(name, text string) map[string]string { return map[string]string{name: text} }

// encrypting sets what was seen of the encryption.
func encrypting(e Encryption) func(*Options) {
	return func(o *Options) { o.Journal.Encryption = func() Encryption { return e } }
}

func noDaemon(d *Daemon) { *d = Daemon{} }

// rows are the states that each check can have, apart from those that only a real machine has.
var rows = map[string][]expected{
	"settings": {
		has(OK, machine{}, "no fault"),
		has(Warn, machine{set: func(o *Options) { o.Config.Warnings = []string{"unknown key"} }}, "unknown key", "hbjournal config --check"),
		has(Fail, machine{set: func(o *Options) { o.Config.Faults = []string{"a", "b"} }}, "a; b", "hbjournal config --check"),
	},
	"encryption": {
		has(Skip, machine{}, "journal_encrypt_to is not set"),
		has(OK, machine{set: encrypting(Encryption{On: true, Recipients: 2})}, "to all 2 recipients"),
		has(Note, machine{set: encrypting(Encryption{On: true, Recipients: 1})}, "to 1 recipient", "age-keygen -o escrow.key"),
		has(Fail, machine{set: encrypting(Encryption{On: true, Err: os.ErrPermission})}, "permission denied", "hbjournal config --check"),
		has(Warn, machine{set: encrypting(Encryption{On: true, Recipients: 2, Secrets: []string{"/j/key"}})}, "secret keys lie beside the journal: /j/key", "shred -u /j/key"),
	},
	"user": {
		has(OK, machine{daemon: noDaemon}, "uid 65532"),
		has(OK, machine{}, "as the daemon (pid 77)"),
		has(Note, machine{set: func(o *Options) { o.UID = 12345 }}, "uid 12345", "the daemon (pid 77) has uid 65532", "sudo -u '#65532' hbjournal doctor"),
		has(Note, machine{daemon: func(d *Daemon) { *d = Daemon{LockErr: os.ErrPermission} }, set: func(o *Options) { o.UID = 12345 }}, "who receives on the port has uid 65532", "sudo -u '#65532' hbjournal doctor"),
		has(Note, machine{daemon: noDaemon, files: file("usr/lib/systemd/system/hbjournal.service", "[Service]\nUser=root\n")}, "its unit has", "sudo -u root hbjournal doctor"),
		has(OK, machine{
			daemon: noDaemon, set: func(o *Options) { o.UID = 0 },
			files: map[string]string{
				"usr/lib/systemd/system/hbjournal.service":      "User=nobody\n",
				"etc/systemd/system/hbjournal.service.d/a.conf": "[Service]\nUser=root\n",
			},
		}, "as its unit"),
	},
	"daemon": {
		has(OK, machine{}, "nothing was lost"),
		has(Note, machine{daemon: func(d *Daemon) { d.Lost = 7 }}, "7 datagrams were lost", "query --id JRN"),
		has(Note, machine{daemon: noDaemon}, "none writes the journal", "hbjournal serve"),
		has(Warn, machine{daemon: func(d *Daemon) { d.Warnings = "warning: rename refused\nmore" }}, "rename refused; more"),
		has(Fail, machine{daemon: func(d *Daemon) { d.NotReady = "write: no space left on device" }}, "no space left", "journalctl"),
		has(Skip, machine{daemon: func(d *Daemon) { d.Asked, d.AskErr = false, os.ErrDeadlineExceeded }}, "timeout"),
		has(Skip, machine{daemon: func(d *Daemon) { *d = Daemon{LockErr: os.ErrPermission} }}, "permission denied"),
		has(Skip, machine{daemon: noDaemon, set: func(o *Options) { o.Journal.Disabled = true }}, "journal_enabled=false"),
	},
	"port": {
		has(OK, machine{}, "0.0.0.0:50003 is held by the daemon, pid 77 (hbjournal)"),
		has(OK, machine{files: file("proc/net/udp", ""), daemon: noDaemon, set: func(o *Options) { o.Listen = []string{"127.0.0.1:0"} }}, "is free"),
		has(OK, machine{daemon: noDaemon, files: map[string]string{"proc/1/comm": "systemd\n", "proc/1/fd/9": "-> socket:[4711]", "proc/77": "gone"}}, "pid 1 (systemd), which starts"),
		has(OK, machine{files: file("proc/77/fd", "gone")}, "as it left word"),
		has(Note, machine{files: file("proc/77/fd", "gone"), daemon: func(d *Daemon) { *d = Daemon{LockErr: os.ErrPermission} }, set: func(o *Options) { o.UID = 12345 }}, "most likely by the daemon", "sudo -u '#65532' hbjournal doctor"),
		has(Fail, machine{daemon: noDaemon, files: file("proc/77/comm", "nc\n")}, "held by pid 77 (nc)", "sudo ss -ulpn 'sport = :50003'"),
		has(Fail, machine{daemon: noDaemon, files: file("proc/77/fd", "gone")}, "a process of uid 65532"),
		has(Fail, machine{daemon: noDaemon, set: func(o *Options) { o.Listen = []string{"192.0.2.7:50004"} }}, "no interface has the address"),
		has(Fail, machine{daemon: noDaemon, set: func(o *Options) { o.Listen = []string{"127.0.0.1:0", "0.0.0.0:50003"} }}, "held by pid 77"),
		has(Skip, machine{daemon: noDaemon, set: func(o *Options) { o.Listen = nil }}, "no address"),
	},
	"receive-buffer": {
		has(OK, machine{}, "the daemon was granted 4.0 MiB of 4.0 MiB", "net.core.rmem_max=212992"),
		has(Warn, machine{daemon: func(d *Daemon) { d.BufferBytes = 212992 }}, "208 KiB of 4.0 MiB", "sudo sysctl -w net.core.rmem_max=4194304"),
		has(OK, machine{daemon: noDaemon, set: func(o *Options) { o.BufferBytes = 8192 }}, "uid 65532 is granted 8.0 KiB"),
	},
	"udp-mem": {
		has(OK, machine{}, "30 pages", "net.ipv4.udp_mem=50 100 200"),
		has(Warn, machine{files: file("proc/net/sockstat", "UDP: inuse 1 mem 71\n")}, "71 pages", "udp_mem='100 200 400'"),
		has(Skip, machine{files: file("proc/net/sockstat", "TCP: 1\n")}, "are not as"),
		has(Skip, machine{files: file("proc/sys/net/ipv4/udp_mem", "gone")}, "this system has no"),
	},
	"ipv6": {
		has(OK, machine{}, "on, with 1"),
		has(Note, machine{files: file("proc/net/if_inet6", "gone")}, "has no IPv6"),
		has(Note, machine{files: file("proc/sys/net/ipv6/conf/all/disable_ipv6", "1\n")}, "IPv6 is off", "disable_ipv6=0"),
		has(Skip, machine{files: file("proc/net", "gone")}, "this system has no"),
	},
	"gateway": {
		has(OK, machine{}, "default gateway 172.17.0.1"),
		has(OK, machine{files: file("proc/net/route", "Iface\n"), set: func(o *Options) { o.Environ = map[string]string{"container": "lxc"} }}, "no default gateway"),
		has(Note, machine{files: file(".dockerenv", "")}, "Docker", "--network host"),
		has(Note, machine{set: func(o *Options) { o.Environ = map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"} }}, "Kubernetes", "externalTrafficPolicy"),
		has(Skip, machine{files: file("proc/net/route", "gone")}, "this system has no"),
	},
	"rx-queues": {
		has(OK, machine{}, "1 network cards"),
		has(Note, machine{files: file("sys/class/net/eth0/queues/rx-0/rps_cpus", "00000000\n")}, "one of 2 processors", "sudo sh -c 'echo 3 > "),
		has(Skip, machine{files: file("sys/class/net/eth0/device", "gone")}, "no network card"),
	},
	"own-drops": {
		has(OK, machine{}, "no datagrams dropped"),
		has(Note, machine{files: file("proc/net/udp", strings.TrimSuffix(healthy["proc/net/udp"], "0\n")+"12345\n")}, "12,345 datagrams", "none of them in the last", "listen_buffer=4194304"),
		has(Warn, machine{later: file("proc/net/udp", strings.TrimSuffix(healthy["proc/net/udp"], "0\n")+"5\n")}, "5 of them in the last", "sysctl -w net.core.rmem_max=8388608", "LISTEN_BUFFER=8388608"),
		has(Skip, machine{daemon: noDaemon, set: func(o *Options) { o.Listen = []string{":50004"} }}, "nobody receives"),
		has(Skip, machine{files: file("proc/net/udp", "gone")}, "this system has no"),
	},
	"udp-drops": {
		has(OK, machine{}, "no datagrams dropped"),
		has(Note, machine{files: snmp("9 0 5 9 5 0 0 0 0", "0")}, "5 datagrams", "the receive buffer of a socket", "ss -uamn"),
		has(Warn, machine{later: snmp("9 0 5 9 5 0 0 0 0", "0")}, "5 of them", "the receive buffer of a socket"),
		has(Warn, machine{later: snmp("9 0 5 9 0 0 0 0 5", "0")}, "net.ipv4.udp_mem, for all sockets", "sysctl -w net.ipv4.udp_mem='100 200 400'"),
		has(Warn, machine{later: file("proc/net/snmp6", "Udp6RcvbufErrors 3\n"), files: file("proc/net/snmp6", "Udp6RcvbufErrors 1\n")}, "2 of them"),
		has(OK, machine{files: file("proc/net/snmp6", "gone")}, "no datagrams"),
		has(Skip, machine{files: file("proc/net/snmp", "gone")}, "this system has no"),
	},
	"udp-errors": {
		has(OK, machine{}, "no UDP checksum errors"),
		has(Note, machine{files: snmp("9 0 5 9 0 0 5 0 0", "0")}, "5 UDP checksum errors"),
		has(Warn, machine{later: snmp("9 0 5 9 0 0 5 0 0", "0")}, "5 of them", "ethtool"),
		has(Skip, machine{files: file("proc/net/snmp", "gone")}, "this system has no"),
	},
	"no-port": {
		has(OK, machine{files: snmp("9 5 0 9 0 0 0 0 0", "0")}, "5 datagrams"),
		has(Note, machine{later: snmp("9 5 0 9 0 0 0 0 0", "0")}, "5 of them", "ss -uln"),
		has(Skip, machine{files: file("proc/net/snmp", "gone")}, "this system has no"),
	},
	"fragments": {
		has(OK, machine{}, "no packets"),
		has(Note, machine{files: snmp("9 0 0 9 0 0 0 0 0", "4")}, "4 packets", "ipfrag_high_thresh=4194304"),
		has(Warn, machine{later: snmp("9 0 0 9 0 0 0 0 0", "4")}, "4 of them", "sysctl -w net.ipv4.ipfrag_high_thresh"),
		has(Skip, machine{files: file("proc/net/snmp", "gone")}, "this system has no"),
	},
	"reverse-path": {
		has(OK, machine{}, "no packets"),
		has(Note, machine{files: file("proc/net/netstat", "TcpExt: IPReversePathFilter\nTcpExt: 3\n")}, "3 packets", "rp_filter=1"),
		has(Warn, machine{later: file("proc/net/netstat", "TcpExt: S IPReversePathFilter\nTcpExt: 0 3\n")}, "3 of them", "sysctl -w net.ipv4.conf.all.rp_filter=2"),
		has(Skip, machine{files: file("proc/net/netstat", "gone")}, "this system has no"),
	},
	"backlog": {
		has(OK, machine{files: file("proc/net/softnet_stat", "00000010 00000000 00000005\n")}, "no packets"),
		has(Note, machine{files: file("proc/net/softnet_stat", "1 0000000a 0\n1 00000001 0\n")}, "11 packets", "netdev_max_backlog=1000"),
		has(Warn, machine{later: file("proc/net/softnet_stat", "1 0000000a 0\n1 00000001 0\n")}, "11 of them", "sysctl -w net.core.netdev_max_backlog=4096"),
		has(Note, machine{later: file("proc/net/softnet_stat", "1 00000000 2\n1 00000000 0\n")}, "2 times", "sysctl -w net.core.netdev_budget=600"),
		has(Skip, machine{files: file("proc/net/softnet_stat", "gone")}, "this system has no"),
	},
	"nic": {
		has(OK, machine{}, "no packets"),
		has(Note, machine{files: file("sys/class/net/eth0/statistics/rx_dropped", "8\n")}, "8 packets", "eth0 rx_dropped"),
		has(Warn, machine{later: file("sys/class/net/eth0/statistics/rx_fifo_errors", "8\n")}, "8 of them", "eth0 rx_fifo_errors", "sudo ethtool -g eth0"),
		has(Skip, machine{files: file("sys/class/net", "gone")}, "this system has no"),
		has(Skip, machine{files: file("sys/class/net/eth0/statistics", "gone")}, "no interface has statistics"),
	},
	"conntrack": {
		has(OK, machine{}, "12 connections"),
		has(OK, machine{files: file("proc/net/stat/nf_conntrack", "gone")}, "12 connections"),
		has(Note, machine{files: file("proc/net/stat/nf_conntrack", "entries drop\n0 00000002\n0 00000003\n")}, "5 packets", "nf_conntrack_max=1000"),
		has(Warn, machine{later: file("proc/net/stat/nf_conntrack", "entries insert_failed drop early_drop\n0 1 1 1\n")}, "3 of them", "nf_conntrack_max=2000", "NOTRACK"),
		has(Warn, machine{files: file("proc/sys/net/netfilter/nf_conntrack_count", "801\n")}, "801 connections", "nf_conntrack_max=2000"),
		has(Skip, machine{files: file("proc/sys/net/netfilter", "gone")}, "not tracked"),
		has(Skip, machine{files: file("proc/sys/net/netfilter/nf_conntrack_max", "many\n")}, "invalid syntax"),
	},
	"container": {
		has(OK, machine{}, "none shows"),
		has(Note, machine{files: file("run/.containerenv", "")}, "Podman"),
		has(Note, machine{set: func(o *Options) { o.Environ = map[string]string{"container": "lxc"} }}, "lxc"),
	},
	"memory": {
		has(OK, machine{}, "128 MiB", "memory of the machine of 16 GiB"),
		has(OK, machine{files: file("sys/fs/cgroup/system.slice/hb.service/memory.max", "max\n")}, "memory of the machine"),
		has(OK, machine{files: file("sys/fs/cgroup/memory.max", "134217728\n")}, "memory.max of 128 MiB"),
		has(Warn, machine{files: map[string]string{
			"sys/fs/cgroup/system.slice/hb.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/memory.max": "100000000\n",
		}}, "memory.max of 95 MiB", "export JOURNAL_BUFFER_SIZE=32891136"),
		has(Warn, machine{files: map[string]string{
			"proc/self/cgroup": "4:memory:/docker/abc\n1:cpu:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n",
			"sys/fs/cgroup/memory/docker/memory.limit_in_bytes": "9223372036854771712\n",
		}}, "memory.limit_in_bytes of 64 MiB"),
		has(Warn, machine{files: map[string]string{
			"proc/77/limits": healthy["proc/self/limits"], "proc/77/cgroup": "0::/app\n", "sys/fs/cgroup/app/memory.max": "1000\n",
		}}, "the daemon may need"),
		has(Skip, machine{files: file("proc/meminfo", "gone")}, "this system has no"),
		has(Skip, machine{files: file("proc/meminfo", "MemFree: 1 kB\n")}, "no MemTotal"),
	},
	"cpu": {
		has(OK, machine{}, "no limit"),
		has(OK, machine{files: file("sys/fs/cgroup/cpu.max", "200000 100000\n")}, "2.00 processors"),
		has(Note, machine{files: file("sys/fs/cgroup/cpu.max", "20000 100000\n")}, "0.20 of a processor", "cpu.max=20000 100000"),
		has(Note, machine{files: map[string]string{
			"proc/self/cgroup": "2:cpuacct,cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}}, "0.50 of a processor"),
		has(Skip, machine{files: file("proc/self/cgroup", "gone")}, "this system has no"),
	},
	"open-files": {
		has(OK, machine{}, "may open 4096 files"),
		has(Warn, machine{files: file("proc/self/limits", "Max open files 64 64 files\n")}, "may open 64 files", "ulimit -n 1024"),
		has(Skip, machine{files: file("proc/self/limits", "gone")}, "this system has no"),
	},
	"receivers": {
		has(Skip, machine{}, "forward_to is empty"),
		has(OK, machine{set: func(o *Options) {
			o.Outputs = []Output{{Address: "a:"}, {Address: "b:", Check: func() error { return nil }}}
		}}, "outputs that can be reached: 2"),
		has(Warn, machine{set: func(o *Options) {
			o.Outputs = []Output{{Address: "a:"}, {Address: "http://b/", Check: func() error { return errors.New("nobody there") }}}
		}}, "http://b/: nobody there", "hbjournal forward --status"),
	},
	"file-size": {
		has(OK, machine{}, "of any size"),
		has(OK, machine{files: file("proc/self/limits", "Max file size 1073741824 unlimited bytes\n")}, "1.0 GiB"),
		has(Warn, machine{
			files: file("proc/self/limits", "Max file size 1073741824 unlimited bytes\n"), set: func(o *Options) { o.Journal.MaxBytes = 0 },
		}, "ulimit -f unlimited"),
		has(Fail, machine{files: file("proc/self/limits", "Max file size 1024 unlimited bytes\n")}, "1.0 KiB", "journal_max_size=104857600", "ulimit -f unlimited"),
		has(Skip, machine{files: file("proc/self/limits", "Max open files 1 1 files\n")}, "has no"),
	},
}

// line is all that a row says.
func (r Row) line() string { return r.Measured + " | " + r.Limit + " | " + r.Cure }

// elsewhere are the checks whose states other tests go through.
var elsewhere = []string{"directory", "live-file", "write", "file-system", "room", "fsync", "lock", "seal", "time-sync", "last-entry", "life", "web-address", "web-token", "web-tls", "archive-settings", "archive-address", "archive-stream", "archive-room", "archive-lag", "archive-sync"}

func TestEveryCheckHasItsStatesTested(t *testing.T) {
	for _, c := range checks() {
		if len(rows[c.name]) == 0 && !slices.Contains(elsewhere, c.name) {
			t.Errorf("got no states of %s in a test, want all that it can have", c.name)
		}
	}
	if names := Names(); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("got names %v, want each once, since --only takes them all", names)
	}
}

func TestEachCheckTellsItsStatesApart(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		for _, want := range rows[name] {
			t.Run(name+"/"+string(want.status), func(t *testing.T) {
				got := want.examine(t).look(t, name)
				if got.Status != want.status {
					t.Errorf("got %s: %s; want %s", got.Status, got.line(), want.status)
				}
				for _, text := range want.texts {
					if !strings.Contains(got.line(), text) {
						t.Errorf("got %q, want it to hold %q", got.line(), text)
					}
				}
				if bad := got.Status == Warn || got.Status == Fail; bad && got.Cure == "" {
					t.Errorf("got no cure for %q", got.line())
				}
			})
		}
	}
}
