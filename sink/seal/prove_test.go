package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/seal"
)

func (w *world) verifyOptions() seal.VerifyOptions {
	w.t.Helper()
	key, err := seal.ReadVerifier(w.vkey)
	if err != nil {
		w.t.Fatal(err)
	}
	return seal.VerifyOptions{Options: read.Options{Dir: w.dir, Base: base}, Dir: w.sealDir(), Key: key}
}

func (f *fixture) verifyOptions() seal.VerifyOptions {
	o := f.world.verifyOptions()
	o.Decrypter = f.identities
	return o
}

func TestEveryKeptLineIsProved(t *testing.T) {
	f := newFixture(t)
	var wanted [][]byte
	for _, name := range f.files {
		for line := range bytes.Lines(f.text(t, f.path(name))) {
			wanted = append(wanted, bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	proofs, err := seal.Prove(t.Context(), f.verifyOptions(), append(wanted, []byte("no such line")))
	if err != nil {
		t.Fatal(err)
	}
	if last := proofs[len(proofs)-1]; last.Text != nil {
		t.Errorf("a line that is not there is proved: %+v", last)
	}
	for i, p := range proofs[:len(wanted)] {
		c, index, err := seal.CheckProof(p.Text, wanted[i], f.verifyOptions().Key)
		if err != nil || c.Size == 0 || index != p.Index {
			t.Fatalf("line %d: %v\n%s", i, err, p.Text)
		}
	}
	if proofs[0].Index == 0 || proofs[1].Index != proofs[0].Index+1 {
		t.Errorf("got indexes %d, %d", proofs[0].Index, proofs[1].Index)
	}
}

func TestAlteredProofsDoNotProve(t *testing.T) {
	f := newFixture(t)
	line := bytes.TrimSuffix(bytes.SplitAfter(f.text(t, f.path(f.files[2])), []byte("\n"))[7], []byte("\n"))
	key := f.verifyOptions().Key
	proofs, err := seal.Prove(t.Context(), f.verifyOptions(), [][]byte{line})
	if err != nil {
		t.Fatal(err)
	}
	text := string(proofs[0].Text)
	if _, _, err := seal.CheckProof([]byte(text), line, key); err != nil {
		t.Fatal(err)
	}
	check := func(what, text string, line []byte) {
		t.Helper()
		if _, _, err := seal.CheckProof([]byte(text), line, key); !errors.Is(err, seal.ErrNotProved) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	check("another line", text, append(bytes.Clone(line), ' '))
	check("carriage returns", strings.ReplaceAll(text, "\n", "\r\n"), line)
	check("bytes at the end", text+"x", line)
	check("a line at the end", text+"\n", line)
	check("no checkpoint", text[:strings.Index(text, "\n\n")+2], line)
	check("a zero before the index", strings.Replace(text, "index ", "index 0", 1), line)
	check("another index", strings.Replace(text, "index ", "index 1", 1), line)
	check("another origin", strings.Replace(text, origin+"\n", origin+"x\n", 1), line)
	check("too long", text+strings.Repeat("x", 1<<20), line)
	rows := strings.Split(text, "\n")
	for i := range rows[:strings.Count(text, "\n")-1] {
		if len(rows[i]) < 4 {
			continue
		}
		flipped := append([]string(nil), rows...)
		flipped[i] = rows[i][:3] + string(rows[i][3]^1) + rows[i][4:]
		check("a bit of row "+rows[i], strings.Join(flipped, "\n"), line)
		check("without row "+rows[i], strings.Join(append(append([]string(nil), rows[:i]...), rows[i+1:]...), "\n"), line)
	}
	other := newFixture(t)
	if _, _, err := seal.CheckProof([]byte(text), line, other.verifyOptions().Key); !errors.Is(err, seal.ErrNotProved) {
		t.Errorf("another key: %v", err)
	}
}

func TestOfEqualLinesTheFirstIsProved(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(3)
	line := []byte(foreignLine)
	for range 3 {
		if err := w.journal.Append(line, 1); err != nil {
			t.Fatal(err)
		}
	}
	w.close()
	proofs, err := seal.Prove(t.Context(), w.verifyOptions(), [][]byte{bytes.TrimSuffix(line, []byte("\n"))})
	if err != nil || proofs[0].Same != 2 || proofs[0].Text == nil {
		t.Errorf("got %+v, %v", proofs, err)
	}
}
