package crypt

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs are the age programs that there are: the one of the system, which may be as old as 1.1.1, and the one of the
// version that this package is built with, which knows post-quantum keys.
func programs(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	if path, err := exec.LookPath("age"); err == nil {
		found["system"] = path
	}
	bin := t.TempDir()
	install := exec.Command("go", "install", "filippo.io/age/cmd/age@v1.3.2")
	install.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err == nil {
		found["v1.3.2"] = filepath.Join(bin, "age")
	} else {
		t.Logf("go install age: %v: %s", err, out)
	}
	if len(found) == 0 {
		t.Skip("no program age: install the package of that name")
	}
	return found
}

func output(t *testing.T, stdin []byte, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", program, args, err, stderr.String())
	}
	return out
}

// TestProgramsReadOurFilesAndWeReadTheirs goes both ways, with keys of both kinds as far as the program knows them.
func TestProgramsReadOurFilesAndWeReadTheirs(t *testing.T) {
	text := someText(3*chunk + 5)
	for name, program := range programs(t) {
		for kind, k := range map[string]key{"classic": classic(t), "post-quantum": postQuantum(t)} {
			if kind == "post-quantum" && name == "system" {
				continue // Debian 12 has 1.1.1.
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				sealed, _ := encrypted(t, recipients(t, k.recipient), text)
				if got := output(t, sealed, program, "-d", "-i", file(t, k.identity+"\n")); !bytes.Equal(got, text) {
					t.Errorf("the program reads our file as %d other bytes", len(got))
				}
				for _, more := range [][]string{nil, {"-a"}} {
					theirs := output(t, text, program, append(more, "-R", file(t, k.recipient+"\n"))...)
					got, err := readThrough(identities(t, k), theirs)
					if err != nil || !bytes.Equal(got, text) {
						t.Errorf("with %q: got %d other bytes, error %v", more, len(got), err)
					}
				}
			})
		}
	}
}
