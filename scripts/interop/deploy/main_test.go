package deploy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// repoRoot is the project, seen from this package.
const repoRoot = "../../.."

// What the tests build as.
const (
	version = "1.2.3"
	epoch   = "1700000000"
)

// work is where all that is built lies. It is removed at the end.
var work string

// TestMain lets more tests run at once than there are processors: some wait for a minute, for containers.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := flag.Set("test.parallel", "4"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		var err error
		if work, err = os.MkdirTemp("", "hbj-test-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(work)
		code := m.Run()
		removeImage()
		removeNATS()
		return code
	}())
}

// artifacts is the directory of what scripts/image makes of a copy of the source, built once.
var artifacts = sync.OnceValues(func() (string, error) {
	return buildImages(filepath.Join(work, "first"), nil)
})

func built(t *testing.T) string {
	t.Helper()
	dir, err := artifacts()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// buildImages copies the source below dir and has scripts/image build it there.
func buildImages(dir string, environ []string, args ...string) (out string, err error) {
	return makeFromSource(dir, "./scripts/image", version, environ, args...)
}

// makeFromSource copies the source below dir and runs one of its scripts there; out has the results.
func makeFromSource(dir, script, version string, environ []string, args ...string) (out string, err error) {
	source, out := filepath.Join(dir, "source"), filepath.Join(dir, "out")
	if err := copySource(source); err != nil {
		return "", err
	}
	cmd := exec.Command("go", append([]string{"run", script, "--out", out, "--version", version}, args...)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+epoch)
	cmd.Env = append(cmd.Env, environ...)
	_, err = bounded(context.Background(), buildLimit, cmd)
	return out, err
}

// copySource copies the project without its repository, which is a file in a second work tree, and without this module.
func copySource(to string) error {
	return filepath.WalkDir(repoRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(repoRoot, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel != "." && d.Name()[0] == '.' || rel == "scripts/interop" || rel == "journal") {
			return filepath.SkipDir
		}
		if rel == ".git" {
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return copyFile(path, filepath.Join(to, rel))
	})
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// need skips the test if a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
}

// output runs a command that must succeed and returns its standard output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try runs a command and returns its standard output; its error holds what it said on standard error.
func try(ctx context.Context, name string, args ...string) (string, error) {
	return bounded(ctx, commandLimit, exec.Command(name, args...))
}

// What a command may take before it counts as hung: far more than the longest of them, and than one that compiles all.
const (
	commandLimit = 3 * time.Minute
	buildLimit   = 10 * time.Minute
)

// bounded runs a command until it ends, ctx does, or the limit is reached, and returns its standard output. Its error holds
// all that it said.
func bounded(ctx context.Context, limit time.Duration, cmd *exec.Cmd) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it hung: it had not ended after %v, and was killed", limit))
	defer cancel()
	cmd.WaitDelay = 5 * time.Second // for children of a killed one, which hold its output open
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	err := cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), errors.Join(err, context.Cause(ctx)), &stdout, &stderr)
	}
	return stdout.String(), err
}

// patience is how long a test waits for what must happen soon, on a machine that may be busy.
const patience = 60 * time.Second

// eventually calls check until it returns nil, and fails with its last error once patience is over.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	within(t, patience, check)
}

// within is eventually with a patience of its own.
func within(t *testing.T, patience time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(errors.Join(fmt.Errorf("waited in vain for %v", patience), err))
		case <-tick.C:
		}
	}
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// programHere is the program of this machine's architecture.
func programHere(t *testing.T) string {
	t.Helper()
	return filepath.Join(built(t), "hbjournal-linux-"+runtime.GOARCH)
}
