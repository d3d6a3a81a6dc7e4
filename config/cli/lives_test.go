package cli

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lived makes the file that says in which spans the daemon of a journal lived.
func lived(t *testing.T, dir, base string, spans ...[2]time.Time) {
	t.Helper()
	var text strings.Builder
	for _, s := range spans {
		line := fmt.Sprintf("%012d.000 %012d.000 ended ", s[0].Unix(), s[1].Unix())
		fmt.Fprintf(&text, "%s%08x\n", line, crc32.ChecksumIEEE([]byte(line)))
	}
	state := filepath.Join(dir, "."+base+".d")
	if err := os.MkdirAll(state, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "life"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTwoJournalsInOneDirectoryAreJudgedEachByTheLifeOfItsDaemon(t *testing.T) {
	dir := t.TempDir()
	noon := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for base, host := range map[string]string{"a.journal": "web1", "b.journal": "db1"} {
		line := fmt.Sprintf(`{"timestamp":%d.000,"datetime":"2026-03-28T12:00:00","source_ip":"10.0.0.1","source_port":5,"message":{"ID":"HTB","name":%q,"interval":30}}`+"\n", noon.Unix(), host)
		if err := os.WriteFile(filepath.Join(dir, base), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lived(t, dir, "a.journal", [2]time.Time{at(-60), at(10)})
	lived(t, dir, "b.journal", [2]time.Time{at(-60), at(0)}, [2]time.Time{at(20), at(30)})
	f := func(want ...string) {
		t.Helper()
		var out, faults bytes.Buffer
		args := []string{"hosts", "--until", "2026-03-28T12:05:00Z", filepath.Join(dir, "a.journal"), filepath.Join(dir, "b.journal")}
		code := Run(t.Context(), args, Env{Stdout: &out, Stderr: &faults, Environ: []string{"HOME=" + dir}})
		if code != 0 || faults.Len() > 0 {
			t.Fatalf("got exit code %d, %s", code, &faults)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("got no %q:\n%s", text, &out)
			}
		}
	}
	f("web1  a.journal  SILENT ", "db1   b.journal  UNKNOWN ")
	lived(t, dir, "a.journal", [2]time.Time{at(-60), at(0)}, [2]time.Time{at(20), at(30)})
	lived(t, dir, "b.journal", [2]time.Time{at(-60), at(10)})
	f("web1  a.journal  UNKNOWN ", "db1   b.journal  SILENT ")
}
