package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestWhatNobodyHasIsTheSameGapInBothArchives takes the engine away from a receiver that may keep little. What it had to prune is a gap
// entry in both archives, which are the same to the byte, and the rest of the lines is there.
func TestWhatNobodyHasIsTheSameGapInBothArchives(t *testing.T) {
	f := newFleet(t, plan{environ: []string{
		"FORWARD_HOLD=300KB", "JOURNAL_MAX_SIZE=100KB", "JOURNAL_MAX_BACKUPS=2", "JOURNAL_COMPRESS=none",
	}})
	stop := f.send(t, 1000)
	goOn(t, 2*time.Second)
	for _, s := range f.cluster.servers {
		s.kill()
	}
	goOn(t, 5*time.Second)
	for _, s := range f.cluster.servers {
		s.start(t)
	}
	f.cluster.wantReady(t)
	goOn(t, 2*time.Second)
	stop()
	one, other := f.archivers[0], f.archivers[1]
	for _, r := range f.receivers {
		var got, tail []byte
		eventually(t, 2*time.Minute, "the archives have the last lines of "+r.name, func() (err error) {
			if tail, err = joined(r.journal); err != nil {
				return err
			}
			if got, err = joined(one.sub(r)); err != nil {
				return err
			}
			if !bytes.HasSuffix(got, tail[len(tail)/2:]) {
				return fmt.Errorf("%s ends otherwise", one.sub(r))
			}
			return differ(one.sub(r), other.sub(r))
		})
		wantGap(t, got)
	}
	for _, p := range f.processes() {
		p.end(t)
	}
	for _, a := range f.archivers {
		run(t, nil, program("hbjournal"), "verify", a.journals)
	}
}

// wantGap checks that as many lines are missing as the gap entries of the archive tell. The load is numbered.
func wantGap(t testing.TB, text []byte) {
	t.Helper()
	lost, missing, next := 0, 0, -1
	for line := range bytes.Lines(text) {
		var entry struct {
			Message struct {
				ID, Event, Reason string
				Lost              int
				N                 *int
			}
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		switch m := entry.Message; {
		case m.ID == "JRN" && m.Event == "gap" && m.Reason == "pruned": // The receiver's own say "forward", of the same lines.
			lost += m.Lost
			t.Logf("%s", bytes.TrimSpace(line))
		case m.N != nil && next < 0:
			next = *m.N + 1
		case m.N != nil:
			missing += *m.N - next
			next = *m.N + 1
		}
	}
	// Among the lost ones are notes of the receiver's own: that it pruned what was not sent.
	if missing == 0 || lost < missing || lost > missing+100 {
		t.Errorf("%d lines are missing, and the gaps tell of %d", missing, lost)
	}
}
