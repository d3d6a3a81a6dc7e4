package streams

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"hbjournal/sink/forward/killtest"
)

// The variables that make a process of this test binary something else than tests: a server, or a sender.
const (
	roleKey = "STREAMS_ROLE"
	argsKey = "STREAMS_ARGS"
)

// roles are what a process can be. Each prints a line when it is ready, and ends with its standard input.
func roles() map[string]func(args []byte, ready func()) error {
	return map[string]func([]byte, func()) error{"nats": serveNATS, "kafka": serveKafka, "sender": runSender}
}

func TestMain(m *testing.M) {
	role, ok := roles()[os.Getenv(roleKey)]
	if !ok {
		killtest.Main(m)
	}
	if err := role([]byte(os.Getenv(argsKey)), func() { fmt.Fprintln(os.Stdout, "ready") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// untilStdinEnds returns when the process that started this one has gone, or wants it to go.
func untilStdinEnds() { _, _ = io.Copy(io.Discard, os.Stdin) }

// A child is a process of this test binary in another role.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr safeBuffer
	ended  chan struct{} // closed when err is set
	err    error
}

// start starts a child and returns when it is ready.
func start(t testing.TB, role string, args any) *child {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), roleKey+"="+role, argsKey+"="+string(text))
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, errReady := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(c.kill)
	if errReady != nil {
		<-c.ended
		t.Fatalf("%s did not start: %v\n%s", role, c.err, c.stderr.String())
	}
	return c
}

// kill ends the process as a power switch would, and waits until it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // It may have ended before.
	<-c.ended
}

// safeBuffer is a buffer that one goroutine writes and another reads.
type safeBuffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}
