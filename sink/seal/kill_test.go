package seal_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/names"
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
	keyFile, vkey := newKeyFile(t)
	journal := filepath.Join(t.TempDir(), "journal")
	last := int64(0)
	var outside []seal.Outside
	for i := range repeats(t, "SEAL_KILLS", 10) {
		kill(t, journal, keyFile, time.Duration(rand.IntN(120))*time.Millisecond)
		v := verify(t, journal, vkey, timeless, func(o *seal.VerifyOptions) { o.Checkpoints = outside })
		if len(v.Faults) > 0 || v.Origin != origin || v.Sealed < last {
			t.Fatalf("kill %d: %d lines after %d\n%s", i+1, v.Sealed, last, texts(v))
		}
		last = v.Sealed
		// What was published once is proved for ever, also when its lines are pruned.
		kept, err := seal.ReadCheckpoints(filepath.Join(seal.DirOf(filepath.Join(journal, "."+base+".d")), "checkpoints"))
		if err != nil {
			t.Fatal(err)
		}
		outside = kept[max(0, len(kept)-2) : len(kept)-1] // The last one may just have been written when it was killed.
	}
	if last < 100 {
		t.Errorf("only %d lines were sealed", last)
	}
}

// kill runs a journal for a while, and kills it.
func kill(t *testing.T, dir, keyFile string, after time.Duration, environ ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(append(os.Environ(), "SEAL_VICTIM="+dir, "SEAL_KEY="+keyFile), environ...)
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

// timeless keeps the age of what is not sealed out of a verdict: the machine may be slow.
func timeless(o *seal.VerifyOptions) { o.Now = func() time.Time { return time.Unix(0, 0) } }

// newKeyFile makes a key in a file.
func newKeyFile(t *testing.T) (path, vkey string) {
	t.Helper()
	secret, vkey, err := seal.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, vkey
}

// TestPowerCutsNeverForkNorAlarm drops what was not synced when a process was killed: of the journal all behind the last
// checkpoint, at any byte, and of what can be made anew any part at all.
func TestPowerCutsNeverForkNorAlarm(t *testing.T) {
	keyFile, vkey := newKeyFile(t)
	dir := filepath.Join(t.TempDir(), "journal")
	last := int64(0)
	for i := range repeats(t, "SEAL_CUTS", 5) {
		kill(t, dir, keyFile, time.Duration(rand.IntN(80))*time.Millisecond, "SEAL_KEEP=1")
		v := verify(t, dir, vkey, timeless)
		dropUnsynced(t, dir, v.Sealed)
		after := verify(t, dir, vkey, timeless)
		if len(v.Faults) > 0 || len(after.Faults) > 0 || after.Origin != origin || after.Sealed < last {
			t.Fatalf("cut %d: %s\n%s", i+1, texts(v), texts(after))
		}
		last = after.Sealed
	}
	// What follows must not have left the tree.
	kill(t, dir, keyFile, 50*time.Millisecond, "SEAL_KEEP=1")
	if v := verify(t, dir, vkey, timeless); len(v.Faults) > 0 || v.Origin != origin || v.Sealed < last {
		t.Fatalf("got %s", texts(v))
	}
}

// dropUnsynced cuts the journal somewhere behind its first lines, and what helps the seal anywhere.
func dropUnsynced(t *testing.T, dir string, sealed int64) {
	t.Helper()
	files, err := names.Files(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	left := sealed
	for _, f := range files {
		text := readText(t, f.Path)
		lines := int64(bytes.Count(text, []byte("\n")))
		if lines <= left {
			left -= lines
			continue
		}
		keep := 0
		for range left {
			keep += bytes.IndexByte(text[keep:], '\n') + 1
		}
		left = 0
		if err := os.Truncate(f.Path, int64(keep+rand.IntN(len(text)-keep+1))); err != nil {
			t.Fatal(err)
		}
	}
	state := seal.DirOf(filepath.Join(dir, "."+base+".d"))
	for _, name := range []string{"files", "tiles.1", "tiles.2", "checkpoints"} {
		cutSomewhere(t, filepath.Join(state, name))
	}
	for _, sub := range []string{"leaves", "edges"} {
		entries, _ := os.ReadDir(filepath.Join(state, sub))
		for _, e := range entries {
			cutSomewhere(t, filepath.Join(state, sub, e.Name()))
		}
	}
}

// cutSomewhere cuts a file, in half of the cases.
func cutSomewhere(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 || rand.IntN(2) == 0 {
		return
	}
	if err := os.Truncate(path, rand.Int64N(info.Size())); err != nil {
		t.Fatal(err)
	}
}
