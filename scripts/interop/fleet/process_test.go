package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process is a program that is killed and started again, always in the same way and with the same log.
type process struct {
	name    string
	path    string
	args    []string
	environ []string
	log     string // file
	cmd     *exec.Cmd
	ended   chan error // has what Wait said, once
}

// newProcess makes one that is not started yet. When the test ends it is killed, and its log shown if the test failed.
func newProcess(t testing.TB, dir, name, program string, args ...string) *process {
	t.Helper()
	p := &process{name: name, path: program, args: args, log: filepath.Join(dir, name+".log")}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s ends with:\n%s", name, p.tail())
		}
	})
	return p
}

func (p *process) start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), p.environ...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when the test is killed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p.cmd, p.ended = cmd, ended
}

func (p *process) runs() bool { return p.cmd != nil }

// kill ends it as a power switch would.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // It may have ended before.
	<-p.ended
	p.cmd = nil
}

// end asks it to end, which it must do well.
func (p *process) end(t testing.TB) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	p.signal(t, syscall.SIGTERM)
	select {
	case err := <-p.ended:
		p.cmd = nil
		if err != nil {
			t.Errorf("%s ended with %v", p.name, err)
		}
	case <-time.After(30 * time.Second):
		t.Errorf("%s did not end within 30 s of SIGTERM", p.name)
		p.kill()
	}
}

func (p *process) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// said returns all that it has said.
func (p *process) said() string {
	text, _ := os.ReadFile(p.log) // It may not have been started.
	return string(text)
}

func (p *process) tail() string {
	lines := strings.SplitAfter(p.said(), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "")
}
