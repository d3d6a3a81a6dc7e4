package cli

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadmeOfTheLivePageWorksAsWritten runs its three commands, each as in a terminal of its own, and opens the page.
func TestReadmeOfTheLivePageWorksAsWritten(t *testing.T) {
	lines := shellLines(codeBlocks(section(t, mainPage, "The live page"))[0])
	if len(lines) != 3 {
		t.Fatalf("got %d commands, want three", len(lines))
	}
	dir, addr, receiver := t.TempDir(), freePort(t), freePort(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "hbjournal")); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "LISTEN_ADDR=" + receiver, "HTTP_ADDR=" + freePort(t), "WEB_ADDR=" + addr}
	for _, line := range lines {
		line = strings.Replace(line, "hbjournal send", "hbjournal send --to "+receiver, 1)
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
		cmd.Dir, cmd.Env = dir, environ
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Wait() // It was ended with the context of the test.
			if t.Failed() {
				t.Logf("%s:\n%s", line, &stderr)
			}
		})
	}
	err = poll(func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, http.NoBody)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		for _, want := range []string{`href="/host?name=web1"`, "<b>1</b> ok", `&#34;percent&#34;:42`} {
			if !strings.Contains(string(page), want) {
				return fmt.Errorf("got no %s in the page", want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// freePort is an address of this machine that nobody has.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
