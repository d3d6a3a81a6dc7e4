package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"hbjournal/scripts/freeport"
)

// TestReadmeRunsAContainer runs the lines of README.md as they stand there, with names, ports and a directory of its own.
func TestReadmeRunsAContainer(t *testing.T) {
	t.Parallel()
	needEngine(t)
	c := container{name: name(t), volume: newVolume(t)}
	addr := freeport.Must(t).Addr()
	environ := fmt.Sprintf("--env LISTEN_ADDR=%s --env HTTP_ADDR=127.0.0.1:%s ", addr, freeport.Must(t).String())
	lines := strings.NewReplacer(
		"./image", t.TempDir(),
		"--arch amd64", "--version "+version+" --arch "+runtime.GOARCH,
		"amd64", runtime.GOARCH,
		"--name hbjournal ", "--name "+c.name+" "+environ,
		"--volume hbjournal:", "--volume "+c.volume+":",
		"docker exec hbjournal /hbjournal send ", "docker exec "+c.name+" /hbjournal send --to "+addr+" ",
		"docker exec hbjournal ", "docker exec "+c.name+" ",
	).Replace(readmeBlock(t, "docker load"))
	setUp, use, ok := strings.Cut(lines, "docker exec ")
	if !ok {
		t.Fatalf("got no docker exec in\n%s", lines)
	}
	t.Cleanup(func() { cleanUp(t, "rm", "--force", c.name) })
	if _, err := bounded(t.Context(), buildLimit, exec.Command("bash", "-euc", "cd "+repoRoot+"\n"+setUp)); err != nil {
		t.Fatal(err)
	}
	c.wantHealth(t, "healthy", "ready")
	var shown string
	eventually(t, func() error { // The line that reads may come before the message is on the disk.
		if shown = output(t, "bash", "-euc", "docker exec "+use); !strings.Contains(shown, "webserver1") {
			return fmt.Errorf("got %q, want the message that was sent", shown)
		}
		return nil
	})
}

// readmeBlock returns the fenced block of README.md that holds word.
func readmeBlock(t *testing.T, word string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repoRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(b), "```") {
		if i%2 == 1 && strings.Contains(block, word) {
			_, lines, _ := strings.Cut(block, "\n")
			return lines
		}
	}
	t.Fatalf("got no block with %s in README.md", word)
	return ""
}
