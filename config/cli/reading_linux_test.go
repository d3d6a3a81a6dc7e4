package cli

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readings are the commands that read entries, each with what it needs beside FILE.
var readings = [][]string{
	{"query"},
	{"query", "--jq", "."},
	{"query", "--reverse"},
	{"query", "-n", "1"},
	{"query", "--count"},
	{"report"},
	{"verify"},
	{"replay", "--to", "127.0.0.1:9", "--dry-run"},
}

// command is hbjournal in a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &exec.Cmd{Path: self, Args: append([]string{"hbjournal"}, args...), Env: []string{"HOME=" + t.TempDir()}}
}

// interrupt sends one signal to a command that blocks, and checks that it fails soon, and by itself.
func interrupt(t *testing.T, cmd *exec.Cmd, signal syscall.Signal) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	waitBlocked(t, cmd.Process.Pid)
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		cmd.Process.Kill()
		<-ended
		t.Fatalf("%v: got no end within %v of %v", cmd.Args, patience, signal)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%v: got exit code %d and %q after %v, want %d and that it was interrupted", cmd.Args, code, stderr.String(), signal, exitFailed)
	}
}

func TestOneSignalEndsAReadingThatWaitsForAFIFO(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range readings {
		interrupt(t, command(t, append(args, fifo)...), syscall.SIGTERM)
	}
	interrupt(t, command(t, "query", fifo), syscall.SIGINT)
}

func TestOneSignalEndsAReadingThatWaitsForStandardInput(t *testing.T) {
	for _, args := range readings {
		cmd := command(t, append(args, "-")...)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		interrupt(t, cmd, syscall.SIGTERM)
		in.Close()
	}
}

func TestOneSignalEndsAReadingWhoseReaderWaits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(file, bytes.Repeat([]byte(oneEntry), 20_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"query"}, {"query", "--jq", "."}, {"query", "--reverse"}, {"query", "-n", "20000"}, {"query", "-f"}} {
		cmd := command(t, append(args, file)...)
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = out
		interrupt(t, cmd, syscall.SIGTERM)
		in.Close()
		out.Close()
	}
}

// waitBlocked waits until a process has nothing left to do: it sleeps whenever it is looked at.
func waitBlocked(t *testing.T, pid int) {
	t.Helper()
	asleep := 0
	err := poll(func() error {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return &finalError{err}
		}
		if asleep++; !strings.Contains(string(status), "State:\tS") {
			asleep = 0
		}
		if asleep < 40 {
			return fmt.Errorf("the process still works:\n%s", status)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneSignalEndsAnExpressionWithoutEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(file, []byte(oneEntry), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--jq", "repeat(1)"},
		{"--jq", "repeat(1)", "--count"},
		{"--jq", "repeat(1)", "--reverse"},
		{"--jq", "repeat(1)", "-n", "3"},
		{"--jq", "def f: f; f"},
		{"--jq", "[repeat(1)]", "-f"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var errs bytes.Buffer
		env := Env{Stdout: &cancelingWriter{cancel}, Stderr: &errs, Environ: []string{"HOME=" + t.TempDir()}}
		timer := time.AfterFunc(100*time.Millisecond, cancel)
		code := Run(ctx, append([]string{"query", file}, args...), env)
		timer.Stop()
		following := args[len(args)-1] == "-f"
		if code != exitFailed && !following || following && code != exitDone {
			t.Errorf("%v: got exit code %d and %q", args, code, errs.String())
		}
	}
}

// A cancelingWriter calls cancel when it is written to, and drops what is written.
type cancelingWriter struct{ cancel func() }

func (w *cancelingWriter) Write(p []byte) (int, error) {
	w.cancel()
	return len(p), nil
}

func TestEntriesFromAPipeArePrintedAsTheyCome(t *testing.T) {
	for _, args := range [][]string{{"query", "-"}, {"query", "-", "--jq", "."}} {
		cmd := command(t, args...)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		if _, err := io.WriteString(in, oneEntry); err != nil {
			t.Fatal(err)
		}
		got, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.Contains(got, "web1") {
			t.Errorf("%v: got %q, %v while the pipe is open, want the entry", args, got, err)
		}
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: got %v", args, err)
		}
		timer.Stop()
	}
}
