//go:build unix

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// patience is how long a test waits for what must happen soon, on a machine that may be busy.
const patience = 30 * time.Second

// process is a daemon under test: this test binary under the name hbjournal, in a process of its own.
type process struct {
	cmd  *exec.Cmd
	addr string // the first address that it listens on
	done chan struct{}
}

// launch says how a process is started.
type launch struct {
	dir     string
	stderr  string // file that its standard error is added to
	log     string // file that its log goes to; "": stderr
	environ []string
	args    []string
	program string               // "": this test binary
	attr    *syscall.SysProcAttr // nil: as this process
	sockets []*os.File           // handed over as a service manager does
}

// command is what is run. Only the process itself can know its number, which LISTEN_PID must be, so a shell becomes it.
func (l launch) command() *exec.Cmd {
	cmd := &exec.Cmd{
		Path: l.program, Args: append([]string{"hbjournal"}, l.args...), Dir: l.dir, Env: l.environ, SysProcAttr: l.attr,
	}
	if len(l.sockets) > 0 {
		cmd.ExtraFiles = l.sockets
		cmd.Env = append(cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(l.sockets)))
		cmd.Path = "/bin/sh"
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, l.program}, l.args...)
	}
	return cmd
}

// start runs hbjournal and waits until it listens.
func start(l launch) (*process, error) {
	if l.program == "" {
		self, err := exec.LookPath("hbjournal") // TestMain has put this test binary there.
		if err != nil {
			return nil, err
		}
		l.program = self
	}
	stderr, err := os.OpenFile(l.stderr, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close() // The process has it, or there is none.
	if l.log == "" {
		l.log = l.stderr
	}
	before := size(l.log)
	p := &process{done: make(chan struct{})}
	p.cmd = l.command()
	p.cmd.Stderr = stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() //nolint:errcheck // The exit code is asked for where it matters.
	}()
	return p, p.waitListening(l.log, before)
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

var listening = regexp.MustCompile(`"addr":"([^"]+)".*"message":"listening for journal messages`)

// waitListening reads the address from the log, of which what stands before offset is of an earlier run.
func (p *process) waitListening(log string, offset int64) error {
	err := poll(func() error {
		b, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		text := string(b[min(offset, int64(len(b))):])
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
}

// exit waits until the process has ended and returns its exit code, -1 if a signal killed it.
func (p *process) exit() (int, error) {
	select {
	case <-p.done:
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
