package read

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"hbjournal/sink/rotate"
)

// TestFollowAndReadWhileLogrotateItselfRotates has Debian's program rotate the file that the journal is written to.
func TestFollowAndReadWhileLogrotateItselfRotates(t *testing.T) {
	program, err := exec.LookPath("logrotate")
	if err != nil {
		t.Skip("needs logrotate")
	}
	for name, options := range map[string]string{
		"numbers":                "",
		"numbers, compressed":    "compress",
		"numbers, delayed":       "compress\ndelaycompress",
		"numbers from 0, bzip2":  "start 0\ncompress\ncompresscmd bzip2\ncompressext .bz2",
		"dates":                  "dateext\ndateformat -%Y%m%d-%s",
		"dates, compressed":      "dateext\ndateformat -%Y%m%d%H%M%S\ncompress",
		"dates, delayed":         "dateext\ndateformat .%Y-%m-%d-%s\ncompress\ndelaycompress",
		"dates before extension": "dateext\ndateformat -%s\nextension .journal\ncompress",
	} {
		t.Run(name, func(t *testing.T) {
			dir, conf := t.TempDir(), filepath.Join(t.TempDir(), "conf")
			live := filepath.Join(dir, base)
			write(t, conf, fmt.Appendf(nil, "%s {\nrotate 1000\nnocreate\nmissingok\n%s\n}\n", live, options))
			if err := exec.CommandContext(t.Context(), "chmod", "600", conf).Run(); err != nil {
				t.Fatal(err)
			}
			w, err := rotate.Open(rotate.Options{Dir: dir, Name: base, MaxBackups: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			f, _ := follow(t, dir, Cursor{})
			const rounds, entries = 12, 40
			n := 0
			for range rounds {
				for end := n + entries; n < end; n++ {
					if _, err := w.Write(entryLine(n)); err != nil {
						t.Fatal(err)
					}
				}
				out, err := exec.CommandContext(t.Context(), program, "-f", "-s", conf+".state", conf).CombinedOutput()
				if err != nil {
					t.Fatalf("logrotate: %v\n%s", err, out)
				}
				anotherDay(t, dir, n)
				if n == rounds/2*entries {
					if err := w.Rotate("request"); err != nil { // One of our own among them.
						t.Fatal(err)
					}
				}
			}
			f.want(t, 0, n)
			f.wantNoMore(t)
			if faults := bothWays(t, Options{Dir: dir, Base: base}, n); len(faults) > 0 {
				t.Errorf("got faults %v, want none", faults)
			}
			rotated, err := filepath.Glob(filepath.Join(dir, "*[0-9]*"))
			if err != nil || len(rotated) < 2 {
				t.Errorf("got files %v and error %v, want some that were rotated", rotated, err)
			}
		})
	}
}

// anotherDay gives the files that have a date in their names others, as if that of the next rotation were not the same one:
// logrotate overwrites nothing.
func anotherDay(t *testing.T, dir string, n int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	dated := regexp.MustCompile(`^([^_]*[0-9]{10})(\D.*)?$`)
	for _, e := range entries {
		if m := dated.FindStringSubmatch(e.Name()); m != nil {
			rename(t, filepath.Join(dir, e.Name()), filepath.Join(dir, fmt.Sprintf("%s_%d%s", m[1], n, m[2])))
		}
	}
}
