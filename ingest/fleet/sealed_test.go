package fleet

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"hbjournal/sink"
	"hbjournal/sink/crypt"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// sealedReceiver is a receiver that seals its journal.
type sealedReceiver struct {
	t    *testing.T
	dir  string
	vkey string
	key  *seal.Key
	sent int

	journal *sink.Journal
	sealer  *seal.Sealer
	ahead   atomic.Int64 // of the sealer's clock, in seconds: at most one entry with a checkpoint is written in one
}

func newSealedReceiver(t *testing.T) *sealedReceiver {
	t.Helper()
	secret, vkey, err := seal.GenerateKey("example.com/hb/rx")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := seal.ReadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return &sealedReceiver{t: t, dir: filepath.Join(t.TempDir(), "rx"), vkey: vkey, key: key}
}

func (r *sealedReceiver) now() time.Time {
	return time.Now().Add(time.Duration(r.ahead.Load()) * time.Second)
}

func (r *sealedReceiver) state() string { return rotate.StateDir(r.dir, "messages.journal") }

// open opens the journal; sealed says whether with the key.
func (r *sealedReceiver) open(sealed bool, tune ...func(*sink.Options)) {
	r.t.Helper()
	o := sink.Options{Dir: r.dir, Fsync: 5 * time.Millisecond, Source: netip.MustParseAddrPort("192.0.2.7:9500")}
	if sealed {
		var err error
		r.sealer, err = seal.New(seal.Options{Dir: r.dir, Base: "messages.journal", State: r.state(), Key: r.key, Every: 5 * time.Millisecond, Now: r.now})
		if err != nil {
			r.t.Fatal(err)
		}
		r.sealer.Publish(seal.NewPublisher(seal.PublishOptions{To: []string{r.dir + ".checkpoints"}, State: r.state(), Key: r.key}))
		o.Sealer = r.sealer
	}
	for _, f := range tune {
		f(&o)
	}
	var err error
	if r.journal, err = sink.Open(o); err != nil {
		r.t.Fatal(err)
	}
}

func (r *sealedReceiver) send(n int) {
	r.t.Helper()
	for range n {
		r.sent++
		message := fmt.Appendf(nil, `{"ID":"HTB","n":%d,"pad":%q}`, r.sent, strings.Repeat("x", r.sent%50))
		if err := r.journal.LogMessage(message, netip.MustParseAddrPort("192.0.2.1:4000"), time.Now()); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *sealedReceiver) rotate() {
	r.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for r.journal.Stats().Queued > 0 && time.Now().Before(deadline) {
		<-time.After(time.Millisecond)
	}
	r.ahead.Add(2)
	if err := r.journal.Rotate(); err != nil {
		r.t.Fatal(err)
	}
	for ; !r.noted(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("no checkpoint at the rotation: %+v", r.sealer.Figures())
		}
	}
}

// noted reports whether the last rotation is followed by an entry with a checkpoint.
func (r *sealedReceiver) noted() bool {
	text, err := os.ReadFile(filepath.Join(r.dir, "messages.journal"))
	return err == nil && bytes.Contains(text, []byte(`"at":"rotation","checkpoint"`))
}

