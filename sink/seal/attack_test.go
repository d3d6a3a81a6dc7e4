package seal_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// stateOf is the directory of the seal of a copy.
func stateOf(dir string) string { return seal.DirOf(rotate.StateDir(dir, base)) }

// TestWhatAnAuditorWouldTryIsFound: each attack changes a copy of a journal, and must be found, by words that say what it is.
func TestWhatAnAuditorWouldTryIsFound(t *testing.T) {
	f := newFixture(t)
	namesake := newFixture(t) // Another journal, of the same name.
	same := sameKey(t, f)     // Another journal, of the same key.
	swap := func(a, b string) func(string) error {
		return func(dir string) error {
			textA, textB := f.text(t, filepath.Join(dir, a)), f.text(t, filepath.Join(dir, b))
			f.put(t, filepath.Join(dir, a), textB)
			f.put(t, filepath.Join(dir, b), textA)
			return nil
		}
	}
	put := func(name string, text []byte) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(stateOf(dir), name), text, 0o640) }
	}
	link := func(name, to string) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			return firstOf(os.Remove(path), os.Symlink(to, path))
		}
	}
	read := func(dir, name string) []byte {
		text, err := os.ReadFile(filepath.Join(stateOf(dir), name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for what, a := range map[string]struct {
		change func(dir string) error
		words  []string
	}{
		"two files have each other's text":           {swap(f.files[1], f.files[2]), []string{stem(f.files[1])}},
		"a backup and the live file":                 {swap(f.files[2], f.files[3]), []string{f.files[2]}},
		"two files have each other's names":          {swapNames(f.files[1], f.files[2]), []string{"fault"}},
		"a backup stands twice":                      {copyTo(f.files[2], base+".20200101-000000"), []string{"fault"}},
		"a backup stands twice, later":               {copyTo(f.files[2], base+".20991231-000000"), []string{"fault"}},
		"the live file is empty":                     {truncated(base, 0), []string{"journal ends at"}},
		"a checkpoint of a namesake":                 {put("checkpoint", namesake.late), []string{"not signed by the key"}},
		"a checkpoint of another journal of the key": {put("checkpoint", same), []string{"fault"}},
		"an empty checkpoint":                        {put("checkpoint", nil), []string{"not signed by the key"}},
		"a checkpoint without its signature": {func(dir string) error {
			text, _, _ := bytes.Cut(read(dir, "checkpoint"), []byte("\n\n"))
			return put("checkpoint", append(text, "\n\n"...))(dir)
		}, []string{"not signed by the key"}},
		"a checkpoint with a line more": {func(dir string) error {
			return put("checkpoint", bytes.Replace(read(dir, "checkpoint"), []byte("\n\n"), []byte("\nmore\n\n"), 1))(dir)
		}, []string{"not signed by the key"}},
		"a checkpoint with CRLF": {func(dir string) error {
			return put("checkpoint", bytes.ReplaceAll(read(dir, "checkpoint"), []byte("\n"), []byte("\r\n")))(dir)
		}, []string{"not signed by the key"}},
		"a checkpoint of many megabytes": {put("checkpoint", bytes.Repeat([]byte("x\n"), 1<<22)), []string{"fault"}},
		"an early checkpoint":            {put("checkpoint", f.early), []string{"rolled back"}},
		"all state as it was early": {func(dir string) error {
			return firstOf(put("checkpoint", f.early)(dir), put("checkpoints", f.early)(dir), os.Remove(filepath.Join(stateOf(dir), "reserve")))
		}, []string{"fault"}},
		"the state is of another journal": {func(dir string) error {
			return firstOf(os.RemoveAll(stateOf(dir)), os.CopyFS(stateOf(dir), os.DirFS(namesake.sealDir())))
		}, []string{"not signed by the key"}},
		"the state is cut":                     {cutAll, []string{"fault"}},
		"the live file is a link to a copy":    {link(base, filepath.Join(f.dir, f.files[2])), []string{"fault"}},
		"a backup is a link to nothing":        {link(f.files[2], "nowhere"), []string{"fault"}},
		"a backup is a link to another backup": {link(f.files[2], f.files[1]), []string{"fault"}},
		"the checkpoint is a link to an early one": {func(dir string) error {
			early := filepath.Join(dir, "early")
			path := filepath.Join(stateOf(dir), "checkpoint")
			return firstOf(os.WriteFile(early, f.early, 0o640), os.Remove(path), os.Symlink(early, path))
		}, []string{"rolled back"}},
		"the state is a file": {func(dir string) error {
			return firstOf(os.RemoveAll(stateOf(dir)), os.WriteFile(stateOf(dir), []byte("x"), 0o640))
		}, []string{"fault"}},
		"a forged note of removal": {func(dir string) error {
			note := `{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"::","source_port":0,"message":` +
				`{"ID":"JRN","event":"pruned","origin":"` + origin + `","before":100000,"limit":"max_backups","edge":[]}}` + "\n"
			for _, name := range f.files[:3] {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					return err
				}
			}
			return os.WriteFile(filepath.Join(dir, base), []byte(note), 0o640)
		}, []string{"fault"}},
	} {
		dir := f.copied(t)
		if err := a.change(dir); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		v, err := verifyAny(t, dir, f)
		if err != nil {
			continue // It cannot be read, which is said.
		}
		if len(v.Faults) == 0 {
			t.Errorf("%s: it verifies:\n%s", what, texts(v))
		}
		for _, word := range a.words {
			if !strings.Contains(texts(v), word) {
				t.Errorf("%s: %q is not in:\n%s", what, word, texts(v))
			}
		}
	}
}

// verifyAny verifies what may be unreadable, with the identity.
func verifyAny(t *testing.T, dir string, f *fixture) (seal.Verdict, error) {
	t.Helper()
	key, err := seal.ReadVerifier(f.vkey)
	if err != nil {
		t.Fatal(err)
	}
	o := seal.VerifyOptions{Dir: stateOf(dir), Key: key}
	o.Options.Dir, o.Options.Base, o.Decrypter = dir, base, f.identities
	return seal.Verify(context.Background(), o)
}

func swapNames(a, b string) func(string) error {
	return func(dir string) error {
		// Each keeps its own ending, so that it can be read.
		to := func(name, as string) string { return filepath.Join(dir, stem(as)+strings.TrimPrefix(name, stem(name))) }
		aside := filepath.Join(dir, "aside")
		return firstOf(os.Rename(filepath.Join(dir, a), aside), os.Rename(filepath.Join(dir, b), to(b, a)), os.Rename(aside, to(a, b)))
	}
}

func copyTo(from, to string) func(string) error {
	return func(dir string) error {
		text, err := os.ReadFile(filepath.Join(dir, from))
		return firstOf(err, os.WriteFile(filepath.Join(dir, to), text, 0o640))
	}
}

func truncated(name string, size int64) func(string) error {
	return func(dir string) error { return os.Truncate(filepath.Join(dir, name), size) }
}

// cutAll halves each file of the state.
func cutAll(dir string) error {
	return filepath.WalkDir(stateOf(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		return firstOf(err, os.Truncate(path, info.Size()/2))
	})
}

// sameKey is the last checkpoint of another journal that the key of f has sealed.
func sameKey(t *testing.T, f *fixture) []byte {
	t.Helper()
	w := newWorld(t)
	w.key = f.key
	w.open()
	w.send(700)
	w.sealed()
	w.close()
	return w.note()
}

// TestCopyOfAJournalThatIsWrittenVerifies: files that are copied one after the other, as cp does it, are of different moments.
func TestCopyOfAJournalThatIsWrittenVerifies(t *testing.T) {
	w := newWorld(t)
	w.opts.MaxBytes = 40_000
	w.open()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				w.send(20)
				<-time.After(time.Millisecond)
			}
		}
	}()
	defer func() { close(stop); <-done; w.close() }()
	w.until("rotated", func() bool { return w.journal.Stats().Backups > 2 })
	for range 5 {
		dir := t.TempDir()
		// In the order that the README gives. Temporary files of the state may vanish meanwhile.
		if out, err := exec.CommandContext(t.Context(), "cp", "-r", w.state(), dir).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("cannot stat")) {
			t.Fatalf("%v: %s", err, out)
		}
		if out, err := exec.CommandContext(t.Context(), "cp", filepath.Join(w.sealDir(), "checkpoint"), stateOf(dir)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, pattern := range []string{base, base + ".*"} {
			files, err := filepath.Glob(w.path(pattern))
			if err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "cp", append(files, dir)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		if v := verify(t, dir, w.vkey, timeless); len(v.Faults) > 0 {
			t.Fatalf("got %s", texts(v))
		}
	}
}

