package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal/read"
)

func TestProgressShowsHowMuchIsReadAndCleansUp(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"j", "j.20260328-120000.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 50_000), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	var screen bytes.Buffer
	bar := newProgress(Env{Stderr: &screen}, read.Options{Dir: dir, Base: "j"}, func() int64 { return 25_000 })
	bar.show()
	if screen.Len() > 0 {
		t.Errorf("got %q at once, want nothing in the first second", screen.String())
	}
	bar.appears = time.Now().Add(-time.Second)
	bar.show()
	if got := screen.String(); !strings.Contains(got, "25%") || !strings.Contains(got, "100 kB") {
		t.Errorf("got %q, want 25%% of 100 kB", got)
	}
	bar.finish()
	if got := screen.String(); !strings.HasSuffix(strings.TrimRight(got, " "), "\r") {
		t.Errorf("got %q, want the line emptied at the end", got)
	}
}

func TestProgressOfStandardInputKnowsNoEnd(t *testing.T) {
	if got := sizeOf(read.Options{Paths: []string{read.Stdin}}); got != -1 {
		t.Errorf("got size %d of standard input, want -1", got)
	}
}

func TestNoProgressOffATerminal(t *testing.T) {
	r := reading{selection: &selection{}, env: Env{Stderr: &bytes.Buffer{}, Stdout: &bytes.Buffer{}}, quiet: true}
	if bar := startProgress(&r); bar != nil {
		t.Error("got a bar where nobody watches")
	}
}
