package seal_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hbjournal/sink"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

const (
	base   = "messages.journal"
	origin = "example.com/hb/site1"
)

var sender = netip.MustParseAddrPort("192.168.1.100:45678")

// logBuffer keeps what several goroutines log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a journal with a seal, and what verifies it.
type world struct {
	t    *testing.T
	dir  string
	key  *seal.Key
	vkey string
	opts sink.Options
	tune func(*seal.Options)
	log  *logBuffer

	journal *sink.Journal
	sealer  *seal.Sealer
	sent    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	secret, vkey, err := seal.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := seal.ReadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, log: &logBuffer{}, dir: filepath.Join(t.TempDir(), "journal"), key: key, vkey: vkey}
	w.opts = sink.Options{Dir: w.dir, Fsync: 20 * time.Millisecond}
	return w
}

func (w *world) state() string   { return rotate.StateDir(w.dir, base) }
func (w *world) sealDir() string { return seal.DirOf(w.state()) }
func (w *world) path(name ...string) string {
	return filepath.Join(append([]string{w.dir}, name...)...)
}

func (w *world) open() {
	w.t.Helper()
	o := seal.Options{
		Dir: w.dir, Base: base, State: w.state(), Key: w.key, Every: 20 * time.Millisecond, Log: zerolog.New(w.log),
	}
	if w.tune != nil {
		w.tune(&o)
	}
	var err error
	if w.sealer, err = seal.New(o); err != nil {
		w.t.Fatal(err)
	}
	opts := w.opts
	opts.Sealer = w.sealer
	if w.journal, err = sink.Open(opts); err != nil {
		w.t.Fatal(err)
	}
	journal := w.journal
	w.t.Cleanup(func() { journal.Close() })
}

func (w *world) close() {
	w.t.Helper()
	if err := w.journal.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// send writes n messages.
func (w *world) send(n int) {
	w.t.Helper()
	for range n {
		w.sent++
		message := fmt.Appendf(nil, `{"ID":"HTB","n":%d,"pad":%q}`, w.sent, strings.Repeat("x", w.sent%50))
		if err := w.journal.LogMessage(message, sender, time.Now()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// until waits for something to become true.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within 20 s; %+v\n%s", what, w.sealer.Figures(), w.log.String())
		}
		<-time.After(2 * time.Millisecond)
	}
}

// sealed waits until all that was sent is under a checkpoint.
func (w *world) sealed() {
	w.t.Helper()
	w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
	w.until("sealed", func() bool {
		f := w.sealer.Figures()
		return f.Behind == 0 && f.Sealed >= int64(w.sent)
	})
}

// rotate makes the live file a backup.
func (w *world) rotate() {
	w.t.Helper()
	w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
	if err := w.journal.Rotate(); err != nil {
		w.t.Fatal(err)
	}
}

// lines are those of all files that are there, which must be plain.
func (w *world) lines() [][]byte {
	w.t.Helper()
	files, err := names.Files(w.dir, base)
	if err != nil {
		w.t.Fatal(err)
	}
	var all [][]byte
	for _, f := range files {
		text, err := os.ReadFile(f.Path)
		if err != nil {
			w.t.Fatal(err)
		}
		all = slices.AppendSeq(all, bytes.Lines(text))
	}
	return all
}

// checkpoint is the last one, as another implementation reads it.
func (w *world) checkpoint() (size int64, root tlog.Hash) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.sealDir(), "checkpoint"))
	if err != nil {
		w.t.Fatal(err)
	}
	verifier, _ := note.NewVerifier(w.vkey)
	n, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		w.t.Fatal(err)
	}
	var of, hash string
	if _, err := fmt.Sscanf(n.Text, "%s\n%d\n%s\n", &of, &size, &hash); err != nil || of != origin {
		w.t.Fatalf("%v: %s", err, n.Text)
	}
	root, err = tlog.ParseHash(hash)
	if err != nil {
		w.t.Fatal(err)
	}
	return size, root
}

// rootOf is computed by another implementation.
func rootOf(t *testing.T, lines [][]byte) tlog.Hash {
	t.Helper()
	var all []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (found []tlog.Hash, err error) {
		for _, i := range indexes {
			found = append(found, all[i])
		}
		return found, nil
	})
	for i, line := range lines {
		more, err := tlog.StoredHashes(int64(i), bytes.TrimSuffix(line, []byte("\n")), reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, more...)
	}
	root, err := tlog.TreeHash(int64(len(lines)), reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// wantWhole wants the last checkpoint to be of all lines that are there, which must be all that ever were.
func (w *world) wantWhole() {
	w.t.Helper()
	lines := w.lines()
	size, root := w.checkpoint()
	if size != int64(len(lines)) || root != rootOf(w.t, lines) {
		w.t.Fatalf("the checkpoint is of %d lines, and there are %d; or the root differs\n%s", size, len(lines), w.log.String())
	}
}

func TestEveryLineIsSealedOverRotationsAndRestarts(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.open()
		w.send(300)
		w.sealed()
		w.rotate()
		w.send(300)
		w.rotate()
		w.send(7)
		w.close()
		w.wantWhole()
	}
	w.open()
	before := len(w.lines())
	w.close()
	w.wantWhole()
	if after := len(w.lines()); after != before {
		t.Errorf("a start and a stop without messages wrote %d lines", after-before)
	}
	if strings.Contains(w.log.String(), `"error"`) || strings.Contains(w.log.String(), "adopted") {
		t.Errorf("got\n%s", w.log.String())
	}
}

// When a process has no file left to open, or the file is not there for a moment, the live file is another one than the seal has.
func TestALiveFileThatCannotBeOpenedAtOnceIsSealedLater(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(100)
	w.sealed()
	aside := w.path("aside")
	if err := os.Rename(w.path(base), aside); err != nil {
		t.Fatal(err)
	}
	w.sealer.Turned("messages.journal.20260101-000000", 0)
	if err := os.Rename(aside, w.path(base)); err != nil {
		t.Fatal(err)
	}
	w.until("a new tree", func() bool { return strings.HasSuffix(w.sealer.Figures().Origin, "/2") })
	w.send(100)
	w.rotate()
	w.send(100)
	w.until("new lines are sealed", func() bool { return w.sealer.Figures().Sealed >= 200 })
}
