package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a directory that looks to a package manager like a machine of its own.
type machine struct {
	root   string
	manage manager
	// FIFOs by which the stand-in of systemctl asks for a restart, and hears that it is done.
	asked, done *os.File
}

// manager is how packages come onto a machine and leave it again.
type manager struct {
	first, later            func(*testing.T) string // paths of the packages
	install, upgrade, erase func(root, path string) []string
}

// dpkg runs the scripts of packages in the root of the machine.
func dpkg(first, later func(*testing.T) string, options ...string) manager {
	call := func(root string, args ...string) []string {
		all := []string{"dpkg", "--root=" + root, "--force-not-root", "--force-depends", "--force-bad-path", "--force-confdef", "--log=/dev/null"}
		return append(append(all, options...), args...)
	}
	install := func(root, path string) []string { return call(root, "--install", path) }
	return manager{first, later, install, install, func(root, _ string) []string { return call(root, "--remove", "hbjournal") }}
}

func rpm() manager {
	call := func(operation string) func(root, path string) []string {
		return func(root, path string) []string {
			return []string{"rpm", "--root=" + root, "--nodeps", operation, path}
		}
	}
	return manager{firstRPM, laterRPM, call("--install"), call("--upgrade"), func(root, _ string) []string { return call("--erase")(root, "hbjournal") }}
}

// newMachine makes the directories that a package manager takes for granted, and users.
func newMachine(t *testing.T, manage manager) machine {
	t.Helper()
	m := machine{root: t.TempDir(), manage: manage}
	for _, dir := range []string{"etc", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "tmp", "dev", "run/systemd/system", "var/log", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(m.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, m.path("etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\n"))
	writeFile(t, m.path("etc/group"), []byte("root:x:0:\n"))
	writeFile(t, m.path("var/lib/dpkg/status"), nil)
	return m
}

func (m machine) path(name string) string { return filepath.Join(m.root, name) }

// run runs a package manager, which must succeed, with what the machine would otherwise ask of the user's settings.
func (m machine) run(t *testing.T, command []string) {
	t.Helper()
	if err := m.try(t.Context(), command); err != nil {
		t.Fatal(err)
	}
}

func (m machine) try(ctx context.Context, command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "DEBIAN_FRONTEND=noninteractive")
	_, err := bounded(ctx, commandLimit, cmd)
	return err
}

