package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hbjournal/scripts/freeport"
)

// TestReadmeOfTheLivePageWorksAsWritten runs its three commands, each as in a terminal of its own, and opens the page.
func TestReadmeOfTheLivePageWorksAsWritten(t *testing.T) {
	lines := shellLines(codeBlocks(section(t, mainPage, "The live page"))[0])
	if len(lines) != 3 {
		t.Fatalf("got %d commands, want three", len(lines))
	}
	dir, addr, receiver := t.TempDir(), freeport.Must(t).Addr(), freeport.Must(t).Addr()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "hbjournal")); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "LISTEN_ADDR=" + receiver, "HTTP_ADDR=" + freeport.Must(t).Addr(), "WEB_ADDR=" + addr}
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
