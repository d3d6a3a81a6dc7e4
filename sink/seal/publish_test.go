package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hbjournal/sink/seal"
)

// witness is a server that cosigns checkpoints as C2SP tlog-witness says, on its own code.
type witness struct {
	*httptest.Server
	t    *testing.T
	log  note.Verifier
	name string
	seed ed25519.PrivateKey
	id   uint32

	mu    sync.Mutex
	size  int64
	root  tlog.Hash
	asked int
	lies  string // "": it is honest; "409": it says that it knows of more lines; "signature": it signs something else
	codes []int
}

func newWitness(t *testing.T, name, logVKey string) (w *witness, vkey string) {
	t.Helper()
	log, err := note.NewVerifier(logVKey)
	if err != nil {
		t.Fatal(err)
	}
	public, private, _ := ed25519.GenerateKey(nil)
	w = &witness{t: t, log: log, name: name, seed: private}
	vkey, err = note.NewEd25519VerifierKey(name, public) // Of type 1, which formats takes for a cosigner's.
	if err != nil {
		t.Fatal(err)
	}
	v, err := f_note.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	w.id = v.KeyHash()
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w, vkey
}

func (w *witness) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	body, _ := io.ReadAll(r.Body)
	code, answer := w.add(body)
	w.codes = append(w.codes, code)
	if r.URL.Path != "/add-checkpoint" || r.Method != http.MethodPost {
		code = http.StatusNotFound
	}
	to.WriteHeader(code)
	io.WriteString(to, answer)
}

