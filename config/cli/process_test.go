//go:build unix

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen soon, on a machine that may be busy.
const patience = 30 * time.Second

// process is a daemon under test: this test binary under the name hbjournal, in a process of its own.
type process struct {
	cmd  *exec.Cmd
	log  *os.File // its standard error
	addr string   // the first address that it listens on
	done chan struct{}
}

// start runs hbjournal with args in dir and waits until it listens. Its standard error is added to the file logPath.
func start(dir, logPath string, environ, args []string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logPath, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	p := &process{log: log, done: make(chan struct{})}
	p.cmd = &exec.Cmd{Path: self, Args: append([]string{"hbjournal"}, args...), Dir: dir, Env: environ, Stderr: log}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() //nolint:errcheck // The exit code is asked for where it matters.
	}()
	return p, p.waitListening(before)
}

var listening = regexp.MustCompile(`"addr":"([^"]+)".*"message":"listening for journal messages`)

// waitListening reads the address from the log, of which what stands before offset is of an earlier run.
func (p *process) waitListening(offset int64) error {
	err := poll(func() error {
		text, err := readFrom(p.log, offset)
		if err != nil {
			return err
		}
		if found := listening.FindStringSubmatch(text); found != nil && strings.Contains(text, `"message":"journal `) {
			p.addr = found[1]
			return nil
		}
		if p.exited() {
			return &finalError{fmt.Errorf("the daemon ended with %v before it listened; its log:\n%s", p.cmd.ProcessState, text)}
		}
		return fmt.Errorf("the daemon does not listen yet; its log:\n%s", text)
	})
	if err != nil {
		p.kill()
	}
	return err
}

func readFrom(f *os.File, offset int64) (string, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<30))
	return string(b), err
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process if it still runs, and waits for it.
func (p *process) kill() {
	p.cmd.Process.Kill() //nolint:errcheck // It may have ended already.
	<-p.done
	p.log.Close()
}

// exit waits until the process has ended and returns its exit code, -1 if a signal killed it.
func (p *process) exit() (int, error) {
	select {
	case <-p.done:
		p.log.Close()
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(patience):
		return 0, fmt.Errorf("the daemon did not end within %v", patience)
	}
}

// signals are those that scripts send, by name.
func signals() map[string]syscall.Signal {
	return map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL,
		"HUP": syscall.SIGHUP, "USR1": syscall.SIGUSR1,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
	}
}

// finalError ends a poll at once.
type finalError struct{ error }

// poll calls try until it returns nil, and returns its last error once patience is over.
func poll(try func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		var final *finalError
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// eventually fails the test with try's last error if it does not return nil in time.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	if err := poll(try); err != nil {
		t.Fatal(err)
	}
}