func TestProofsWithOddWhiteSpaceProveNothing(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(30)
	w.close()
	key, err := seal.ReadVerifier(w.vkey)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.TrimSuffix(w.lines()[7], []byte("\n"))
	o := seal.VerifyOptions{Dir: w.sealDir(), Key: key}
	o.Options.Dir, o.Options.Base = w.dir, base
	proofs, err := seal.Prove(t.Context(), o, [][]byte{line})
	if err != nil {
		t.Fatal(err)
	}
	whole := proofs[0].Text
	if _, _, err := seal.CheckProof(whole, line, key); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, odd := range []string{" ", "\t", "\n", "\r", "\v", "\u00a0", "\ufeff", "\u2028", "\x00"} {
			text := slices.Concat(whole[:i], []byte(odd), whole[i:])
			if _, _, err := seal.CheckProof(text, line, key); err == nil && !isInSignatures(whole, i) {
				t.Errorf("%q at byte %d is accepted", odd, i)
			}
		}
	}
	for _, text := range [][]byte{
		append(bytes.Clone(whole), ' '), append(bytes.Clone(whole), '\n'), whole[:len(whole)-1], bytes.TrimSpace(whole),
		bytes.ReplaceAll(whole, []byte("\n"), []byte("\r\n")), append([]byte("\ufeff"), whole...), bytes.ToUpper(whole), nil,
	} {
		if _, _, err := seal.CheckProof(text, line, key); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for _, other := range [][]byte{append(bytes.Clone(line), '\n'), append(bytes.Clone(line), '\r'), append([]byte(" "), line...), nil} {
		if _, _, err := seal.CheckProof(whole, other, key); err == nil {
			t.Errorf("the line %q is proved", other)
		}
	}
}