func (w *witness) add(body []byte) (code int, answer string) {
	head, checkpoint, _ := bytes.Cut(body, []byte("\n\n"))
	rows := strings.Split(string(head), "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(rows[0], "old "), 10, 64)
	n, errOpen := note.Open(checkpoint, note.VerifierList(w.log))
	if err != nil || errOpen != nil {
		return http.StatusForbidden, fmt.Sprint(err, errOpen)
	}
	text := strings.Split(n.Text, "\n")
	size, _ := strconv.ParseInt(text[1], 10, 64)
	root, _ := tlog.ParseHash(text[2])
	switch {
	case w.lies == "409":
		return http.StatusConflict, strconv.FormatInt(size+1000, 10) + "\n"
	case old != w.size:
		return http.StatusConflict, strconv.FormatInt(w.size, 10) + "\n"
	}
	var proof tlog.TreeProof
	for _, row := range rows[1:] {
		h, err := tlog.ParseHash(row)
		if err != nil {
			return http.StatusBadRequest, err.Error()
		}
		proof = append(proof, h)
	}
	if old > 0 && old != size && tlog.CheckTree(proof, size, root, old, w.root) != nil || old == size && root != w.root {
		return http.StatusUnprocessableEntity, "the proof is wrong"
	}
	w.size, w.root = size, root
	return http.StatusOK, w.cosign(n.Text)
}

func (w *witness) cosign(text string) string {
	now := uint64(time.Now().Unix())
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", now, text)
	if w.lies == "signature" {
		message += "x"
	}
	blob := binary.BigEndian.AppendUint32(nil, w.id)
	blob = binary.BigEndian.AppendUint64(blob, now)
	blob = append(blob, ed25519.Sign(w.seed, []byte(message))...)
	return fmt.Sprintf("— %s %s\n", w.name, base64.StdEncoding.EncodeToString(blob))
}

// policyOf writes a policy of witnesses, of which so many must cosign.
func policyOf(t *testing.T, quorum int, witnesses map[string]*witness) string {
	t.Helper()
	text, names := "# ours\n", ""
	for vkey, w := range witnesses {
		text += fmt.Sprintf("witness %s %s %s\n", w.name, vkey, w.URL)
		names += " " + w.name
	}
	text += fmt.Sprintf("group all-of-them %d%s\nquorum all-of-them\n", quorum, names)
	path := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// publishing has a world tell of its checkpoints.
func (w *world) publishing(policy string, to ...string) {
	w.tune = func(o *seal.Options) {
		p := seal.PublishOptions{To: to, State: w.state(), Key: w.key, Log: o.Log}
		if policy != "" {
			var err error
			if p.Policy, err = seal.ReadPolicy(policy); err != nil {
				w.t.Fatal(err)
			}
		}
		o.Publish = seal.NewPublisher(p)
	}
}

func withPolicy(t *testing.T, path string) func(*seal.VerifyOptions) {
	return func(o *seal.VerifyOptions) {
		var err error
		if o.Policy, err = seal.ReadPolicy(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWitnessesCosignWhatIsSealed(t *testing.T) {
	w := newWorld(t)
	a, keyA := newWitness(t, "witness.example/a", w.vkey)
	b, keyB := newWitness(t, "witness.example/b", w.vkey)
	both := policyOf(t, 2, map[string]*witness{keyA: a, keyB: b})
	for range 3 {
		w.publishing(both)
		w.open()
		w.send(300)
		w.sealed()
		w.rotate()
		w.send(40)
		w.sealed()
		w.close()
		v := verify(t, w.dir, w.vkey, withPolicy(t, both))
		if len(v.Faults) > 0 || !strings.HasPrefix(v.Anchored, "witnessed at ") || !strings.HasSuffix(v.Anchored, " by 2 of 2") {
			t.Fatalf("got %s\n%s", texts(v), w.log.String())
		}
	}
	if size, _ := w.checkpoint(); a.size != size {
		t.Errorf("the witness has seen %d lines of %d", a.size, size)
	}
}

func TestWitnessThatIsAwayHoldsUpNothing(t *testing.T) {
	w := newWorld(t)
	a, keyA := newWitness(t, "witness.example/a", w.vkey)
	b, keyB := newWitness(t, "witness.example/b", w.vkey)
	b.Close()
	both := policyOf(t, 2, map[string]*witness{keyA: a, keyB: b})
	w.publishing(both)
	w.open()
	w.send(50)
	w.sealed()
	w.close()
	v := verify(t, w.dir, w.vkey, withPolicy(t, both))
	wantWords(t, texts(v), []string{"witnessed by 0 of 2, and the policy asks for more"})
	one := policyOf(t, 1, map[string]*witness{keyA: a, keyB: b})
	w.publishing(one)
	w.open()
	w.send(50)
	w.close()
	v = verify(t, w.dir, w.vkey, withPolicy(t, one))
	if len(v.Faults) > 0 || !strings.HasSuffix(v.Anchored, "by 1 of 2") {
		t.Errorf("got %s", texts(v))
	}
}

func TestWitnessThatSaysOtherwiseIsAnAlarm(t *testing.T) {
	f := func(lies string, want ...string) {
		t.Helper()
		w := newWorld(t)
		a, key := newWitness(t, "witness.example/a", w.vkey)
		a.lies = lies
		policy := policyOf(t, 1, map[string]*witness{key: a})
		w.publishing(policy)
		w.open()
		w.send(50)
		w.sealed()
		w.rotate()
		w.until("asked", func() bool { return w.sealer.Figures().Unpublished > 0 })
		if lies == "409" && !strings.Contains(w.sealer.Figures().Error, "another history") {
			t.Errorf("%s: figures %+v", lies, w.sealer.Figures())
		}
		w.close()
		wantWords(t, w.log.String(), want)
		if v := verify(t, w.dir, w.vkey, withPolicy(t, policy)); len(v.Faults) == 0 {
			t.Errorf("%s: %s", lies, texts(v))
		}
	}
	f("409", "another history of this journal")
	f("signature", "no cosignature of its key")
}

// TestTwoDaemonsOnOneHistoryAreFound copies a directory, and lets both go on: the witness cosigns one of them only.
func TestTwoDaemonsOnOneHistoryAreFound(t *testing.T) {
	w := newWorld(t)
	a, key := newWitness(t, "witness.example/a", w.vkey)
	policy := policyOf(t, 1, map[string]*witness{key: a})
	w.publishing(policy)
	w.open()
	w.send(50)
	w.close()
	other := *w
	other.dir = filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other.dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	other.opts.Dir = other.dir
	w.open()
	w.send(500)
	w.close()
	other.log = &logBuffer{}
	other.publishing(policy)
	other.open()
	other.send(1)
	other.close()
	if !strings.Contains(other.log.String(), "another history") {
		t.Errorf("the second daemon is not told:\n%s", other.log.String())
	}
	w.wantSound()
	v := verify(t, other.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = []seal.Outside{{Name: "first", Note: w.note()}} })
	wantWords(t, texts(v), []string{"rolled back"})
}

func TestCheckpointsGoToFilesAndURLs(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var posted [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, body)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "checkpoints")
	w.publishing("", file, server.URL, filepath.Join(t.TempDir(), "no", "such"), "http://127.0.0.1:1/")
	w.open()
	w.send(50)
	w.sealed()
	w.rotate()
	w.send(50)
	w.close()
	mu.Lock()
	defer mu.Unlock()
	if len(posted) == 0 || !bytes.Equal(posted[len(posted)-1], w.note()) {
		t.Errorf("got %d posts, and the last is not the last checkpoint: %q", len(posted), posted)
	}
	found, err := seal.ReadCheckpoints(file, verifierOf(t, w.vkey))
	if err != nil {
		t.Fatal(err)
	}
	v := verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = found })
	size, _ := w.checkpoint()
	if len(v.Faults) > 0 || v.Anchored != fmt.Sprintf("anchored at %d by %s", size, file) {
		t.Errorf("got %s", texts(v))
	}
	if n := strings.Count(w.log.String(), "cannot be published"); n != 2 {
		t.Errorf("got %d warnings, want one for each place that is not there:\n%s", n, w.log.String())
	}
}

// TestJournalThatIsSealedAnewWithTheSameKeyIsFoundFromOutside is what a thief of the key can do, and what shows it.
func TestJournalThatIsSealedAnewWithTheSameKeyIsFoundFromOutside(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(50)
	w.close()
	before := w.note()
	text := readText(t, w.path(base))
	os.RemoveAll(w.state())
	os.Remove(w.path(base))
	w.open()
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte("JRN")) {
			continue
		}
		if err := w.journal.Append(bytes.Replace(line, []byte(`"n":7`), []byte(`"n":9`), 1), 1); err != nil {
			t.Fatal(err)
		}
	}
	w.close()
	w.wantSound(seal.NotAnchored)
	v := verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = []seal.Outside{{Name: "ck.txt", Note: before}} })
	wantWords(t, texts(v), []string{"history was rewritten: size 52 in ck.txt has another root"})
}
