package doctor

import (
	"encoding/json"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rootVariable names, in a process of its own, the directory that stands in the place of /.
const rootVariable = "HBJOURNAL_TEST_ROOT"

// readers are the checks that have nothing to tell without /proc and /sys.
var readers = []string{
	"own-drops", "udp-drops", "udp-errors", "no-port", "fragments", "reverse-path", "backlog", "nic", "conntrack", "udp-mem", "ipv6",
	"gateway", "rx-queues", "memory", "cpu", "open-files", "file-size", "file-system",
}

// TestWhatMayNotBeReadIsSkippedAndSaid looks at a healthy machine whose /proc and /sys are closed to the user, as hardened
// containers have it. Root may read what is closed, so it looks as somebody else.
func TestWhatMayNotBeReadIsSkippedAndSaid(t *testing.T) {
	if root := os.Getenv(rootVariable); root != "" {
		lookForParent(t, root)
		return
	}
	for name, closed := range map[string]func(path string, d fs.DirEntry) bool{
		"all of it":            func(path string, _ fs.DirEntry) bool { return path == "proc" || path == "sys" },
		"files":                func(_ string, d fs.DirEntry) bool { return !d.IsDir() },
		"directories below":    func(path string, d fs.DirEntry) bool { return d.IsDir() && strings.Contains(path, "/") },
		"what is of processes": func(path string, _ fs.DirEntry) bool { return path == "proc/self" || path == "proc/77" },
	} {
		t.Run(name, func(t *testing.T) {
			root := closedMachine(t, closed)
			report := lookAsNobody(t, root)
			if len(report.Rows) != len(checks()) {
				t.Fatalf("got %d rows, want one for each of %d checks", len(report.Rows), len(checks()))
			}
			for _, r := range report.Rows {
				if r.Status == Fail || r.Status == Warn && r.Name != "time-sync" || r.Measured == "" { // The clock is this machine's.
					t.Errorf("got %s %s: %q, want neither a failure nor a warning, and a word", r.Status, r.Name, r.Measured)
				}
				ofProcesses := slices.Contains([]string{"cpu", "memory", "open-files", "file-size", "file-system"}, r.Name)
				if !slices.Contains(readers, r.Name) || name == "what is of processes" && !ofProcesses {
					continue
				}
				if r.Status != Skip || !strings.Contains(r.Measured, "cannot read "+root) || !strings.Contains(r.Measured, "permission denied") {
					t.Errorf("got %s %s: %q, want it skipped, with the path that may not be read", r.Status, r.Name, r.Measured)
				}
			}
		})
	}
}

// TestPortWhoseHolderIsHiddenIsTheDaemonsIfItLeftWord: without /proc only binding shows that somebody has it.
func TestPortWhoseHolderIsHiddenIsTheDaemonsIfItLeftWord(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	addr := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	f := func(status Status, d Daemon, texts ...string) {
		t.Helper()
		e := machine{
			files: file("proc", "gone"), daemon: func(to *Daemon) { *to = d }, set: func(o *Options) { o.Listen = []string{addr.String()} },
		}.examine(t)
		wantRow(t, e.look(t, "port"), status, append(texts, addr.String()+" is held")...)
	}
	f(OK, Daemon{Running: true, PID: 77, Listen: []netip.AddrPort{addr}}, "as it left word, by the daemon")
	f(Note, Daemon{Running: true}, "most likely by the daemon", "sudo hbjournal doctor --only port")
	f(Note, Daemon{LockErr: os.ErrPermission}, "most likely by the daemon", "sudo hbjournal doctor --only port")
	f(Fail, Daemon{}, "something that this user cannot see", "sudo ss -ulpn")
}

// closedMachine is the healthy one, with modes that close what is chosen.
func closedMachine(t *testing.T, closed func(path string, d fs.DirEntry) bool) (root string) {
	t.Helper()
	root, err := os.MkdirTemp("", "hbjournal") //nolint:usetesting // T.TempDir is closed to other users.
	if err != nil {
		t.Fatal(err)
	}
	var shut []string
	t.Cleanup(func() {
		for _, path := range shut {
			_ = os.Chmod(path, 0o700)
		}
		os.RemoveAll(root)
	})
	put(t, root, healthy)
	for _, dir := range []string{"", "journal"} {
		path := filepath.Join(root, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		below := strings.HasPrefix(path, "proc") || strings.HasPrefix(path, "sys")
		if err == nil && below && d.Type()&fs.ModeSymlink == 0 && closed(path, d) {
			shut = append(shut, filepath.Join(root, path))
		}
		return err
	})
	if err != nil || len(shut) == 0 {
		t.Fatalf("got %d paths to close, %v", len(shut), err)
	}
	for _, path := range slices.Backward(shut) {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// lookAsNobody looks at the machine below root as a user without privilege.
func lookAsNobody(t *testing.T, root string) (report Report) {
	t.Helper()
	if os.Geteuid() != 0 {
		return closedLook(t, root)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "test")
	if err := os.WriteFile(path, program, 0o755); err != nil { // The one of 'go test' lies where others may not look.
		t.Fatal(err)
	}
	const nobody = 65534
	cmd := exec.CommandContext(t.Context(), path, "-test.run=^"+t.Name()[:strings.IndexByte(t.Name(), '/')]+"$")
	cmd.Env, cmd.Dir = append(os.Environ(), rootVariable+"="+root), root
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("look as another user: %v\n%s", err, out)
	}
	if err := json.NewDecoder(strings.NewReader(string(out))).Decode(&report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return report
}

// lookForParent is what the process of another user does.
func lookForParent(t *testing.T, root string) {
	t.Helper()
	if err := json.NewEncoder(os.Stdout).Encode(closedLook(t, root)); err != nil {
		t.Fatal(err)
	}
}

func closedLook(t *testing.T, root string) Report {
	t.Helper()
	return Examine(t.Context(), Options{
		Root: root, Proc: filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"), Interval: time.Nanosecond, UID: os.Geteuid(),
		Listen: []string{"127.0.0.1:0"}, BufferBytes: 8192, Journal: Journal{Dir: filepath.Join(root, "journal"), Name: "messages.journal"},
	})
}
