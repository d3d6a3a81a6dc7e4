package seal_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"hbjournal/sink/crypt"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// verify verifies a journal, twice: the answer must be the same.
func verify(t *testing.T, dir, vkey string, tune ...func(*seal.VerifyOptions)) seal.Verdict {
	t.Helper()
	first, second := verifyOnce(t, dir, vkey, tune...), verifyOnce(t, dir, vkey, tune...)
	if a, b := texts(first), texts(second); a != b {
		t.Fatalf("two answers:\n%s\n%s", a, b)
	}
	return first
}

// verifyOnce verifies a journal that may be written meanwhile.
func verifyOnce(t *testing.T, dir, vkey string, tune ...func(*seal.VerifyOptions)) seal.Verdict {
	t.Helper()
	key, err := seal.ReadVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	opt := seal.VerifyOptions{Options: read.Options{Dir: dir, Base: base}, Dir: seal.DirOf(rotate.StateDir(dir, base)), Key: key}
	for _, f := range tune {
		f(&opt)
	}
	v, err := seal.Verify(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func texts(v seal.Verdict) string {
	var all []string
	for _, f := range v.Faults {
		all = append(all, "fault "+f.String())
	}
	for _, f := range v.Notes {
		all = append(all, "note "+f.String())
	}
	return strings.Join(append(all, v.Anchored), "\n")
}

// wantSound wants a journal to verify, and some words in what is said about it.
func (w *world) wantSound(words ...string) {
	w.t.Helper()
	v := verify(w.t, w.dir, w.vkey)
	if len(v.Faults) > 0 {
		w.t.Fatalf("faults:\n%s\n%s", texts(v), w.log.String())
	}
	wantWords(w.t, texts(v), words)
}

func wantWords(t *testing.T, text string, words []string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in:\n%s", word, text)
		}
	}
}

// fixture is a journal of three backups (zstd encrypted by age, gzip, plain) and a live file, some 2,000 lines, of which the oldest
// file was removed by a limit; and a copy of an early checkpoint and of a late one.
type fixture struct {
	*world
	early, late []byte
	files       []string // .zst.age, .gz, plain, live
	recipients  *crypt.Recipients
	identities  *crypt.Identities
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	w := newWorld(t)
	f := &fixture{world: w}
	f.recipients, f.identities = newRecipient(t)
	w.opts.MaxBackups = 3
	for i, ending := range []string{"", ".zst.age", ".gz", ""} {
		w.opts.Compress = map[string]string{".zst.age": "zstd", ".gz": "gzip"}[ending]
		w.opts.Encrypter = nil
		if ending == ".zst.age" {
			w.opts.Encrypter = f.recipients
		}
		w.open()
		w.send(450)
		w.sealed()
		w.rotate()
		w.send(30)
		w.sealed()
		w.until("packed", func() bool { // Those of before are packed with it.
			backups, err := names.Backups(w.dir, base)
			return err == nil && len(backups) == min(i+1, 3) && backups[len(backups)-1].Ending == ending &&
				(i != 1 || backups[0].Ending == ending)
		})
		if i == 1 {
			f.early = w.note()
		}
		w.close()
	}
	w.opts.Compress, w.opts.Encrypter = "", nil
	f.late = w.note()
	files, err := names.Files(w.dir, base)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f.files = append(f.files, filepath.Base(file.Path))
	}
	return f
}

// newRecipient makes a pair of keys of age.
func newRecipient(t *testing.T) (*crypt.Recipients, *crypt.Identities) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := crypt.ParseRecipients([]string{id.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(path, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	identities, err := crypt.ReadIdentities([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return recipients, identities
}

// verify verifies a copy of the fixture, with the identity.
func (f *fixture) verify(t *testing.T, dir string, tune ...func(*seal.VerifyOptions)) seal.Verdict {
	t.Helper()
	return verify(t, dir, f.vkey, append(tune, func(o *seal.VerifyOptions) { o.Decrypter = f.identities })...)
}

// text is what a file of it holds, whatever it is packed in.
func (f *fixture) text(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = bytes.NewReader(raw)
	if rest, packed := strings.CutSuffix(path, ".age"); packed {
		path = rest
		if r, err = f.identities.Decrypt(r); err != nil {
			t.Fatal(err)
		}
	}
	return unpack(t, path, r)
}

// put replaces what a file of it holds.
func (f *fixture) put(t *testing.T, path string, text []byte) {
	t.Helper()
	rest, packed := strings.CutSuffix(path, ".age")
	raw := pack(rest, text)
	if packed {
		var b bytes.Buffer
		w, _, err := f.recipients.Encrypt(&b)
		if err == nil {
			_, err = w.Write(raw)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		raw = b.Bytes()
	}
	if err := os.WriteFile(path, raw, 0o640); err != nil {
		t.Fatal(err)
	}
}

// note is the last checkpoint.
func (w *world) note() []byte {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.sealDir(), "checkpoint"))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// copied is a copy of the journal with its state.
func (f *fixture) copied(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestJournalOfAllKindsOfFilesVerifies(t *testing.T) {
	f := newFixture(t)
	v := f.verify(t, f.dir)
	wantWords(t, texts(v), []string{"lines 0 to", "pruned (journal_max_backups)", seal.NotAnchored})
	if len(v.Faults) > 0 || len(f.files) != 4 || !strings.HasSuffix(f.files[0], ".zst.age") || !strings.HasSuffix(f.files[1], ".gz") {
		t.Errorf("files: %v", f.files)
	}
	if v.Tail != 0 || v.Sealed < int64(f.sent) {
		t.Errorf("got %+v", v)
	}
	v = f.verify(t, f.dir, func(o *seal.VerifyOptions) {
		o.Checkpoints = []seal.Outside{{Name: "early.txt", Note: f.early}, {Name: "late.txt", Note: f.late}}
	})
	if len(v.Faults) > 0 || !strings.Contains(v.Anchored, "late.txt") {
		t.Errorf("got %s", texts(v))
	}
}

func TestPublishedCheckpointsStayProvableWhenTheirLinesArePruned(t *testing.T) {
	w := newWorld(t)
	w.opts.MaxBackups = 1
	var outside []seal.Outside
	for i := range 8 {
		w.open()
		w.send(97 + 13*i)
		w.sealed()
		w.rotate()
		w.send(31)
		w.sealed()
		w.close()
		outside = append(outside, seal.Outside{Name: fmt.Sprintf("after run %d", i), Note: w.note()})
	}
	v := verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = outside })
	if len(v.Faults) > 0 || !strings.HasSuffix(v.Anchored, "after run 7") {
		t.Errorf("got %s", texts(v))
	}
	wantWords(t, texts(v), []string{"pruned (journal_max_backups)"})
}

func TestTailThatIsOldSaysThatSealingHasStopped(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(20)
	w.close()
	w.tune = func(o *seal.Options) { o.Every = time.Hour } // What follows stays unsealed.
	w.open()
	if err := w.sealer.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.send(5)
	w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
	after := func(age, cadence time.Duration) string {
		return texts(verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) {
			o.Cadence, o.Now = cadence, func() time.Time { return time.Now().Add(age) }
		}))
	}
	wantWords(t, after(0, 0), []string{"note 5 lines not yet sealed (since "})
	wantWords(t, after(time.Minute, 0), []string{"fault", "5 lines not yet sealed (since ", "sealing has stopped"})
	wantWords(t, after(time.Minute, 30*time.Second), []string{"note 5 lines not yet sealed (since "})
}
