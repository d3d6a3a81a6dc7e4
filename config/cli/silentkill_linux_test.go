package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// told is what 'silent -f' printed, over all its lives. It comes through a pipe, as it is read by people: an event is shorter
// than a pipe's atomic write, so no kill tears one.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *told) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// ids counts the events by their ids. What stands behind the last line end is on its way.
func (o *told) ids(t *testing.T) map[string]int {
	t.Helper()
	o.mu.Lock()
	text := bytes.Clone(o.text.Bytes())
	o.mu.Unlock()
	ids := map[string]int{}
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var event eventLine
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids[event.ID]++
	}
	return ids
}

// startTelling starts 'silent -f' on the journal in dir, which prints to out.
func startTelling(t *testing.T, dir, state string, out *told) (kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "hbjournal", "silent", "-f", "--state", state, dir)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = cmd.Process.Kill() // It may have ended.
		_ = cmd.Wait()         // It was killed.
	}
}

func TestAKillRepeatsOneEventAtMostAndForgetsNone(t *testing.T) {
	const kills, boots = 10, 1000 // Together fewer hosts than are told apart.
	dir := t.TempDir()
	out, state := &told{}, filepath.Join(t.TempDir(), "state")
	live, err := os.OpenFile(filepath.Join(dir, "messages.journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	write := func(from, to int) {
		var text strings.Builder
		for i := from; i < to; i++ {
			at := time.Now().UTC()
			fmt.Fprintf(&text, `{"timestamp":%d.%03d,"datetime":%q,"source_ip":"10.0.0.1","source_port":7,"message":{"ID":"HTB","name":"h%d","interval":3600,"boot":1}}`+"\n",
				at.Unix(), at.Nanosecond()/1e6, at.Format(journal.DatetimeLayout), i)
		}
		if _, err := live.WriteString(text.String()); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 1)
	kill := startTelling(t, dir, state, out)
	defer func() { kill() }()
	await := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !done(); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited a minute for %s", what)
			}
		}
	}
	await("the state", func() bool { text, _ := os.ReadFile(state); return bytes.Contains(text, []byte(`"begun":true`)) })
	for i := range kills {
		write(1+i*boots, 1+(i+1)*boots)
		before := len(out.ids(t))
		some := rand.IntN(boots)
		await("some events", func() bool { return len(out.ids(t)) >= min(before+some, 1+(i+1)*boots-1) })
		kill()
		kill = startTelling(t, dir, state, out)
	}
	await("all events", func() bool { return len(out.ids(t)) == kills*boots })
	kill()
	repeated := 0
	for id, n := range out.ids(t) {
		if n > 2 {
			t.Errorf("event %s was told %d times", id, n)
		}
		repeated += n - 1
	}
	if repeated > kills {
		t.Errorf("got %d events twice, want %d at most: one a kill", repeated, kills)
	}
	t.Logf("%d events, %d of them twice after %d kills", kills*boots, repeated, kills)
}
