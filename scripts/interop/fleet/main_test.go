package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// repoRoot is the project, seen from this package.
const repoRoot = "../../.."

// programs is where what is built lies. It is removed at the end.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if programs, err = os.MkdirTemp("", "hbj-fleet-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(programs)
		if err := buildAll(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// buildAll builds the program, and the server that the module is pinned to. FLEET_PROGRAM is a program that was built
// before, to be tried instead.
func buildAll() error {
	for name, from := range map[string][2]string{
		"hbjournal":   {repoRoot, "."},
		"journalgen":  {repoRoot, "./scripts/journalgen"},
		"nats-server": {".", "github.com/nats-io/nats-server/v2"},
	} {
		if built := os.Getenv("FLEET_PROGRAM"); name == "hbjournal" && built != "" {
			if err := os.Symlink(built, program(name)); err != nil {
				return err
			}
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program(name), from[1])
		cmd.Dir = from[0]
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

func program(name string) string { return filepath.Join(programs, name) }

// onlyInSoak is for tests that take longer than CI has: scripts/soak --fleet runs them.
func onlyInSoak(t testing.TB) {
	t.Helper()
	if fromEnv(t, "FLEET_SEEDS", 1) == 1 {
		t.Skip("it takes a minute and more: scripts/soak --fleet runs it")
	}
}

// fromEnv is a number that the environment may set.
func fromEnv(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// run runs a command that must succeed within a minute, and returns what it prints on standard output.
func run(t testing.TB, environ []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), environ...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

// eventually calls check until it returns nil, and fails with its last error once patience is over.
func eventually(t testing.TB, patience time.Duration, what string, check func() error) {
	t.Helper()
	end := time.After(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-end:
			t.Fatalf("%s: waited %v in vain: %v", what, patience, err)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// goOn lets the fleet work for a while: a fault has to fall into work, and to last.
func goOn(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