func (r *sealedReceiver) close() {
	r.t.Helper()
	if err := r.journal.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// written is a journal of several files, with a checkpoint at each rotation and at the close.
func (r *sealedReceiver) written(files, perFile int) {
	r.open(true)
	for i := range files {
		if i > 0 {
			r.rotate()
		}
		r.send(perFile)
	}
	r.close()
}

// lines are all that the journal holds.
func (r *sealedReceiver) lines() [][]byte {
	r.t.Helper()
	files, err := names.Files(r.dir, "messages.journal")
	if err != nil {
		r.t.Fatal(err)
	}
	var all [][]byte
	for _, f := range files {
		text, err := os.ReadFile(f.Path)
		if err != nil {
			r.t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			all = append(all, bytes.Clone(line))
		}
	}
	return all
}

// ship puts lines into an archive's engine. from is the number of the first; those before it in the archive's numbers are gone.
func ship(t *testing.T, a *archive, id string, from int, all [][]byte, gone stream.Gone) {
	t.Helper()
	const each = 37
	for start := 0; start < len(all); start += each {
		some := bytes.Join(all[start:min(start+each, len(all))], nil)
		a.engine.put(message(t, "rx", id, int64(from+start), some, gone))
		gone = none
	}
	want := uint64((len(all) + each - 1) / each)
	a.run(func(f Figures) bool { return f.Messages >= want })
}

// verdictOf verifies the copy in an archive's directory.
func verdictOf(t *testing.T, dir, vkey string, tune ...func(*seal.VerifyOptions)) seal.Verdict {
	t.Helper()
	key, err := seal.ReadVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	state := rotate.StateDir(dir, "messages.journal")
	o := seal.VerifyOptions{
		Options: read.Options{Dir: dir, Base: "messages.journal"}, Dir: seal.DirOf(state), Key: key, Shipped: ShippedIn(state),
	}
	if o.Shipped == nil {
		t.Fatalf("%s is no archive's copy", dir)
	}
	for _, f := range tune {
		f(&o)
	}
	v, err := seal.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func textOf(v seal.Verdict) string {
	text := fmt.Sprintf("sealed %d tail %d %s\n", v.Sealed, v.Tail, v.Anchored)
	for _, f := range v.Faults {
		text += "fault " + f.String() + "\n"
	}
	for _, f := range v.Notes {
		text += "note " + f.String() + "\n"
	}
	return text
}

func wantVerdict(t *testing.T, v seal.Verdict, sound bool, words ...string) {
	t.Helper()
	if sound != (len(v.Faults) == 0) {
		t.Errorf("got %s", textOf(v))
	}
	for _, word := range words {
		if !strings.Contains(textOf(v), word) {
			t.Errorf("%q is not in:\n%s", word, textOf(v))
		}
	}
}

func TestASealedReceiversCopyIsVerifiedByTheCheckpointsInItsLines(t *testing.T) {
	r := newSealedReceiver(t)
	r.written(4, 300)
	all := r.lines()
	a := newArchive(t)
	ship(t, a, "j", 0, all, none)
	v := verdictOf(t, filepath.Join(a.dir, "rx"), r.vkey)
	wantVerdict(t, v, true, seal.NotAnchored)
	if v.Sealed < 1200 || v.Sealed+v.Tail != int64(len(all)) || v.Origin != "example.com/hb/rx" {
		t.Errorf("%d lines: %s", len(all), textOf(v))
	}
	outside, err := seal.ReadCheckpoints(r.dir+".checkpoints", verifierOf(t, r.vkey))
	if err != nil {
		t.Fatal(err)
	}
	v = verdictOf(t, filepath.Join(a.dir, "rx"), r.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = outside })
	wantVerdict(t, v, true, "anchored at")
}

func TestWithAnotherKeyACopyIsNotSealed(t *testing.T) {
	r := newSealedReceiver(t)
	r.written(2, 50)
	a := newArchive(t)
	ship(t, a, "j", 0, r.lines(), none)
	wantVerdict(t, verdictOf(t, filepath.Join(a.dir, "rx"), newSealedReceiver(t).vkey), false, "no seal")
	plain := newSealedReceiver(t)
	plain.open(false)
	plain.send(50)
	plain.close()
	b := newArchive(t)
	ship(t, b, "j", 0, plain.lines(), none)
	wantVerdict(t, verdictOf(t, filepath.Join(b.dir, "rx"), plain.vkey), false, "no seal")
}

// mutations change the lines of a copy, of which number k is some line in the middle.
func mutations() map[string]func(all [][]byte, k int) [][]byte {
	return map[string]func([][]byte, int) [][]byte{
		"bit": func(all [][]byte, k int) [][]byte {
			all[k] = bytes.Clone(all[k])
			all[k][len(all[k])/2] ^= 1
			return all
		},
		"removed": func(all [][]byte, k int) [][]byte { return append(all[:k:k], all[k+1:]...) },
		"swapped": func(all [][]byte, k int) [][]byte { all[k], all[k+1] = all[k+1], all[k]; return all },
		"doubled": func(all [][]byte, k int) [][]byte { return append(append(all[:k+1:k+1], all[k]), all[k+1:]...) },
		"inserted": func(all [][]byte, k int) [][]byte {
			return append(append(all[:k:k], []byte(`{"a":1}`+"\n")), all[k:]...)
		},
		"own": func(all [][]byte, k int) [][]byte {
			gap := `{"timestamp":1774699215.000,"datetime":"2026-03-28T12:00:15","source_ip":"::","source_port":0,"message":` +
				`{"ID":"JRN","event":"gap","reason":"pruned","lost":1,"first":1774699209.000,"last":1774699215.000}}` + "\n"
			return append(append(all[:k:k], []byte(gap)), all[k:]...)
		},
		"replaced by a gap": func(all [][]byte, k int) [][]byte {
			gap := `{"timestamp":1774699215.000,"datetime":"2026-03-28T12:00:15","source_ip":"::","source_port":0,"message":` +
				`{"ID":"JRN","event":"gap","reason":"pruned","lost":1,"first":1774699209.000,"last":1774699215.000}}` + "\n"
			all[k] = []byte(gap)
			return all
		},
	}
}

// changed makes the copy one file of other lines.
func changed(t *testing.T, dir string, all [][]byte) {
	t.Helper()
	files, err := names.Files(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "messages.journal"), bytes.Join(all, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsChangedInACopyIsFound(t *testing.T) {
	r := newSealedReceiver(t)
	r.written(4, 100)
	all := r.lines()
	a := newArchive(t)
	ship(t, a, "j", 0, all, none)
	sub := filepath.Join(a.dir, "rx")
	sealed := int(verdictOf(t, sub, r.vkey).Sealed)
	for what, change := range mutations() {
		for _, k := range []int{0, 1, 57, 210, sealed - 2} {
			mutated := change(append([][]byte(nil), all...), k)
			changed(t, sub, mutated)
			v := verdictOf(t, sub, r.vkey)
			if len(v.Faults) == 0 && !(what == "own" && k == 0) {
				t.Errorf("%s at %d: %s", what, k, textOf(v))
				continue
			}
			if len(v.Faults) > 0 && (v.Faults[0].Path == "" || v.Faults[0].Line == 0 || v.Faults[0].Line > int64(k)+2) {
				t.Errorf("%s at %d is not said where: %s", what, k, textOf(v))
			}
		}
	}
	for k, line := range all[:sealed] { // The entries with checkpoints too.
		if bytes.Contains(line, []byte(`"checkpoint"`)) {
			changed(t, sub, append(all[:k:k], all[k+1:]...))
			wantVerdict(t, verdictOf(t, sub, r.vkey), false)
		}
	}
	changed(t, sub, all[:sealed/2]) // The end is cut off: what remains is right, and the checkpoints from outside tell.
	wantVerdict(t, verdictOf(t, sub, r.vkey), true, "not proved by it")
	outside, err := seal.ReadCheckpoints(r.dir+".checkpoints", verifierOf(t, r.vkey))
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, verdictOf(t, sub, r.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = outside }), false, "or were taken away")
}

// keeping are the options of an archive that keeps few files.
func keeping(backups int, compress rotate.Compression, encrypter rotate.Encrypter) func(*rotate.Options) {
	return func(o *rotate.Options) {
		o.MaxBytes, o.MaxBackups, o.Compression, o.Encrypter = 16<<10, backups, compress, encrypter
	}
}

func TestACopyIsVerifiedAfterTheArchivesOwnPruning(t *testing.T) {
	for _, compress := range []rotate.Compression{"", rotate.Gzip, rotate.Zstd} {
		r := newSealedReceiver(t)
		r.written(6, 200)
		all := r.lines()
		a := newArchive(t)
		a.tune = keeping(2, compress, nil)
		sub := filepath.Join(a.dir, "rx")
		for start := 0; start < len(all); start += 333 { // Each with an archiver of its own.
			ship(t, a, "j", start, all[start:min(start+333, len(all))], none)
			v := verdictOf(t, sub, r.vkey)
			if start > 700 {
				wantVerdict(t, v, true, "pruned by the archive (journal_max_backups)")
			}
		}
		backups, err := names.Backups(sub, "messages.journal")
		if err != nil || len(backups) != 2 {
			t.Fatalf("%v, %v", backups, err)
		}
		oldest := filepath.Join(sub, backups[0].Name)
		text, err := os.ReadFile(oldest)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(oldest); err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, verdictOf(t, sub, r.vkey), false)
		if compress != "" {
			continue
		}
		first := bytes.IndexByte(text, '\n') + 1
		if err := os.WriteFile(oldest, text[first:], 0o600); err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, verdictOf(t, sub, r.vkey), false)
		text[first/2] ^= 1
		if err := os.WriteFile(oldest, text, 0o600); err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, verdictOf(t, sub, r.vkey), false, backups[0].Name+":1")
	}
}