// isInSignatures reports whether a byte is in the signature lines, of which those of unknown keys are left alone.
func isInSignatures(whole []byte, i int) bool { return i > bytes.LastIndex(whole, []byte("\n\n")) }

// TestStateOfAnOlderBackupIsNotGoneOnWith: the state is restored from an older copy, and the journal is as it was left.
func TestStateOfAnOlderBackupIsNotGoneOnWith(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(40)
	w.close()
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(w.sealDir())); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.send(40)
	w.rotate()
	w.send(40)
	w.close()
	newest := w.note()
	if err := firstOf(os.RemoveAll(w.sealDir()), os.CopyFS(w.sealDir(), os.DirFS(old))); err != nil {
		t.Fatal(err)
	}
	outside := func(o *seal.VerifyOptions) { o.Checkpoints = []seal.Outside{{Name: "ck.txt", Note: newest}} }
	wantWords(t, texts(verify(t, w.dir, w.vkey)), []string{"fault", "was not written by the daemon"})
	wantWords(t, texts(verify(t, w.dir, w.vkey, outside)), []string{"rolled back: ck.txt"})
	w.open()
	w.send(10)
	w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
	w.close()
	v := verify(t, w.dir, w.vkey, outside)
	if len(v.Faults) == 0 {
		t.Errorf("after a start it verifies: %s", texts(v))
	}
}

// TestKeyFileThatIsReplacedIsRefused also when the new key has the old name.
func TestKeyFileThatIsReplacedIsRefused(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(20)
	w.close()
	before := w.note()
	other := newWorld(t)
	w.key = other.key
	w.open()
	w.send(20)
	w.until("refused", func() bool { return strings.Contains(w.sealer.Figures().Error, "not signed by the key") })
	w.close()
	if !bytes.Equal(w.note(), before) {
		t.Error("the other key has signed")
	}
	if v := verify(t, w.dir, other.vkey); len(v.Faults) == 0 {
		t.Errorf("by the other key it verifies: %s", texts(v))
	}
}

// The seal's ledger says which lines stood in the journal before it was sealed, and is signed by nobody.
func TestALineIsNotTakenForOneFromBeforeTheSealBecauseTheLedgerSaysSo(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(100)
	w.sealed()
	w.rotate()
	w.send(100)
	w.sealed()
	w.close()
	backups, err := names.Backups(w.dir, base)
	if err != nil || len(backups) != 1 {
		t.Fatal(err, backups)
	}
	path := w.path(backups[0].Name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	before := bytes.Join(lines[:50], nil)
	forged := bytes.Replace(lines[50], []byte(`"ID":"HTB"`), []byte(`"ID":"HTB","forged":true`), 1)
	if err := os.WriteFile(path, slices.Concat(before, forged, text[len(before):]), 0o640); err != nil {
		t.Fatal(err)
	}
	ledger := filepath.Join(w.sealDir(), "files")
	all, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	record := ""
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, `"name":"`+backups[0].Name) {
			record = strings.TrimSuffix(strings.TrimSpace(line), "}")
		}
	}
	record += fmt.Sprintf(`,"skip":[{"from":%d,"to":%d,"before":true}]}`+"\n", len(before), len(before)+len(forged))
	if err := os.WriteFile(ledger, append(all, record...), 0o640); err != nil {
		t.Fatal(err)
	}
	v := verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.FromSeal = true })
	if len(v.Faults) == 0 {
		t.Errorf("a forged line stands among the sealed ones, and verify --from-seal says: %s", texts(v))
	}
}
