package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/config/cli/status"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// logLine is one line of the daemon's log, as far as tests look at it.
type logLine struct {
	Message  string
	Addr     string
	Level    string
	Received uint64
	Missing  int64
}

// logLines parses a log of JSON lines.
func logLines(t *testing.T, log string) []logLine {
	t.Helper()
	var lines []logLine
	for text := range strings.Lines(log) {
		var line logLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// addrOf is the address in the first log line with message.
func addrOf(t *testing.T, log, message string) string {
	t.Helper()
	for _, line := range logLines(t, log) {
		if line.Message == message {
			return line.Addr
		}
	}
	return ""
}

// eventually waits for a condition that others bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain: " + what)
		}
	}
}

// served is a daemon that runs in this process.
type served struct {
	dir  string
	udp  string
	http string
	log  *lockedBuffer
	stop func() (code int)
}

func serveInProcess(t *testing.T, environ ...string) *served {
	t.Helper()
	s := &served{dir: filepath.Join(t.TempDir(), "journal"), log: new(lockedBuffer)}
	environ = append([]string{
		"JOURNAL_DIR=" + s.dir, "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "HOME=" + t.TempDir(),
	}, environ...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, []string{"serve"}, Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: s.log, Environ: environ})
	}()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-done
	})
	t.Cleanup(func() { s.stop() })
	eventually(t, "the daemon serves", func() bool { return strings.Contains(s.log.String(), `"message":"journal opened"`) })
	s.udp = addrOf(t, s.log.String(), "listening for journal messages")
	s.http = addrOf(t, s.log.String(), "status is served over HTTP")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s
}

// get asks one of the status paths.
func (s *served) get(t *testing.T, path string) (code int, body []byte) {
	t.Helper()
	resp, err := http.Get("http://" + s.http + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func (s *served) stats(t *testing.T) status.Snapshot {
	t.Helper()
	var snapshot status.Snapshot
	_, body := s.get(t, "/stats")
	if err := json.Unmarshal(body, &snapshot); err != nil {
		t.Fatalf("GET /stats: %v in %s", err, body)
	}
	return snapshot
}

func TestLedgerAddsUpWhileMessagesPourIn(t *testing.T) {
	const count = 30_000
	s := serveInProcess(t, "JOURNAL_MAX_SIZE=200000", "JOURNAL_MAX_BACKUPS=0", "JOURNAL_FSYNC=never")
	sent := make(chan outcome)
	go func() {
		sent <- run(t, nil, "send", "--to", s.udp, "--mix", "--count", fmt.Sprint(count), "--rate", "20000")
	}()
	looks := 0
	for sending := true; sending; looks++ {
		select {
		case o := <-sent:
			o.want(t, exitDone)
			sending = false
		default:
		}
		snapshot := s.stats(t)
		if missing := snapshot.Ledger.Missing(); missing != 0 {
			t.Fatalf("look %d: %d are missing in %+v", looks, missing, snapshot.Ledger)
		}
	}
	eventually(t, "all is accounted for", func() bool {
		l := s.stats(t).Ledger
		return l.Received+l.Kernel == count && l.Queued == 0
	})
	if code := s.stop(); code != exitDone {
		t.Errorf("exit code: got %d, want 0", code)
	}
	lines := logLines(t, s.log.String())
	last := lines[len(lines)-1]
	if last.Message != "journal stopped" || last.Missing != 0 || last.Received == 0 {
		t.Errorf("last line of the log: got %+v, want the ledger with nothing missing", last)
	}
	t.Logf("the ledger added up at each of %d looks", looks)
}

func TestAllFourPathsTellOfAFault(t *testing.T) {
	s := serveInProcess(t)
	live := filepath.Join(s.dir, "messages.journal")
	if err := os.Remove(live); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(live, 0o750); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "send", "--to", s.udp, `{"ID":"HTB"}`).want(t, exitDone)
	eventually(t, "the daemon is not ready", func() bool { code, _ := s.get(t, "/readyz"); return code == 503 })
	if _, body := s.get(t, "/readyz"); !strings.Contains(string(body), "it is a directory") {
		t.Errorf("GET /readyz: got %q, want the reason", body)
	}
	if code, _ := s.get(t, "/healthz"); code != 200 {
		t.Errorf("GET /healthz: got %d, want 200", code)
	}
	if _, body := s.get(t, "/metrics"); !strings.Contains(string(body), `journal_degraded{cause="write"} 1`) {
		t.Error("GET /metrics does not tell of the fault")
	}
	if s.stats(t).Degraded["write"] == "" {
		t.Error("GET /stats does not tell of the fault")
	}
	if err := os.Remove(live); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon is ready again", func() bool { code, _ := s.get(t, "/readyz"); return code == 200 })
	eventually(t, "the message is written", func() bool { return s.stats(t).Entries == 1 })
}

func TestStatusAddressInUseStopsTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	environ := []string{"JOURNAL_DIR=" + t.TempDir(), "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=" + taken.Addr().String()}
	run(t, environ, "serve").want(t, exitFailed, "serve status", "address already in use", "HTTP_ADDR=off")
}