// ageKeys are those that encrypt for one identity, and that.
func ageKeys(t *testing.T) (*crypt.Recipients, *crypt.Identities) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := crypt.ParseRecipients([]string{identity.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	identities, err := crypt.ReadIdentities([]string{"-"}, strings.NewReader(identity.String()))
	if err != nil {
		t.Fatal(err)
	}
	return recipients, identities
}

func TestAnEncryptedCopyIsVerifiedAfterPruning(t *testing.T) {
	recipients, identities := ageKeys(t)
	r := newSealedReceiver(t)
	r.written(6, 200)
	all := r.lines()
	a := newArchive(t)
	a.tune = keeping(3, rotate.Gzip, recipients)
	sub := filepath.Join(a.dir, "rx")
	for start := 0; start < len(all); start += 333 {
		ship(t, a, "j", start, all[start:min(start+333, len(all))], none)
	}
	wantVerdict(t, verdictOf(t, sub, r.vkey), false, "was not checked: give --identity")
	withIdentity := func(o *seal.VerifyOptions) { o.Decrypter = identities }
	wantVerdict(t, verdictOf(t, sub, r.vkey, withIdentity), true, "pruned by the archive")
}

func TestEachFileHasItsOwnEdgeThoughSeveralAreGoneOverAtOnce(t *testing.T) {
	r := newSealedReceiver(t)
	r.written(6, 200)
	a := newArchive(t)
	a.tune = keeping(0, "", nil)
	ship(t, a, "j", 0, r.lines(), none)
	sub := filepath.Join(a.dir, "rx")
	backups, err := names.Backups(sub, "messages.journal")
	if err != nil || len(backups) < 5 {
		t.Fatalf("got %d backups, %v, want some", len(backups), err)
	}
	c := seal.NewCopied(seal.CopiedOptions{Dir: sub, Base: "messages.journal", State: rotate.StateDir(sub, "messages.journal")})
	c.Sealed()
	last := backups[len(backups)-1].Name
	c.Packed(last, last+".age", 0, [32]byte{})
	for _, b := range backups {
		c.Pruning([]string{b.Name}, "max_backups")
		if err := os.Remove(filepath.Join(sub, b.Name)); err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, verdictOf(t, sub, r.vkey), true, "pruned by the archive (journal_max_backups)")
	}
}

