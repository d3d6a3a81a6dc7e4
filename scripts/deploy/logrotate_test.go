package deploy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// rotated is a journal that a daemon writes in small files, and logrotate's stanza for it.
type rotated struct {
	program, addr, dir, stanza, state string
	sent                              int
}

// newRotated starts the daemon, and has the stanza look at its directory, by the rights of this user.
func newRotated(t *testing.T) *rotated {
	t.Helper()
	program(t, "logrotate")
	top := t.TempDir()
	r := &rotated{
		program: builtDaemon(t), addr: freeport.Must(t).Addr(),
		dir: filepath.Join(top, "journal"), stanza: filepath.Join(top, "stanza"), state: filepath.Join(top, "state"),
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	stanza := text(t, "logrotate/hbjournal")
	for from, to := range map[string]string{"/var/log/heartbeat": r.dir, "su hbjournal hbjournal": "su " + me.Username + " " + group.Name} {
		if !strings.Contains(stanza, from) {
			t.Fatalf("got no %q in the stanza", from)
		}
		stanza = strings.ReplaceAll(stanza, from, to)
	}
	place(t, r.stanza, []byte(stanza), 0o644)
	r.serve(t)
	return r
}

// serve runs the daemon until the test ends. It keeps two backups, so that what it takes for its own goes soon.
func (r *rotated) serve(t *testing.T) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(r.program, "serve")
	cmd.Env = []string{
		"JOURNAL_DIR=" + r.dir, "LISTEN_ADDR=" + r.addr, "HTTP_ADDR=off", "HOME=" + t.TempDir(),
		"JOURNAL_MAX_SIZE=2000", "JOURNAL_MAX_BACKUPS=2",
	}
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the daemon ended with %v; its log:\n%s", err, &log)
		}
	})
	r.until(t, "the daemon has made its file", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, "messages.journal"))
		return err == nil
	})
}

func (r *rotated) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); !done(); {
		select {
		case <-ctx.Done():
			t.Fatalf("waited a minute in vain until %s", what)
		case <-tick:
		}
	}
}

// send sends numbered messages, and waits until the last one is in the live file or a backup.
func (r *rotated) send(t *testing.T, n int) {
	t.Helper()
	for range n {
		message := fmt.Sprintf(`{"ID":"HTB","name":"web1","n":%d,"pad":%q}`, r.sent, strings.Repeat("x", 60))
		run(t, r.program, "send", "--to", r.addr, message)
		r.sent++
	}
	last := fmt.Sprintf(`"n":%d,`, r.sent-1)
	r.until(t, "the last message is written", func() bool { return strings.Contains(r.query(t), last) })
}

// query is what the program reads of the whole journal.
func (r *rotated) query(t *testing.T) string {
	t.Helper()
	return run(t, r.program, "query", "--journal-dir", r.dir)
}

// logrotate runs it as cron does, as if its last run had been two days ago.
func (r *rotated) logrotate(t *testing.T, options ...string) string {
	t.Helper()
	if b, err := os.ReadFile(r.state); err == nil {
		old := time.Now().AddDate(0, 0, -2).Format("2006-1-2-15:4:5")
		place(t, r.state, regexp.MustCompile(`(?m)" \d+-.*$`).ReplaceAll(b, []byte(`" `+old)), 0o640)
	}
	return run(t, "logrotate", append(options, "--state", r.state, r.stanza)...)
}

// files counts those of the journal: backups that are the daemon's, and those that were logrotate's.
func (r *rotated) files(t *testing.T) (own, taken []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(r.dir, "messages.journal.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		switch {
		case regexp.MustCompile(`\.\d{8}-\d{6}$`).MatchString(path):
			own = append(own, path)
		case regexp.MustCompile(`\.\d{8}-\d{6}\.1\.gz$`).MatchString(path):
			taken = append(taken, path)
		default:
			t.Errorf("got %s, want backups, and what logrotate makes of them once", path)
		}
	}
	return own, taken
}

func TestLogrotateUnderstandsTheStanza(t *testing.T) {
	r := newRotated(t)
	r.send(t, 30)
	out := r.logrotate(t, "--debug")
	if strings.Contains(strings.ToLower(out), "error") || !strings.Contains(out, "after 1 days (30 rotations)") || !strings.Contains(out, "considering log "+r.dir) {
		t.Errorf("logrotate --debug: got\n%s, want it to consider the backups, without an error", out)
	}
	if strings.Contains(out, "considering log "+filepath.Join(r.dir, "messages.journal")+"\n") {
		t.Errorf("logrotate --debug: got\n%s, want it to leave the live file alone", out)
	}
}

// TestLogrotateTakesBackupsOverAndNothingIsLost is what the stanza's comments promise, while the daemon writes.
func TestLogrotateTakesBackupsOverAndNothingIsLost(t *testing.T) {
	r := newRotated(t)
	if out := r.logrotate(t); out != "" {
		t.Errorf("without a backup: got %q, want no word", out)
	}
	r.send(t, 30)
	own, _ := r.files(t)
	if len(own) != 2 {
		t.Fatalf("got backups %v, want the two that the daemon keeps", own)
	}
	before := r.query(t)
	r.logrotate(t) // sees them for the first time
	if _, taken := r.files(t); len(taken) > 0 {
		t.Errorf("at first sight: got %v taken over, want it a day later", taken)
	}
	for range 2 { // The second time there is nothing left to do.
		r.logrotate(t)
		if left, taken := r.files(t); len(left) > 0 || len(taken) != 2 {
			t.Errorf("a day later: got backups %v and %v, want all taken over and compressed", left, taken)
		}
	}
	if after := r.query(t); after != before {
		t.Errorf("got the journal\n%swant what it was\n%s", after, before)
	}

	r.send(t, 30) // The daemon makes new backups, and removes old ones of its own.
	own, taken := r.files(t)
	if len(own) != 2 || len(taken) != 2 || !strings.Contains(r.query(t), strings.SplitN(before, "\n", 2)[0]) {
		t.Errorf("got backups %v, and %v of logrotate's, want two of each, and all of it read", own, taken)
	}
	run(t, r.program, "verify", "--journal-dir", r.dir)

	old := time.Now().AddDate(0, 0, -31)
	if err := os.Chtimes(taken[0], old, old); err != nil {
		t.Fatal(err)
	}
	r.logrotate(t) // sees the new ones
	if _, got := r.files(t); len(got) != 2 {
		t.Errorf("on a day without a backup to take over: got %v, want both still there", got)
	}
	r.logrotate(t)
	if left, got := r.files(t); len(left) > 0 || len(got) != 3 || got[0] != taken[1] {
		t.Errorf("thirty days later: got %v and %v, want %s gone and the others there", left, got, taken[0])
	}
}
