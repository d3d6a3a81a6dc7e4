package seal_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/crypt"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

func storedOnly(o *seal.VerifyOptions) { o.StoredOnly = true }

// newEncryptedFixture is a journal of which all backups are encrypted, and some were removed by a limit.
func newEncryptedFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{world: newWorld(t)}
	f.recipients, f.identities = newRecipient(t)
	f.opts.MaxBackups, f.opts.Compress, f.opts.Encrypter = 4, "zstd", f.recipients
	for run := range 2 {
		f.open()
		for range 3 {
			f.send(150)
			f.sealed()
			f.rotate()
			f.send(20)
			f.sealed()
			f.until("encrypted", func() bool { return f.journal.Stats().Unencrypted == 0 })
		}
		f.close()
		if run == 0 {
			f.early = f.note()
		}
	}
	f.late = f.note()
	files, err := names.Files(f.dir, base)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f.files = append(f.files, filepath.Base(file.Path))
	}
	return f
}

func TestStoredBytesOfEncryptedFilesAreCheckedWithoutAnIdentity(t *testing.T) {
	for what, f := range map[string]*fixture{"one of three": newFixture(t), "all": newEncryptedFixture(t)} {
		v := verify(t, f.dir, f.vkey)
		if len(v.Faults) != 1 || !strings.Contains(texts(v), "encrypted: only ") {
			t.Fatalf("%s: got %s", what, texts(v))
		}
		v = verify(t, f.dir, f.vkey, storedOnly, func(o *seal.VerifyOptions) {
			o.Checkpoints = []seal.Outside{{Name: "early.txt", Note: f.early}, {Name: "late.txt", Note: f.late}}
		})
		if len(v.Faults) > 0 || !strings.Contains(v.Anchored, "late.txt") {
			t.Fatalf("%s: got %s", what, texts(v))
		}
		if v := f.verify(t, f.dir); len(v.Faults) > 0 {
			t.Fatalf("%s, with the identity: got %s", what, texts(v))
		}
	}
}

func TestBitsOfEncryptedFilesAreFoundWithoutAnIdentity(t *testing.T) {
	f := newEncryptedFixture(t)
	for range 20 {
		name := f.files[rand.IntN(len(f.files)-1)]
		dir := f.copied(t)
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		const magic = len("age-encryption.org/v1\n") // Without it, the file is not taken for encrypted.
		at := rand.IntN(len(raw))
		raw[at] ^= 1 << rand.IntN(8)
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o640); err != nil {
			t.Fatal(err)
		}
		v := verify(t, dir, f.vkey, storedOnly)
		wantWords(t, texts(v), []string{"fault", stem(name)})
		if at >= magic {
			wantWords(t, texts(v), []string{"its bytes are not those that were sealed"})
		}
	}
}

