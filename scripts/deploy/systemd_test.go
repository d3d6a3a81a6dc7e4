package deploy

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// unitRoot is a directory that looks to systemd's tools like a machine on which the package is installed.
func unitRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for from, to := range map[string]string{
		"systemd/hbjournal.socket":          "/usr/lib/systemd/system/hbjournal.socket",
		"systemd/hbjournal.service":         "/usr/lib/systemd/system/hbjournal.service",
		"systemd/hbjournal-web.service":     "/usr/lib/systemd/system/hbjournal-web.service",
		"systemd/hbjournal-archive.service": "/usr/lib/systemd/system/hbjournal-archive.service",
		"systemd/hbjournal.sysusers.conf":   "/usr/lib/sysusers.d/hbjournal.conf",
		"systemd/hbjournal.tmpfiles.conf":   "/usr/lib/tmpfiles.d/hbjournal.conf",
	} {
		place(t, root+to, []byte(text(t, from)), 0o644)
	}
	for _, name := range []string{"/usr/bin/hbjournal", "/bin/kill", "/usr/sbin/nologin", "/etc/machine-id"} {
		place(t, root+name, nil, 0o755)
	}
	// What every unit leans on is the machine's own.
	if err := os.CopyFS(root+"/usr/lib/systemd/system", os.DirFS(systemUnits(t))); err != nil && !strings.Contains(err.Error(), "exist") {
		t.Fatal(err)
	}
	return root
}

// systemUnits is a copy of the units that systemd itself brings, without links.
func systemUnits(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, pattern := range []string{"*.target", "*.slice", "*.mount"} {
		paths, err := filepath.Glob("/usr/lib/systemd/system/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if b, err := os.ReadFile(path); err == nil {
				place(t, filepath.Join(dir, filepath.Base(path)), b, 0o644)
			}
		}
	}
	return dir
}

func place(t *testing.T, path string, b []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
}

func TestUnitsAreValid(t *testing.T) {
	out := run(t, "systemd-analyze", "verify", "--man=no", "--root="+unitRoot(t), "hbjournal.socket", "hbjournal.service", "hbjournal-web.service", "hbjournal-archive.service")
	if strings.Contains(out, "hbjournal") {
		t.Errorf("systemd-analyze verify: %s", out)
	}
}

// TestServiceIsHardened holds the exposure of all services at 1.5 of 10 at the most.
func TestServiceIsHardened(t *testing.T) {
	for _, unit := range []string{"hbjournal.service", "hbjournal-web.service", "hbjournal-archive.service"} {
		run(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=15", "--root="+unitRoot(t), unit)
	}
}

func TestUserAndDirectoryAreMade(t *testing.T) {
	root := unitRoot(t)
	run(t, "systemd-sysusers", "--root="+root)
	if got := text(t, root+"/etc/passwd"); !strings.Contains(got, "hbjournal:x:") || !strings.Contains(got, ":/var/log/heartbeat:/usr/sbin/nologin") {
		t.Errorf("passwd: got %q, want the user hbjournal in it", got)
	}
	run(t, "systemd-tmpfiles", "--root="+root, "--create", "hbjournal.conf")
	info, err := os.Stat(root + "/var/log/heartbeat")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o750 {
		t.Errorf("mode: got %v, want 0750", info.Mode().Perm())
	}
}

// TestReadmeInstallsTheService runs the lines of README.md as they stand there, but below a directory, and with systemctl
// noted down.
func TestReadmeInstallsTheService(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program anew")
	}
	program(t, "systemd-sysusers")
	lines := readmeBlock(t, "systemctl")
	root, out := unitRoot(t), t.TempDir()
	for _, made := range []string{"/usr/lib/systemd/system/hbjournal.service", "/usr/lib/systemd/system/hbjournal.socket", "/usr/lib/sysusers.d/hbjournal.conf", "/usr/bin/hbjournal"} {
		if err := os.Remove(root + made); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(root+"/etc/systemd/system", 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"./image": out, " /usr/": " " + root + "/usr/", " /etc/": " " + root + "/etc/"} {
		lines = strings.ReplaceAll(lines, from, to)
	}
	stubs := `sudo() { "$@"; }; systemctl() { echo systemctl "$@"; }; systemd-sysusers() { command systemd-sysusers --root="$ROOT" "$@"; }` + "\n"
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", stubs+lines)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "ROOT="+root)
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", lines, err)
	}
	if want := "systemctl daemon-reload\nsystemctl enable --now hbjournal.socket hbjournal.service\n"; !strings.HasSuffix(string(printed), want) {
		t.Errorf("got %q, want the units read and both of them started: %q", printed, want)
	}
	if users := text(t, root+"/etc/passwd"); !strings.Contains(users, "hbjournal:x:") {
		t.Errorf("got the users %q, want hbjournal among them", users)
	}
	verified := run(t, "systemd-analyze", "verify", "--man=no", "--root="+root, "hbjournal.socket", "hbjournal.service")
	if strings.Contains(verified, "hbjournal") {
		t.Errorf("systemd-analyze verify: %s", verified)
	}
	if runtime.GOARCH != "amd64" {
		return // What the lines built is for another machine.
	}
	if version := run(t, root+"/usr/bin/hbjournal", "version"); !strings.HasPrefix(version, "hbjournal ") {
		t.Errorf("got %q from the installed program, want its version", version)
	}
}

