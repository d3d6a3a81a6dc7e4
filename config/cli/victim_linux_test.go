package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/names"
)

// victim is a daemon in a process of its own, to which a test does harm.
type victim struct {
	served
	*process
	launch launch
}

// startVictim starts a daemon with a journal in dir. Its environment is only what is given and what keeps it apart.
func startVictim(t *testing.T, dir string, environ ...string) *victim {
	t.Helper()
	work := t.TempDir()
	v := &victim{served: served{dir: dir}, launch: launch{dir: work, stderr: filepath.Join(work, "log")}}
	v.launch.environ = append([]string{
		"JOURNAL_DIR=" + dir, "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "HOME=" + work,
	}, environ...)
	v.restart(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return v
}

// restart starts the daemon, for the first time or after its end.
func (v *victim) restart(t *testing.T) {
	t.Helper()
	before := len(v.logText(t))
	p, err := start(v.launch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	v.process, v.udp = p, p.addr
	v.http = addrOf(t, v.logText(t)[before:], "status is served over HTTP")
}

func (v *victim) logText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(v.launch.stderr)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// logCount counts the log's lines with text in them.
func (v *victim) logCount(t *testing.T, text string) int {
	t.Helper()
	return strings.Count(v.logText(t), text)
}

// terminate ends the daemon as an operator does, and wants its ledger to add up.
func (v *victim) terminate(t *testing.T) logLine {
	t.Helper()
	if err := v.cmd.Process.Signal(signals()["TERM"]); err != nil {
		t.Fatal(err)
	}
	code, err := v.exit()
	if err != nil || code != exitDone {
		t.Errorf("exit: got code %d, %v; want 0; its log:\n%s", code, err, v.logText(t))
	}
	lines := logLines(t, v.logText(t))
	last := lines[len(lines)-1]
	if last.Message != "journal stopped" || last.Missing != 0 {
		t.Errorf("last line of the log: got %+v, want the ledger with nothing missing", last)
	}
	return last
}

func (v *victim) ready(t *testing.T) (ready bool, why string) {
	t.Helper()
	code, body := v.get(t, "/readyz")
	return code == http.StatusOK, string(body)
}

func (v *victim) untilReady(t *testing.T) {
	t.Helper()
	eventually(t, "the daemon is ready", func() bool { ready, _ := v.ready(t); return ready })
}

// untilNotReady waits for a reason with this text in it.
func (v *victim) untilNotReady(t *testing.T, reason string) {
	t.Helper()
	eventually(t, "the daemon is not ready because of "+reason, func() bool {
		ready, why := v.ready(t)
		return !ready && strings.Contains(why, reason)
	})
}

// untilReceived waits until the daemon has n datagrams from its socket.
func (v *victim) untilReceived(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d are received", n), func() bool { return v.ledgerOK(t).Received == uint64(n) })
}

// untilWritten waits until everything that was received is in the file or lost.
func (v *victim) untilWritten(t *testing.T) {
	t.Helper()
	eventually(t, "nothing is queued", func() bool { return v.ledgerOK(t).Queued == 0 })
}

type ledgerFigures struct{ Received, Journaled, Queued, Kernel, Queue uint64 }

// ledgerOK returns the ledger, which must add up.
func (v *victim) ledgerOK(t *testing.T) ledgerFigures {
	t.Helper()
	l := v.stats(t).Ledger
	if l.Missing() != 0 {
		t.Fatalf("ledger: %d are missing in %+v", l.Missing(), l)
	}
	return ledgerFigures{l.Received, l.Journaled, l.Queued, l.Kernel, l.Dropped["queue"]}
}

// load sends numbered messages.
type load struct {
	conn     net.Conn
	perMilli int         // messages a millisecond
	sent     []time.Time // by number
}

func loadFor(t *testing.T, addr string) *load {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &load{conn: conn, perMilli: 10}
}

// write sends one datagram. An error tells of an earlier one, which found nobody listening, and this one is not sent.
func (l *load) write(datagram []byte) {
	if _, err := l.conn.Write(datagram); err != nil {
		_, _ = l.conn.Write(datagram)
	}
}

// send sends n messages.
func (l *load) send(n int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range n {
		if i%l.perMilli == 0 {
			<-tick.C
		}
		l.sent = append(l.sent, time.Now())
		l.write(fmt.Appendf(nil, `{"ID":"HTB","name":"webserver1","interval":30,"n":%d}`, len(l.sent)-1))
	}
}

// written is what a journal holds.
type written struct {
	numbers []int
	gaps    map[string]uint64 // lost, by reason, as the notes say
	files   []string
	live    bool // its daemon writes: what stands behind the last newline is not there yet
}

// readJournal reads all files of a journal in their order. Each line must be a whole entry.
func readJournal(t *testing.T, dir string) *written {
	t.Helper()
	backups, err := names.Backups(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	w := &written{gaps: map[string]uint64{}}
	for _, b := range backups {
		w.files = append(w.files, b.Name)
	}
	w.files = append(w.files, "messages.journal")
	for _, name := range w.files {
		w.readFile(t, filepath.Join(dir, name))
	}
	return w
}

func (w *written) readFile(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if w.live {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Timestamp json.Number
			Datetime  string
			Message   struct {
				ID, Event, Reason string
				N                 *int
				Lost              uint64
			}
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || !strings.HasSuffix(line, "\n") || entry.Datetime == "" {
			t.Fatalf("%s holds a line that is no whole entry: %q (%v)", path, line, err)
		}
		switch m := entry.Message; {
		case m.ID == "JRN":
			w.gaps[m.Reason] += m.Lost
		case m.N != nil:
			w.numbers = append(w.numbers, *m.N)
		}
	}
}

// wantInOrder wants the numbers to go up, so that none is there twice.
func (w *written) wantInOrder(t *testing.T) {
	t.Helper()
	if !slices.IsSorted(w.numbers) || len(slices.Compact(slices.Clone(w.numbers))) != len(w.numbers) {
		t.Errorf("numbers: got some of %d twice or out of order", len(w.numbers))
	}
}

// wantAll wants the numbers from 0 up to n, each once and in order.
func (w *written) wantAll(t *testing.T, n int) {
	t.Helper()
	w.wantInOrder(t)
	if len(w.numbers) != n {
		t.Errorf("numbers: got %d, want all %d", len(w.numbers), n)
	}
}
