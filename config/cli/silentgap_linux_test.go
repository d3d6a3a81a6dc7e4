package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// heldUp is a source of a process that is stopped in its first reading, and finds something in the next.
type heldUp struct {
	read.Source
	readings int
}

func (h *heldUp) Read(ctx context.Context, _ *read.Block) error {
	if h.readings++; h.readings > 1 {
		return nil
	}
	<-time.After(3 * tick)
	return ctx.Err()
}

func TestWhatCameWhileTheProcessWasStoppedIsReadBeforeAnybodyIsJudged(t *testing.T) {
	h := &heldUp{}
	s := &readySource{Source: h, now: time.Now}
	if err := s.Read(t.Context(), &read.Block{}); err != nil || h.readings != 2 {
		t.Errorf("got %v after %d readings, want what the second one found", err, h.readings)
	}
}

// beat writes a heartbeat of now, of a host that promises the next one within so many seconds.
func beat(t *testing.T, dir, name string, interval int) {
	t.Helper()
	at := time.Now().UTC()
	file, err := os.OpenFile(filepath.Join(dir, "messages.journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(file, `{"timestamp":%d.%03d,"datetime":%q,"source_ip":"10.0.0.1","source_port":7,"message":{"ID":"HTB","name":%q,"interval":%d}}`+"\n",
			at.Unix(), at.Nanosecond()/1e6, at.Format(journal.DatetimeLayout), name, interval)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until something holds, and does do meanwhile.
func until(t *testing.T, what string, holds func() bool, do func()) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
		do()
	}
}

func begun(state string) func() bool {
	return func() bool { text, _ := os.ReadFile(state); return bytes.Contains(text, []byte(`"begun":true`)) }
}

func TestAHostThatCameToAnEmptyJournalIsNotForgottenByARestart(t *testing.T) {
	dir, state, out := t.TempDir(), filepath.Join(t.TempDir(), "state"), &told{}
	if err := os.WriteFile(filepath.Join(dir, "messages.journal"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kill := startTelling(t, dir, state, out)
	until(t, "the state", begun(state), func() {})
	beat(t, dir, "web1", 1)
	kill()
	kill = startTelling(t, dir, state, out)
	defer kill()
	until(t, "word that web1 is silent", func() bool { return len(out.ids(t)) >= 1 }, func() {})
}

func TestTheHostsOfAReceiverThatJoinedDuringARestartAreTold(t *testing.T) {
	dir, state, out := t.TempDir(), filepath.Join(t.TempDir(), "state"), &told{}
	receiver := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	beat(t, receiver("rx1"), "web1", 1)
	kill := startTelling(t, dir, state, out)
	until(t, "word that web1 is silent", func() bool { return len(out.ids(t)) == 1 }, func() {})
	kill()
	beat(t, receiver("rx2"), "db1", 1)
	kill = startTelling(t, dir, state, out)
	defer kill()
	until(t, "word that db1 is silent", func() bool { return len(out.ids(t)) == 2 }, func() {})
}

func TestAHostThatFallsSilentInABusyJournalIsTold(t *testing.T) {
	dir, state, out := t.TempDir(), filepath.Join(t.TempDir(), "state"), &told{}
	busy := func() { beat(t, dir, "web2", 1) }
	beat(t, dir, "web1", 1)
	kill := startTelling(t, dir, state, out)
	defer kill()
	until(t, "word that web1 is silent", func() bool { return len(out.ids(t)) >= 1 }, busy)
	until(t, "word that it is back", func() bool { return len(out.ids(t)) >= 2 }, func() { beat(t, dir, "web1", 1); busy() })
	until(t, "word that it is silent again", func() bool { return len(out.ids(t)) >= 3 }, busy)
}

func TestWhatWasPrunedBeforeItWasReadSilencesNobody(t *testing.T) {
	dir, state, out := t.TempDir(), filepath.Join(t.TempDir(), "state"), &told{}
	live := filepath.Join(dir, "messages.journal")
	beat(t, dir, "web1", 3)
	kill := startTelling(t, dir, state, out)
	until(t, "the state", begun(state), func() { beat(t, dir, "web1", 3) })
	kill()
	if err := os.Remove(live); err != nil { // As pruning does with a backup.
		t.Fatal(err)
	}
	later := time.Now().Add(6 * time.Second)
	until(t, "time to pass", func() bool { return time.Now().After(later) }, func() {})
	beat(t, dir, "web1", 3)
	kill = startTelling(t, dir, state, out)
	defer func() { kill() }()
	later = time.Now().Add(3 * time.Second)
	until(t, "time to pass", func() bool { return time.Now().After(later) }, func() { beat(t, dir, "web1", 3) })
	if out.mu.Lock(); out.text.Len() > 0 {
		t.Errorf("got %q of a host that beat all the time, want nothing", strings.TrimSpace(out.text.String()))
	}
	out.mu.Unlock()
	until(t, "word that web1 is silent", func() bool { return len(out.ids(t)) > 0 }, func() {})
}
