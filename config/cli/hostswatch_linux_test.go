package cli

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// watching is `hosts --watch` on a terminal.
func watching(t *testing.T, dir string, args ...string) (cmd *exec.Cmd, screen *shell) {
	t.Helper()
	cmd = command(t, append([]string{"hosts", "--watch", dir}, args...)...)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 8, Cols: 100})
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	screen = &shell{t: t, keys: terminal}
	ended := make(chan struct{})
	go func() { defer close(ended); screen.read() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It has ended, unless the test failed.
		_ = cmd.Wait()
		_ = terminal.Close()
		<-ended
	})
	return cmd, screen
}

// ends sends one signal, and wants the command to end by it, with the cursor shown again.
func (s *shell) ends(cmd *exec.Cmd, signal syscall.Signal) {
	s.t.Helper()
	if err := cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := poll(func() error {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return &finalError{err}
			}
			return nil
		default:
			return errors.New("it goes on after the signal")
		}
	}); err != nil {
		s.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("%v: got exit code %d, want 0: it was asked to end", signal, code)
	}
	s.wait("\x1b[?25h")
}

func TestHostsAreDrawnAnewAsTheyChangeUntilOneSignal(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeEntry(t, dir, "web1")
			cmd, screen := watching(t, dir)
			screen.wait("\x1b[?25l\x1b[H1 host: 1 ok")
			screen.wait("\x1b[K\r\nweb1 ")
			screen.wait("\x1b[J")
			writeEntry(t, dir, "web2")
			screen.wait("\x1b[H2 hosts: 2 ok")
			screen.wait("\x1b[K\r\nweb2 ")
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				writeEntry(t, dir, name)
			}
			screen.wait("and 4 more") // Of seven, three fit beside the two lines above, this one, and what the shell writes.
			screen.ends(cmd, signal)
			if draws := strings.Count(screen.screen(), "\x1b[H"); draws < 3 {
				t.Errorf("got %d drawings, want one a change at least", draws)
			}
		})
	}
}

func TestHostsAreInColourOnATerminalAloneAndWatchedThereOnly(t *testing.T) {
	dir := t.TempDir()
	writeEntry(t, dir, "web1")
	cmd, screen := watching(t, dir)
	screen.wait(bold + "HOST ")
	screen.ends(cmd, syscall.SIGINT)
	cmd, screen = watching(t, dir, "--color", "never")
	screen.wait("\x1b[K\r\nHOST ")
	screen.ends(cmd, syscall.SIGINT)
	if strings.Contains(screen.screen(), bold) {
		t.Errorf("got colours that were not asked for: %q", screen.screen())
	}
	var out, faults bytes.Buffer
	cmd = command(t, "hosts", dir)
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "web1 ") || bytes.ContainsRune(out.Bytes(), '\x1b') {
		t.Errorf("without a terminal: got %v, %q, want the hosts without colours", err, &out)
	}
	cmd = command(t, "hosts", "--watch", dir)
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(faults.String(), "--watch draws text on a terminal") {
		t.Errorf("without a terminal: got %v, %q, want a wrong call", err, &faults)
	}
}