// readmeBlock returns the fenced block of README.md that holds word.
func readmeBlock(t *testing.T, word string) string {
	t.Helper()
	for i, block := range strings.Split(text(t, "../../README.md"), "```") {
		if i%2 == 1 && strings.Contains(block, word) {
			_, lines, _ := strings.Cut(block, "\n")
			return lines
		}
	}
	t.Fatalf("got no block with %s in README.md", word)
	return ""
}

// TestSystemdHandsItsSocketOver has systemd's own tool hold a socket as the socket unit does, and start the daemon with the
// first datagram, which must not be lost.
func TestSystemdHandsItsSocketOver(t *testing.T) {
	activate := program(t, "systemd-socket-activate")
	dir := t.TempDir()
	daemon := builtDaemon(t)
	addr := freeport.Must(t).Addr()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, activate, "--datagram", "--listen="+addr, "--fdname=journal",
		"--setenv=JOURNAL_DIR="+filepath.Join(dir, "journal"), "--setenv=HTTP_ADDR=off", "--setenv=LOG_FORMAT=json", daemon, "serve")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	journal := filepath.Join(dir, "journal", "messages.journal")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	sent := 0
	for sent == 0 { // Until the tool has bound its socket, nobody is there.
		<-tick.C
		if _, err := conn.Write([]byte(`{"ID":"HTB","name":"first"}`)); err == nil {
			if _, err = conn.Write([]byte(`{"ID":"HTB","name":"second"}`)); err == nil {
				sent = 2
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("nobody listens at %s; %s", addr, log.String())
		}
	}
	for ctx.Err() == nil {
		<-tick.C
		b, _ := os.ReadFile(journal)
		if bytes.Contains(b, []byte("first")) && bytes.Contains(b, []byte("second")) {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v; its log:\n%s", err, log.String())
	}
	if !strings.Contains(log.String(), `"addr":"`+addr+`"`) || !strings.Contains(log.String(), `"handed_over":true`) {
		t.Errorf("the log does not say that the socket was handed over:\n%s", log.String())
	}
	if got := text(t, journal); strings.Count(got, "first") != 1 || strings.Count(got, "second") != 1 {
		t.Errorf("journal: got %q, want both datagrams once", got)
	}
}

// builtDaemon is the program, built for this machine.
func builtDaemon(t *testing.T) string {
	t.Helper()
	daemon := filepath.Join(t.TempDir(), "hbjournal")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", daemon, "hbjournal").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return daemon
}
