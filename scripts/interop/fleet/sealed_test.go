package fleet

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSealedReceiversAreVerifiedInTheArchives verifies what archives that keep little have of receivers which seal their journals, and
// finds a line that is changed there.
func TestSealedReceiversAreVerifiedInTheArchives(t *testing.T) {
	key := filepath.Join(t.TempDir(), "sign.key")
	vkey := strings.TrimSpace(run(t, nil, program("hbjournal"), "seal", "keygen", "example.com/hb/fleet", "--out", key))
	f := newFleet(t, plan{
		servers: 1,
		environ: []string{"JOURNAL_SIGN_KEY=" + key, "JOURNAL_MAX_SIZE=200KB"},
		archive: []string{"JOURNAL_MAX_SIZE=150KB", "JOURNAL_MAX_BACKUPS=4"},
	})
	stop := f.send(t, 1000)
	goOn(t, 5*time.Second)
	stop()
	for _, r := range f.receivers {
		for _, a := range f.archivers {
			eventually(t, time.Minute, a.name+" has the last lines of "+r.name, func() error {
				want, err := joined(r.journal)
				if err != nil {
					return err
				}
				got, err := joined(a.sub(r))
				if err == nil && !bytes.HasSuffix(got, want[len(want)-min(len(want), 10_000):]) {
					err = fmt.Errorf("%s ends otherwise", a.sub(r))
				}
				return err
			})
		}
	}
	for _, p := range f.processes() {
		p.end(t)
	}
	for _, a := range f.archivers {
		for _, r := range f.receivers {
			found := run(t, nil, program("hbjournal"), "verify", "--key", vkey, a.sub(r))
			for _, word := range []string{"pruned by the archive (journal_max_backups)", "\nsealed: "} {
				if !strings.Contains(found, word) {
					t.Errorf("%s: %q is not in\n%s", a.sub(r), word, found)
				}
			}
		}
	}
	wantChangeFound(t, vkey, f.archivers[1].sub(f.receivers[0]))
}

// wantChangeFound changes a digit in the oldest file, which is plain, and wants verify to say where.
func wantChangeFound(t testing.TB, vkey, dir string) {
	t.Helper()
	names, err := fileNames(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, names[0])
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndexByte(text, '}') - 2
	text[at] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := exec.CommandContext(t.Context(), program("hbjournal"), "verify", "--key", vkey, dir).CombinedOutput()
	if err == nil || !bytes.Contains(found, []byte("NOT as sealed")) || !bytes.Contains(found, []byte(names[0]+":")) {
		t.Errorf("a changed line is not found: %v\n%s", err, found)
	}
}
