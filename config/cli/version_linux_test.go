package cli

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeBuildIsStaticAndKnowsItsCommit runs the line of README.md that builds.
func TestReadmeBuildIsStaticAndKnowsItsCommit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program anew")
	}
	head, err := exec.CommandContext(t.Context(), "git", "-C", repoRoot, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Skipf("this is no git repository: %v", err)
	}
	var line string
	for _, block := range codeBlocks(page(t, deployPage)) {
		if strings.Contains(block, "go build ") {
			line = block
		}
	}
	program := filepath.Join(t.TempDir(), "hbjournal")
	build := exec.CommandContext(t.Context(), "bash", "-euc", strings.Replace(line, "go build", "go build -o "+program, 1))
	build.Dir = repoRoot
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s: got a program with a header %v, want a static one", line, p.Type)
		}
	}
	for _, args := range []string{"version", "--version"} {
		out, err := exec.CommandContext(t.Context(), program, args).Output()
		want := regexp.MustCompile(`^hbjournal \S.*` + string(head[:12]) + `.* \(go1\.\S+, linux/\S+\)\n$`)
		if err != nil || !want.Match(out) {
			t.Errorf("%s: got %q, %v, want %v", args, out, err, want)
		}
	}
}