// hbjournal runs the installed program and returns what it prints.
func (m machine) hbjournal(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(m.path("usr/bin/hbjournal"), args...)
	cmd.Env = []string{"HOME=" + m.root, "JOURNAL_DIR=" + m.path("var/log/heartbeat")}
	out, err := bounded(t.Context(), commandLimit, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (m machine) exists(name string) bool {
	_, err := os.Lstat(m.path(name))
	return err == nil
}

// wantKept checks that what people have written is still there.
func (m machine) wantKept(t *testing.T, when string, names ...string) {
	t.Helper()
	for _, name := range names {
		if b, err := os.ReadFile(m.path(name)); err != nil || string(b) != "kept\n" {
			t.Errorf("%s: got %q (%v) in %s, want what was written", when, b, err, name)
		}
	}
}

const (
	journal  = "var/log/heartbeat/messages.journal"
	hbYAML   = "etc/hbjournal/hb.yaml"
	socketOn = "etc/systemd/system/sockets.target.wants/hbjournal.socket"
)

// TestDebIsInstalledUpgradedRemovedAndPurgedAndTheJournalStays has dpkg run the scripts outside of the machine, as those do
// who make images of machines (DPKG_ROOT).
func TestDebIsInstalledUpgradedRemovedAndPurgedAndTheJournalStays(t *testing.T) {
	t.Parallel()
	need(t, "dpkg", "systemd-sysusers", "systemd-tmpfiles", "systemctl")
	m := newMachine(t, dpkg(firstDeb, laterDeb, "--force-script-chrootless"))
	m.run(t, m.manage.install(m.root, firstDeb(t)))
	if got := m.hbjournal(t, "version"); !strings.HasPrefix(got, "hbjournal 1.2.3 ") {
		t.Errorf("got %q of the installed program, want version 1.2.3", got)
	}
	m.hbjournal(t, "config", "--config", m.path(hbYAML), "--check", "--strict")
	if passwd := string(read(t, m.root, "etc/passwd")); !strings.Contains(passwd, "hbjournal:x:") {
		t.Errorf("got no user hbjournal in\n%s", passwd)
	}
	if info, err := os.Stat(m.path("var/log/heartbeat")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("got %v (%v), want the journal's directory with mode 0750", info, err)
	}
	if !m.exists(socketOn) {
		t.Error("got a socket that does not start with the machine, want it on, as is Debian's rule")
	}
	writeFile(t, m.path(journal), []byte("kept\n"))
	writeFile(t, m.path(hbYAML), []byte("kept\n"))

	m.run(t, m.manage.upgrade(m.root, laterDeb(t)))
	if got := m.hbjournal(t, "version"); !strings.HasPrefix(got, "hbjournal 1.3.0 ") {
		t.Errorf("got %q of the upgraded program, want version 1.3.0", got)
	}
	m.wantKept(t, "upgraded", journal, hbYAML)

	m.run(t, m.manage.erase(m.root, ""))
	if m.exists("usr/bin/hbjournal") || m.exists("usr/share/hbjournal") {
		t.Error("removed: got the program still there")
	}
	m.wantKept(t, "removed", journal, hbYAML)

	purge := m.manage.erase(m.root, "")
	m.run(t, slices.Concat(purge[:len(purge)-2], []string{"--purge", "hbjournal"}))
	if m.exists("etc/hbjournal") || m.exists(socketOn) {
		t.Error("purged: got settings still there, want none")
	}
	m.wantKept(t, "purged", journal)
}

func TestRPMIsInstalledUpgradedAndErasedAndTheJournalStays(t *testing.T) {
	t.Parallel()
	need(t, "rpm")
	m := newMachine(t, rpm())
	m.withPrograms(t)
	m.run(t, m.manage.install(m.root, firstRPM(t)))
	if got := m.hbjournal(t, "version"); !strings.HasPrefix(got, "hbjournal 1.2.3 ") {
		t.Errorf("got %q of the installed program, want version 1.2.3", got)
	}
	if info, err := os.Stat(m.path("var/log/heartbeat")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("got %v (%v), want the journal's directory with mode 0750", info, err)
	}
	writeFile(t, m.path(journal), []byte("kept\n"))
	writeFile(t, m.path(hbYAML), []byte("kept\n"))
	m.run(t, m.manage.upgrade(m.root, laterRPM(t)))
	if got := m.hbjournal(t, "version"); !strings.HasPrefix(got, "hbjournal 1.3.0 ") {
		t.Errorf("got %q of the upgraded program, want version 1.3.0", got)
	}
	m.wantKept(t, "upgraded", journal, hbYAML)
	m.run(t, m.manage.erase(m.root, ""))
	if m.exists("usr/bin/hbjournal") || m.exists("usr/share/hbjournal") {
		t.Error("erased: got the program still there")
	}
	m.wantKept(t, "erased", journal, hbYAML+".rpmsave")
}

// withPrograms puts a shell and what the scripts of packages call into the machine, whose root becomes theirs.
func (m *machine) withPrograms(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may run scripts in a root of their own")
	}
	need(t, "ldd")
	for _, program := range []string{"sh", "id", "install", "systemd-sysusers", "systemd-tmpfiles"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("%s is not installed", program)
		}
		m.copyIn(t, path, "usr/bin/"+program)
		for _, library := range regexp.MustCompile(`/\S+\.so\S*`).FindAllString(output(t, "ldd", path), -1) {
			m.copyIn(t, library, library)
		}
	}
	writeFile(t, m.path("usr/bin/systemctl"), []byte(standIn))
	m.asked, m.done = m.fifo(t, "restart"), m.fifo(t, "restarted")
	if err := os.Chmod(m.path("usr/bin/systemctl"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// standIn notes how systemctl is called. A restart waits until the test, which is the manager, has done it; the service is
// active once /active is there, and does not start while /broken is.
const standIn = `#!/bin/sh
echo "$*" >>/calls
case "$*" in
is-active*) [ -e /active ] ;;
start*) [ ! -e /broken ] ;;
restart*) [ ! -e /broken ] && echo >/restart && read -r _ </restarted ;;
esac
`

// fifo makes one and opens it for both ways, so that neither opening it nor writing to it waits for the other side.
func (m machine) fifo(t *testing.T, name string) *os.File {
	t.Helper()
	if err := syscall.Mkfifo(m.path(name), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(m.path(name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func (m machine) copyIn(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(m.path(to)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.path(to), b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// calls returns how systemctl was called since the last time.
func (m machine) calls(t *testing.T) string {
	t.Helper()
	b := read(t, m.root, "calls")
	if err := os.Remove(m.path("calls")); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestUpgradeRestartsByTheSocketAndLosesNothing: the test holds the socket as systemd does, and 10,000 numbered datagrams a
// second come while the package manager replaces the program and restarts the service.
func TestUpgradeRestartsByTheSocketAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, manage := range map[string]manager{"deb": dpkg(firstDeb, laterDeb), "rpm": rpm()} {
		t.Run(name, func(t *testing.T) {
			need(t, map[string]string{"deb": "dpkg", "rpm": "rpm"}[name])
			m := newMachine(t, manage)
			m.withPrograms(t)
			m.run(t, manage.install(m.root, manage.first(t)))
			wantCalls(t, "installed", m.calls(t), "--root=/ preset hbjournal.socket hbjournal.service\ndaemon-reload\n"+
				"is-active --quiet hbjournal.service\nis-enabled --quiet hbjournal.service\nstart hbjournal.socket hbjournal.service\n")

			s := m.service(t)
			writeFile(t, m.path("active"), nil)
			sent := m.upgradeUnderLoad(t, s)
			wantCalls(t, "upgraded", strings.ReplaceAll(m.calls(t), "daemon-reload\n", ""), "is-active --quiet hbjournal.service\nrestart hbjournal.service\ntry-restart hbjournal-web.service hbjournal-archive.service\n")
			s.stop(t)
			if err := numbersAre(strings.TrimSpace(m.hbjournal(t, "query", "--id", "HTB", "--jq", ".message.n")), 0, sent); err != nil {
				t.Error(err)
			}
			if log := string(read(t, m.root, "log")); !strings.Contains(log, `"version":"1.2.3"`) || !strings.Contains(log, `"version":"1.3.0"`) {
				t.Errorf("got a log without both versions:\n%s", log)
			}
			t.Logf("%d datagrams", sent)

			m.run(t, manage.erase(m.root, ""))
			if got := m.calls(t); !strings.HasPrefix(got, "stop hbjournal.socket hbjournal.service hbjournal-web.service hbjournal-archive.service\n") {
				t.Errorf("removed: got calls\n%swant all stopped, the socket too", got)
			}
			if !m.exists(journal) {
				t.Error("removed: got no journal, want it kept")
			}
		})
	}
}

// TestPackageIsInstalledThoughItsServiceDoesNotStart: one that its settings keep from starting would else block the package
// manager, and with it the packages that mend them.
func TestPackageIsInstalledThoughItsServiceDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, active := range []bool{false, true} {
		need(t, "dpkg")
		m := newMachine(t, dpkg(firstDeb, laterDeb))
		m.withPrograms(t)
		writeFile(t, m.path("broken"), nil)
		if active {
			writeFile(t, m.path("active"), nil)
		}
		m.run(t, m.manage.install(m.root, firstDeb(t)))
		if got, want := m.calls(t), map[bool]string{false: "start hbjournal.socket hbjournal.service\n", true: "restart hbjournal.service\n"}[active]; !strings.HasSuffix(got, want) {
			t.Errorf("got calls of systemctl\n%swant the last to be %s", got, want)
		}
		if status := string(read(t, m.root, "var/lib/dpkg/status")); !strings.Contains(status, "Status: install ok installed") {
			t.Errorf("got the state of packages\n%swant hbjournal installed", status)
		}
	}
}

func wantCalls(t *testing.T, when, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got calls of systemctl\n%swant\n%s", when, got, want)
	}
}

// upgradeUnderLoad upgrades the package while datagrams come, and returns how many there were.
func (m machine) upgradeUnderLoad(t *testing.T, s *service) (sent int) {
	t.Helper()
	later := m.manage.later(t)
	load := newSender(t, s.addr, "")
	load.send(t, 1000)
	upgraded, restarted := make(chan error, 1), make(chan error, 1)
	go func() { upgraded <- m.try(t.Context(), m.manage.upgrade(m.root, later)) }()
	go func() { restarted <- s.restartWhenAsked() }()
	for both := 0; both < 2; {
		load.send(t, 100)
		select {
		case err := <-upgraded:
			upgraded, both = nil, both+1
			if err != nil {
				t.Error(err)
			}
		case err := <-restarted:
			restarted, both = nil, both+1
			if err != nil {
				t.Error(err)
			}
		default:
		}
	}
	load.send(t, 1000)
	return load.next
}

// service is the daemon of a machine, and the socket that outlives it.
type service struct {
	m      machine
	addr   string
	socket *os.File
	log    *os.File
	daemon *exec.Cmd
}

// service binds a socket as the socket unit does, and starts the installed daemon with it.
func (m machine) service(t *testing.T) *service {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := &service{m: m, addr: conn.LocalAddr().String()}
	if s.socket, err = conn.File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.socket.Close() })
	const receiveBufferForce = 33 // SO_RCVBUFFORCE, as ReceiveBuffer=64M of the socket unit
	if err := syscall.SetsockoptInt(int(s.socket.Fd()), syscall.SOL_SOCKET, receiveBufferForce, 64<<20); err != nil {
		t.Skip("64 MiB of receive buffer need a privilege:", err)
	}
	if s.log, err = os.OpenFile(m.path("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.log.Close() })
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.daemon != nil {
			_ = s.end()
		}
	})
	return s
}

// start starts the daemon and waits, as systemd does for a unit of Type=notify, until it is ready.
func (s *service) start() error {
	socket := filepath.Join(s.m.root, "notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		return fmt.Errorf("listen for the daemon's word that it is ready: %w", err)
	}
	defer os.Remove(socket)
	defer ready.Close()
	s.daemon = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" serve`, s.m.path("usr/bin/hbjournal"))
	s.daemon.Env = []string{"LISTEN_FDS=1", "NOTIFY_SOCKET=" + socket, "HTTP_ADDR=off", "LOG_FORMAT=json", "HOME=" + s.m.root, "JOURNAL_DIR=" + s.m.path("var/log/heartbeat")}
	s.daemon.Stderr = s.log
	s.daemon.ExtraFiles = []*os.File{s.socket}
	if err := errors.Join(ready.SetReadDeadline(time.Now().Add(patience)), s.daemon.Start()); err != nil {
		return err
	}
	for said := make([]byte, 1<<10); ; {
		n, err := ready.Read(said)
		if err != nil {
			return fmt.Errorf("wait until the daemon is ready: %w", err)
		}
		if strings.Contains(string(said[:n]), "READY=1") {
			return nil
		}
	}
}

// end asks the daemon to stop and waits for it.
func (s *service) end() error {
	daemon := s.daemon
	s.daemon = nil
	kill := time.AfterFunc(patience, func() { _ = daemon.Process.Kill() })
	err := errors.Join(daemon.Process.Signal(syscall.SIGTERM), daemon.Wait())
	if !kill.Stop() {
		err = errors.Join(err, fmt.Errorf("the daemon had not ended %v after SIGTERM, and was killed", patience))
	}
	return err
}

func (s *service) stop(t *testing.T) {
	t.Helper()
	if err := s.end(); err != nil {
		t.Error(err)
	}
}

// restartWhenAsked waits for the stand-in's word, restarts the daemon, and lets the stand-in go on.
func (s *service) restartWhenAsked() error {
	if err := s.m.asked.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.ReadFull(s.m.asked, make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for 'systemctl restart': %w", err)
	}
	if err := errors.Join(s.end(), s.start()); err != nil {
		return err
	}
	_, err := s.m.done.WriteString("\n")
	return err
}