func TestStatusCanBeTurnedOff(t *testing.T) {
	for _, off := range []string{"--http-addr=", "--http-addr=off"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var log bytes.Buffer
		env := Env{Stdout: io.Discard, Stderr: &log, Environ: []string{"JOURNAL_DIR=" + t.TempDir(), "LISTEN_ADDR=127.0.0.1:0"}}
		if code := Run(ctx, []string{"serve", off}, env); code != exitDone || strings.Contains(log.String(), "over HTTP") {
			t.Errorf("%s: got exit code %d and log %s", off, code, log.String())
		}
	}
}

func TestRefusedSourcesAreInTheLedger(t *testing.T) {
	for name, c := range map[string]struct {
		setting string
		why     string
		taken   uint64
	}{
		"allow_from": {"ALLOW_FROM=192.0.2.0/24", "source", 0},
		"rate_limit": {"RATE_LIMIT=3", "rate", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveInProcess(t, c.setting)
			run(t, nil, "send", "--to", s.udp, "--count", "20", `{"ID":"HTB"}`).want(t, exitDone)
			eventually(t, "all are received", func() bool { return s.stats(t).Ledger.Received == 20 })
			l := s.stats(t).Ledger
			if l.Journaled+l.Queued != c.taken || l.Limited[c.why] != 20-c.taken || l.Missing() != 0 {
				t.Errorf("ledger: got %+v, want %d taken and the rest refused", l, c.taken)
			}
		})
	}
}

func TestFilteredAndDuplicateMessagesAreInTheLedger(t *testing.T) {
	s := serveInProcess(t, "FILTER_EXCLUDE=ID=HTB", "DEDUP_WINDOW=100ms")
	for _, message := range []string{`{"ID":"HTB"}`, `{"ID":"PLG"}`} {
		run(t, nil, "send", "--to", s.udp, "--count", "20", message).want(t, exitDone)
	}
	eventually(t, "all are accounted for", func() bool {
		l := s.stats(t).Ledger
		if l.Missing() != 0 {
			t.Fatalf("ledger: %d are missing in %+v", l.Missing(), l)
		}
		return l.Received == 40 && l.Filtered == 20 && l.Journaled+l.Duplicate == 20 && l.Duplicate > 0
	})
	eventually(t, "the duplicates are noted", func() bool {
		text, err := os.ReadFile(filepath.Join(s.dir, "messages.journal"))
		return err == nil && strings.Contains(string(text), `"ID":"JRN","event":"duplicate"`)
	})
	if missing := s.stats(t).Ledger.Missing(); missing != 0 {
		t.Errorf("ledger after the note: %d are missing", missing)
	}
}