func TestACopyThatBeginsLateSaysWhatItDoesNotProve(t *testing.T) {
	r := newSealedReceiver(t)
	prune := func(o *sink.Options) { o.MaxBackups = 2 }
	r.open(true, prune)
	for range 5 {
		r.send(100)
		r.rotate()
	}
	r.send(100)
	r.close()
	all := r.lines()
	for _, gone := range []stream.Gone{none, {Reason: stream.GonePruned}} {
		a := newArchive(t)
		from := 0
		if gone != none {
			from = 300
		}
		ship(t, a, "j", from, all, gone)
		v := verdictOf(t, filepath.Join(a.dir, "rx"), r.vkey)
		wantVerdict(t, v, true, "never came to the archive")
	}
	// After its own pruning too, once the receiver's entry about its pruning has come.
	a := newArchive(t)
	a.tune = keeping(9, rotate.Gzip, nil)
	ship(t, a, "j", 0, all, none)
	r.open(true, func(o *sink.Options) { o.MaxBackups = 9 })
	r.send(200)
	r.rotate()
	r.close()
	a.tune = keeping(2, rotate.Gzip, nil)
	ship(t, a, "j", len(all), r.lines()[len(all):], none)
	wantVerdict(t, verdictOf(t, filepath.Join(a.dir, "rx"), r.vkey), true, "pruned by the archive")
}

func TestAGapInACopyIsNeverTakenForSealed(t *testing.T) {
	r := newSealedReceiver(t)
	r.written(4, 100)
	all := r.lines()
	a := newArchive(t)
	ship(t, a, "j", 0, all[:150], none)
	ship(t, a, "j", 200, all[200:], stream.Gone{From: 150, Reason: stream.GonePruned})
	v := verdictOf(t, filepath.Join(a.dir, "rx"), r.vkey)
	wantVerdict(t, v, false, "the archive notes here that 50 lines are missing")
	if v.Sealed > 150 {
		t.Errorf("got %s", textOf(v))
	}
}

func TestAnotherJournalOfASealedReceiverIsVerifiedToo(t *testing.T) {
	r := newSealedReceiver(t)
	r.written(2, 100)
	all := r.lines()
	a := newArchive(t)
	ship(t, a, "old", 0, all, none)
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	r.written(3, 50)
	if err := a.bucket.Put(t.Context(), "owner.rx", []byte(`{"journal":"new","before":["old"]}`)); err != nil {
		t.Fatal(err)
	}
	a.run(func(Figures) bool { a.bucket.mu.Lock(); defer a.bucket.mu.Unlock(); return a.bucket.polled })
	anew := r.lines()
	deadline := time.Now().Add(20 * time.Second)
	for !bytes.HasSuffix(a.joined("rx"), bytes.Join(anew, nil)) {
		if time.Now().After(deadline) {
			t.Fatal("it is not taken over")
		}
		ship(t, a, "new", 0, anew, none)
	}
	v := verdictOf(t, filepath.Join(a.dir, "rx"), r.vkey)
	wantVerdict(t, v, true)
	if v.Sealed+v.Tail < int64(len(anew)) || v.Sealed > int64(len(anew)) {
		t.Errorf("%d lines: %s", len(anew), textOf(v))
	}
}

func verifierOf(t *testing.T, vkey string) *seal.Verifier {
	t.Helper()
	key, err := seal.ReadVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