func TestEncryptedFilesThatAreTakenOrMovedAreFoundWithoutAnIdentity(t *testing.T) {
	f := newEncryptedFixture(t)
	n := len(f.files) - 1
	at := func(dir string, i int) string { return filepath.Join(dir, f.files[i]) }
	for what, m := range map[string]struct {
		change func(dir string) error
		words  []string
	}{
		"the oldest is gone": {func(dir string) error { return os.Remove(at(dir, 0)) }, []string{"are missing", stem(f.files[0])}},
		"a middle one":       {func(dir string) error { return os.Remove(at(dir, 2)) }, []string{"are missing", stem(f.files[2])}},
		"the newest":         {func(dir string) error { return os.Remove(at(dir, n-1)) }, []string{"are missing", stem(f.files[n-1])}},
		"two are swapped": {func(dir string) error {
			a, errA := os.ReadFile(at(dir, 1))
			b, errB := os.ReadFile(at(dir, 2))
			return firstOf(errA, errB, os.WriteFile(at(dir, 1), b, 0o640), os.WriteFile(at(dir, 2), a, 0o640))
		}, []string{"stands in the place of another"}},
		"one stands twice": {func(dir string) error {
			a, err := os.ReadFile(at(dir, 1))
			return firstOf(err, os.WriteFile(at(dir, 2), a, 0o640))
		}, []string{"stands in the place of another"}},
		"what is known of them is gone": {func(dir string) error {
			return os.Remove(filepath.Join(seal.DirOf(rotate.StateDir(dir, base)), "files"))
		}, []string{"were not checked"}},
		"what is known of one is changed": {func(dir string) error {
			path := filepath.Join(seal.DirOf(rotate.StateDir(dir, base)), "files")
			text, err := os.ReadFile(path)
			i := bytes.LastIndex(text, []byte(`"bytes":`)) // Of a record, the last one counts.
			return firstOf(err, os.WriteFile(path, slices.Insert(text, i+len(`"bytes":`), '1'), 0o640))
		}, []string{"were not checked"}},
	} {
		dir := f.copied(t)
		if err := m.change(dir); err != nil {
			t.Fatal(err)
		}
		v := verify(t, dir, f.vkey, storedOnly)
		if len(v.Faults) == 0 {
			t.Errorf("%s: it verifies: %s", what, texts(v))
		}
		wantWords(t, texts(v), m.words)
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestPlainFilesBeforeEncryptedOnesAreHeldToTheHead: what could be read is checked, on both sides of what could not.
func TestPlainFilesBeforeEncryptedOnesAreHeldToTheHead(t *testing.T) {
	f := &fixture{world: newWorld(t)}
	f.recipients, f.identities = newRecipient(t)
	for i := range 3 {
		f.open()
		f.send(130 + i)
		f.sealed()
		f.rotate()
		f.send(9)
		f.sealed()
		f.close()
	}
	backups, err := names.Backups(f.dir, base)
	if err != nil {
		t.Fatal(err)
	}
	// The middle one is encrypted, as if the others could not be.
	aside := t.TempDir()
	move := func(from, to string, b names.Backup) {
		if err := os.Rename(filepath.Join(from, b.Name), filepath.Join(to, b.Name)); err != nil {
			t.Fatal(err)
		}
	}
	move(f.dir, aside, backups[0])
	move(f.dir, aside, backups[2])
	f.opts.Encrypter = f.recipients
	f.tune = nil
	encryptBeside(t, f)
	move(aside, f.dir, backups[0])
	move(aside, f.dir, backups[2])
	if v := f.verify(t, f.dir); len(v.Faults) > 0 {
		t.Fatalf("with the identity: %s", texts(v))
	}
	v := verify(t, f.dir, f.vkey)
	wantWords(t, texts(v), []string{backups[1].Name + ".age: the file is encrypted and was not checked"})
	if len(v.Faults) != 1 {
		t.Errorf("got %s", texts(v))
	}
	for _, i := range []int{0, 2} {
		dir := f.copied(t)
		path := filepath.Join(dir, backups[i].Name)
		writeText(t, path, edit(remove(3, 1))(readText(t, path)))
		if v := verify(t, dir, f.vkey); len(v.Faults) < 2 {
			t.Errorf("a line of %s is gone: %s", backups[i].Name, texts(v))
		}
	}
}

// encryptBeside encrypts the backups that are there, without the seal.
func encryptBeside(t *testing.T, f *fixture) {
	t.Helper()
	file, err := rotate.Open(rotate.Options{Dir: f.dir, Name: base, Encrypter: f.recipients})
	if err != nil {
		t.Fatal(err)
	}
	file.Compress(nil)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNoteOfPackedFilesSurvivesStartsAndRemovals(t *testing.T) {
	f := newEncryptedFixture(t)
	for i := range 4 {
		f.open()
		f.send(40)
		f.sealed()
		if i%2 == 0 {
			f.rotate()
			f.send(5)
			f.sealed()
			f.until("encrypted", func() bool { return f.journal.Stats().Unencrypted == 0 })
		}
		f.close()
		v := verify(t, f.dir, f.vkey, storedOnly)
		if len(v.Faults) > 0 {
			t.Fatalf("start %d: %s", i, texts(v))
		}
		if !slices.ContainsFunc(v.Notes, func(n seal.Finding) bool { return strings.Contains(n.Text, "4 files are encrypted") }) {
			t.Errorf("start %d: %s", i, texts(v))
		}
	}
}

func TestAnEncryptedFileUnderTheNameOfOneThatIsGoneIsFound(t *testing.T) {
	f := newEncryptedFixture(t)
	dir := f.copied(t)
	if err := os.Rename(filepath.Join(dir, f.files[2]), filepath.Join(dir, f.files[1])); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, dir, f.vkey, storedOnly); len(v.Faults) == 0 {
		t.Errorf("a backup is gone, and verify --stored-only says: %s", texts(v))
	}
}

// slowly takes longer to open a file than sealing may be behind, as a large journal does.
type slowly struct {
	*crypt.Identities
	by time.Duration
}

func (s slowly) Decrypt(src io.Reader) (io.Reader, error) {
	<-time.After(s.by)
	return s.Identities.Decrypt(src)
}

func (s slowly) DecryptReaderAt(src io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	<-time.After(s.by)
	return s.Identities.DecryptReaderAt(src, size)
}

func TestAJournalThatTakesLongToReadIsNotSaidToHaveStoppedSealing(t *testing.T) {
	const cadence = 200 * time.Millisecond
	f := newEncryptedFixture(t)
	f.open()
	before := f.sealer.Figures().Sealed
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				f.send(1)
			}
		}
	}()
	f.until("a checkpoint", func() bool { return f.sealer.Figures().Sealed > before })
	v := verifyOnce(t, f.dir, f.vkey, func(o *seal.VerifyOptions) {
		o.Cadence, o.Decrypter = cadence, slowly{f.identities, 2 * cadence}
	})
	close(done)
	<-ended
	if len(v.Faults) > 0 {
		t.Errorf("a sound journal that is sealed every %s: %s", cadence, texts(v))
	}
}
