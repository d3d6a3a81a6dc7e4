package receivers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// repoRoot is the project, seen from this package.
const repoRoot = "../../.."

// work is where all lies that is removed at the end.
var work string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if work, err = os.MkdirTemp("", "hbj-receivers-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(work)
		return m.Run()
	}())
}

// points is at how many places a cell of the kill table strikes: RECEIVERS_POINTS, or 10.
func points() int { return fromEnviron("RECEIVERS_POINTS", 10) }

// seed is that of the places: RECEIVERS_SEED, or 1.
func seed() uint64 { return uint64(fromEnviron("RECEIVERS_SEED", 1)) }

func fromEnviron(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// program is hbjournal, built once.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "hbjournal")
	return path, command(repoRoot, "go", "build", "-o", path, ".")
})

// cacheDir is for what is fetched, and kept.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = work
	}
	dir := filepath.Join(base, "hbjournal-interop")
	return dir, os.MkdirAll(dir, 0o755)
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, text)
	}
	return nil
}

// A process is a program that a test runs, and ends.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	log   string        // file of what it says
	ended chan struct{} // closed when err is set
	err   error
}

// start starts a program. It is killed at the end of the test, if it has not ended.
func start(t testing.TB, environ []string, name string, args ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(work, filepath.Base(name)+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{t: t, cmd: exec.Command(name, args...), log: log.Name(), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), environ...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() { p.end(syscall.SIGKILL) }

func (p *process) term() { p.end(syscall.SIGTERM) }

// end sends a signal and waits for the end.
func (p *process) end(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("%s does not end\n%s", p.cmd.Path, p.said())
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// said is what the program wrote.
func (p *process) said() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// patience is how long anything may take that is not meant to be measured.
const patience = 60 * time.Second

// eventually waits until done says so.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
