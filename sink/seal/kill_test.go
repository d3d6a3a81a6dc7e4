package seal_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/seal"
)

// repeats is how often something random is done: few times here, and as often as the environment says in a soak.
func repeats(t *testing.T, variable string, few int) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return few
}

func TestKillsAtRandomNeverForkNorAlarm(t *testing.T) {
	dir := t.TempDir()
	secret, vkey, err := seal.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir, "journal")
	last := int64(0)
	var outside []seal.Outside
	for i := range repeats(t, "SEAL_KILLS", 10) {
		kill(t, journal, keyFile, time.Duration(rand.IntN(120))*time.Millisecond)
		v := verify(t, journal, vkey, func(o *seal.VerifyOptions) { o.Checkpoints = outside })
		if len(v.Faults) > 0 || v.Origin != origin || v.Sealed < last {
			t.Fatalf("kill %d: %d lines after %d\n%s", i+1, v.Sealed, last, texts(v))
		}
		last = v.Sealed
		note, err := os.ReadFile(filepath.Join(seal.DirOf(filepath.Join(journal, "."+base+".d")), "checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		outside = []seal.Outside{{Name: "before", Note: note}}
	}
	if last < 100 {
		t.Errorf("only %d lines were sealed", last)
	}
}

// kill runs a journal for a while, and kills it.
func kill(t *testing.T, dir, keyFile string, after time.Duration) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "SEAL_VICTIM="+dir, "SEAL_KEY="+keyFile)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var word [4]byte
	if _, err := out.Read(word[:]); err != nil {
		t.Fatalf("the journal does not open: %v: %s", err, errs.String())
	}
	<-time.After(after)
	cmd.Process.Kill()
	cmd.Wait()
	if errs.Len() > 0 {
		t.Fatalf("the journal ended by itself: %s", errs.String())
	}
}
