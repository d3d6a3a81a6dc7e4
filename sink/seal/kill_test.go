package seal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
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
	dir := filepath.Join(t.TempDir(), "journal")
	last := int64(0)
	var outside []seal.Outside
	for i := range repeats(t, "SEAL_KILLS", 10) {
		kill(t, dir, keyFile, time.Duration(rand.IntN(120))*time.Millisecond)
		v := verify(t, dir, vkey, timeless, func(o *seal.VerifyOptions) { o.Checkpoints = outside })
		if len(v.Faults) > 0 || v.Origin != origin || v.Sealed < last {
			t.Fatalf("kill %d: %d lines after %d\n%s", i+1, v.Sealed, last, texts(v))
		}
		last = v.Sealed
		wantTailOfOneLife(t, dir, v.Tail)
		// What was published once is proved for ever, also when its lines are pruned.
		kept, err := seal.ReadCheckpoints(filepath.Join(seal.DirOf(filepath.Join(dir, "."+base+".d")), "checkpoints"), verifierOf(t, vkey))
		if err != nil {
			t.Fatal(err)
		}
		outside = kept[max(0, len(kept)-2) : len(kept)-1] // The last one may just have been written when it was killed.
	}
	if last < 100 {
		t.Errorf("only %d lines were sealed", last)
	}
}

// TestKillsAtEachStepNeverForkNorAlarm kills after each step of sealing, the first time that it is taken or a later one: 20 times
// each in a soak.
func TestKillsAtEachStepNeverForkNorAlarm(t *testing.T) {
	keyFile, vkey := newKeyFile(t)
	for _, step := range seal.Steps {
		t.Run(step, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			last := int64(0)
			for i := range repeats(t, "SEAL_STEPS", 2) {
				n := 1 + i*rand.IntN(6)
				if step == "noted" {
					n = 2 // The first comes before the journal is open; there are few.
				}
				if step == "found" || step == "taken" {
					n = 1 // Once in a life.
					kill(t, dir, keyFile, 20*time.Millisecond)
				}
				if !killAt(t, dir, keyFile, fmt.Sprint(step, " ", n)) {
					t.Fatalf("the step was not taken %d times", n)
				}
				published, err := seal.ReadCheckpoints(dir+".checkpoints", verifierOf(t, vkey))
				if info, errFile := os.Stat(dir + ".checkpoints"); err != nil && errFile == nil && info.Size() > 0 {
					t.Fatal(err)
				}
				v := verify(t, dir, vkey, timeless, func(o *seal.VerifyOptions) { o.Checkpoints = published })
				if len(v.Faults) > 0 || v.Origin != origin || v.Sealed < last {
					t.Fatalf("kill %d: %d lines after %d\n%s", i+1, v.Sealed, last, texts(v))
				}
				last = v.Sealed
				wantTailOfOneLife(t, dir, v.Tail)
			}
		})
	}
}

// TestKillsInABreakStillBreakOnce takes away what is sealed, and kills the start that finds that: the break is one, and the next tree
// goes on.
func TestKillsInABreakStillBreakOnce(t *testing.T) {
	keyFile, vkey := newKeyFile(t)
	for _, step := range seal.StepsOfABreak {
		for range repeats(t, "SEAL_STEPS", 2) {
			dir := filepath.Join(t.TempDir(), "journal")
			if !killAt(t, dir, keyFile, "durable 5") {
				t.Fatal("no five checkpoints")
			}
			files, err := names.Files(dir, base)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if err := os.Remove(f.Path); err != nil {
					t.Fatal(err)
				}
			}
			if !killAt(t, dir, keyFile, step+" 1") || step == "aside" && !killAt(t, dir, keyFile, step+" 1") {
				t.Fatalf("the step %s was not taken", step)
			}
			kill(t, dir, keyFile, 100*time.Millisecond)
			if !killAt(t, dir, keyFile, "durable 3") {
				t.Fatal("it seals no more")
			}
			v := verify(t, dir, vkey, timeless)
			if len(v.Faults) != 1 || v.Origin != origin+"/2" || !strings.Contains(texts(v), "the seal was broken") {
				t.Fatalf("killed %s: %s\n%s", step, v.Origin, texts(v))
			}
		}
	}
}

// wantTailOfOneLife wants the lines that are not sealed to be those of one process, from its last moments: what one before it has
// left is under a checkpoint before another line is written.
func wantTailOfOneLife(t *testing.T, dir string, tail int64) {
	t.Helper()
	const most = 2 * time.Second // The cadence is some milliseconds; a busy machine takes longer.
	var lines [][]byte
	files, err := names.Files(dir, base)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		lines = append(lines, slices.Collect(bytes.Lines(readText(t, f.Path)))...)
	}
	lives := map[string]bool{}
	var first, last int64
	for _, line := range lines[int64(len(lines))-tail:] {
		entry, err := journal.ParseLine(bytes.TrimSuffix(line, []byte("\n")))
		var m struct{ PID *int }
		if err != nil || json.Unmarshal(entry.Message, &m) != nil || m.PID == nil {
			continue // A note, or torn.
		}
		lives[strconv.Itoa(*m.PID)] = true
		last = entry.Millis
		if first == 0 {
			first = last
		}
	}
	if span := time.Duration(last-first) * time.Millisecond; len(lives) > 1 || span > most {
		t.Fatalf("%d lines of %d lives over %v are not sealed", tail, len(lives), span)
	}
}

// kill runs a journal for a while, and kills it.
func kill(t *testing.T, dir, keyFile string, after time.Duration, environ ...string) {
	t.Helper()
	cmd, errs := victim(t, dir, keyFile, environ...)
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

// killAt runs a journal until it kills itself at a step; false: it did not within a minute, which a disk that others use may take for some.
func killAt(t *testing.T, dir, keyFile, step string) bool {
	t.Helper()
	cmd, errs := victim(t, dir, keyFile, "SEAL_KILL_AT="+step)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Signal(os.Interrupt) })
	err := cmd.Wait()
	if errs.Len() > 0 {
		t.Fatalf("the journal ended by itself: %v: %s", err, errs.String())
	}
	return late.Stop()
}

func victim(t *testing.T, dir, keyFile string, environ ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(append(os.Environ(), "SEAL_VICTIM="+dir, "SEAL_KEY="+keyFile), environ...)
	errs := &strings.Builder{}
	cmd.Stderr = errs
	return cmd, errs
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
