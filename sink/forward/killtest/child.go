package killtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/output"
	"hbjournal/sink/journal/read"
)

// childVariable tells a test binary that it is to send, and what.
const childVariable = "HBJOURNAL_KILLTEST"

// A Sender is the loop of one output.
type Sender struct {
	Dir      string // of the journal
	StateDir string // of the output
	URL      string
	Receiver string // receiver_name
	Once     bool
}

// Main is for TestMain: it runs the tests, or in a process that a test has started, the sender.
func Main(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(runChild(text)) //nolint:forbidigo // This is main.
	}
	os.Exit(m.Run()) //nolint:forbidigo // This is main.
}

func runChild(text string) int {
	var s Sender
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		log := zerolog.New(os.Stderr).With().Timestamp().Logger()
		err = s.Run(ctx, log)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Open makes the loop.
func (s Sender) Open(log zerolog.Logger) (*forward.Loop, error) {
	target, err := output.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	out, err := target.Open(output.Identity{Journal: ID, Receiver: s.Receiver})
	if err != nil {
		return nil, err
	}
	return forward.Open(forward.Options{
		Journal: read.Options{Dir: s.Dir, Base: Base}, JournalID: ID, StateDir: s.StateDir, Name: "row", Address: target.Address(),
		BatchBytes: target.BatchSize, BatchWait: target.BatchWait, DeadMax: target.DeadMax, AcceptRewind: target.AcceptRewind,
		Once: s.Once, Log: log,
	}, out)
}

// Run sends until ctx ends, or with Once all that there is.
func (s Sender) Run(ctx context.Context, log zerolog.Logger) error {
	loop, err := s.Open(log)
	if err != nil {
		return err
	}
	return loop.Run(ctx)
}

// A Child is a Sender in a process of its own.
type Child struct {
	cmd  *exec.Cmd
	log  string
	once sync.Once
	err  error
}

// Start runs the sender in a process of its own, which ends with the test at the latest.
func (s Sender) Start(t testing.TB) *Child {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &Child{cmd: exec.Command(self), log: filepath.Join(t.TempDir(), "log")}
	file, err := os.Create(c.log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	c.cmd.Stderr = file
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

// Kill kills it, and returns when it is gone.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // It may have ended.
	_ = c.wait()
}

// Stop ends it as a service manager does.
func (c *Child) Stop(t testing.TB) {
	t.Helper()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	watch := time.AfterFunc(30*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer watch.Stop()
	if err := c.wait(); err != nil {
		t.Errorf("the sender ended with %v: %s", err, c.Log())
	}
}

// Wait returns when it has ended by itself.
func (c *Child) Wait(t testing.TB) {
	t.Helper()
	if err := c.wait(); err != nil {
		t.Fatalf("the sender ended with %v: %s", err, c.Log())
	}
}

func (c *Child) wait() error {
	c.once.Do(func() { c.err = c.cmd.Wait() })
	return c.err
}

// Log is what it said.
func (c *Child) Log() string {
	text, err := os.ReadFile(c.log)
	return string(text) + errorText(err)
}

func errorText(err error) string {
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return err.Error()
}
