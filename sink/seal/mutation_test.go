package seal_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// readText is what a file of a journal holds, whatever it is compressed with.
func readText(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return unpack(t, path, bytes.NewReader(raw))
}

// unpack reads what a file of this name is compressed with.
func unpack(t *testing.T, path string, r io.Reader) []byte {
	t.Helper()
	var err error
	switch filepath.Ext(path) {
	case ".gz":
		r, err = gzip.NewReader(r)
	case ".zst":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// pack is the inverse of unpack.
func pack(path string, text []byte) []byte {
	var raw bytes.Buffer
	switch filepath.Ext(path) {
	case ".gz":
		w := gzip.NewWriter(&raw)
		w.Write(text)
		w.Close()
	case ".zst":
		w, _ := zstd.NewWriter(&raw)
		w.Write(text)
		w.Close()
	default:
		raw.Write(text)
	}
	return raw.Bytes()
}

// writeText replaces what a file holds.
func writeText(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, pack(path, text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// edit changes the lines of a file.
func edit(change func(lines [][]byte) [][]byte) func(text []byte) []byte {
	return func(text []byte) []byte { return bytes.Join(change(slices.Collect(bytes.Lines(text))), nil) }
}

func remove(i, n int) func([][]byte) [][]byte {
	return func(lines [][]byte) [][]byte {
		at := i
		if at < 0 {
			at += len(lines)
		}
		return slices.Delete(lines, at, at+n)
	}
}

func insert(i int, line string) func([][]byte) [][]byte {
	return func(lines [][]byte) [][]byte {
		at := i
		if at < 0 {
			at += len(lines) + 1
		}
		return slices.Insert(lines, at, []byte(line))
	}
}

const foreignLine = `{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"192.168.1.100","source_port":45678,"message":{"ID":"HTB"}}` + "\n"

// lineMutations are changes to the lines of any file, and the number of the line that must be named; 0: any.
var lineMutations = map[string]struct {
	change func(text []byte) []byte
	line   int
}{
	"a letter of the first line": {edit(func(l [][]byte) [][]byte { l[0][20] ^= 1; return l }), 1},
	"a letter of a line":         {edit(func(l [][]byte) [][]byte { l[11][100] ^= 4; return l }), 12},
	"a letter of the last line":  {edit(func(l [][]byte) [][]byte { l[len(l)-1][30] ^= 8; return l }), 0},
	"the first line is gone":     {edit(remove(0, 1)), 1},
	"a line is gone":             {edit(remove(10, 1)), 11},
	"the last line is gone":      {edit(remove(-1, 1)), 0},
	"the last lines are gone":    {edit(remove(-7, 7)), 0},
	"two lines are swapped":      {edit(func(l [][]byte) [][]byte { l[4], l[9] = l[9], l[4]; return l }), 5},
	"a line stands twice": {edit(func(l [][]byte) [][]byte {
		return slices.Insert(l, 15, l[14])
	}), 16},
	"a line is put in":         {edit(insert(20, foreignLine)), 21},
	"a line is put in front":   {edit(insert(0, foreignLine)), 1},
	"a line is put at the end": {edit(insert(-1, foreignLine)), 0},
	"a line becomes two":       {edit(func(l [][]byte) [][]byte { l[8][60] = '\n'; return l }), 9},
	"all is gone":              {edit(func([][]byte) [][]byte { return nil }), 0},
}

func TestChangedLinesAreFoundInFilesOfEachKind(t *testing.T) {
	f := newFixture(t)
	for _, name := range f.files {
		for what, m := range lineMutations {
			t.Run(filepath.Ext(name)+" "+what, func(t *testing.T) {
				dir := f.copied(t)
				path := filepath.Join(dir, name)
				f.put(t, path, m.change(f.text(t, path)))
				v := f.verify(t, dir)
				if len(v.Faults) == 0 {
					t.Fatalf("it verifies:\n%s", texts(v))
				}
				compressed := name != stem(name)
				if !strings.Contains(texts(v), stem(name)) {
					t.Errorf("%s is not named:\n%s", name, texts(v))
				}
				if at := fmt.Sprintf("%s:%d: ", name, m.line); m.line > 0 && !compressed && !strings.Contains(texts(v), at) {
					t.Errorf("%s is not named:\n%s", at, texts(v))
				}
			})
		}
	}
}

// stem is the name of a backup without what compression added to it.
func stem(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".age"), ".gz"), ".zst")
}

func TestTruncationAtAnyByteIsFound(t *testing.T) {
	f := newFixture(t)
	dir := f.copied(t)
	// Under this name the end of the file is not waited for, as it is of a file that may be written.
	live := filepath.Join(dir, base+".20991231-235959")
	if err := os.Rename(filepath.Join(dir, base), live); err != nil {
		t.Fatal(err)
	}
	text := readText(t, live)
	lines := slices.Collect(bytes.Lines(text))
	last := len(bytes.Join(lines[len(lines)-3:], nil))
	step := 29 // At every byte in a soak.
	if os.Getenv("SEAL_FLIPS") != "" {
		step = 1
	}
	for cut := 1; cut <= last; cut++ {
		if cut%step != 0 && text[len(text)-cut] != '\n' && text[len(text)-cut-1] != '\n' && cut > 3 {
			continue
		}
		writeText(t, live, text[:len(text)-cut])
		v := f.verify(t, dir)
		// Of the last line its newline alone is no part of what is sealed.
		if got := len(v.Faults) > 0; got != (cut > 1) || got && !strings.Contains(texts(v), base) {
			t.Fatalf("%d bytes cut off: %s", cut, texts(v))
		}
	}
}

func TestMissingAndForeignFilesAreFound(t *testing.T) {
	f := newFixture(t)
	other := newFixture(t)
	test := func(what string, change func(dir string), words ...string) {
		t.Helper()
		dir := f.copied(t)
		change(dir)
		v := f.verify(t, dir)
		if len(v.Faults) == 0 {
			t.Errorf("%s: it verifies:\n%s", what, texts(v))
		}
		wantWords(t, texts(v), words)
	}
	for i, name := range f.files[:3] {
		test("removed", func(dir string) { os.Remove(filepath.Join(dir, name)) }, "are missing", stem(name))
		test("another's", func(dir string) {
			f.put(t, filepath.Join(dir, name), other.text(t, filepath.Join(other.dir, other.files[i])))
		}, name)
	}
	test("the live file removed", func(dir string) { os.Remove(filepath.Join(dir, base)) }, "journal ends at")
	for _, name := range f.files[:2] {
		raw, _ := os.ReadFile(filepath.Join(f.dir, name))
		for range 10 {
			flipped := bytes.Clone(raw)
			flipped[100+rand.IntN(len(raw)-100)] ^= 1 << rand.IntN(8) // Behind the header, which has the name.
			test("a bit of a compressed file", func(dir string) {
				if err := os.WriteFile(filepath.Join(dir, name), flipped, 0o640); err != nil {
					t.Fatal(err)
				}
			}, stem(name)) // Whose age header is hit cannot be opened, and goes by the name that the seal knows.
		}
	}
}

func TestWhatOthersMayDoWithTheFilesVerifies(t *testing.T) {
	f := newFixture(t)
	test := func(what string, change func(dir string), words ...string) {
		t.Helper()
		dir := f.copied(t)
		change(dir)
		v := f.verify(t, dir)
		if len(v.Faults) > 0 {
			t.Errorf("%s: %s", what, texts(v))
		}
		wantWords(t, texts(v), words)
	}
	move := func(dir, from, to string) {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	test("renamed as logrotate does", func(dir string) {
		move(dir, f.files[0], f.files[0]+".1")
		move(dir, f.files[2], f.files[2]+"-20260328")
	})
	test("compressed by others", func(dir string) {
		text := readText(t, filepath.Join(dir, f.files[2]))
		os.Remove(filepath.Join(dir, f.files[2]))
		writeText(t, filepath.Join(dir, f.files[2]+".gz"), text)
	})
	test("unpacked", func(dir string) {
		for _, name := range f.files[:2] {
			path := filepath.Join(dir, name)
			text := f.text(t, path)
			os.Remove(path)
			writeText(t, stem(path), text)
		}
	})
	test("moved over the border of two files", func(dir string) {
		a, b := filepath.Join(dir, f.files[2]), filepath.Join(dir, base)
		lines := slices.Collect(bytes.Lines(readText(t, a)))
		writeText(t, b, append(bytes.Join(lines[len(lines)-5:], nil), readText(t, b)...))
		writeText(t, a, bytes.Join(lines[:len(lines)-5], nil))
	}, "lines were moved over the border of files")
	test("all files named", func(dir string) {})
}

func TestStateThatIsGoneMakesNothingWrong(t *testing.T) {
	f := newFixture(t)
	gone := [][]string{{"leaves"}, {"tiles.1"}, {"tiles.2"}, {"edges"}, {"files"}, {"reserve"}, {"checkpoints"}}
	gone = append(gone, slices.Concat(gone...))
	for _, names := range gone {
		dir := f.copied(t)
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(seal.DirOf(rotate.StateDir(dir, base)), name)); err != nil {
				t.Fatal(err)
			}
		}
		if v := f.verify(t, dir); len(v.Faults) > 0 {
			t.Errorf("without %v: %s", names, texts(v))
		}
	}
	for _, name := range []string{"checkpoint", ""} {
		dir := f.copied(t)
		os.RemoveAll(filepath.Join(seal.DirOf(rotate.StateDir(dir, base)), name))
		v := f.verify(t, dir)
		if len(v.Faults) != 1 {
			t.Errorf("without %q: %s", name, texts(v))
		}
		wantWords(t, texts(v), []string{"no seal"})
	}
}

func TestRandomBitsNeverVerifyWrongly(t *testing.T) {
	f := newFixture(t)
	var paths []string
	err := filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, _ := d.Info(); info.Size() > 0 {
				paths = append(paths, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	for _, name := range f.files {
		want[name] = f.text(t, filepath.Join(f.dir, name))
	}
	for range repeats(t, "SEAL_FLIPS", 20) {
		path := paths[rand.IntN(len(paths))]
		name, _ := filepath.Rel(f.dir, path)
		raw, _ := os.ReadFile(path)
		at := rand.IntN(len(raw))
		raw[at] ^= 1 << rand.IntN(8)
		dir := f.copied(t)
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o640); err != nil {
			t.Fatal(err)
		}
		v := f.verify(t, dir)
		if len(v.Faults) > 0 || want[name] == nil {
			continue // It is found; or it is of the state, and what it is of the journal is as it was.
		}
		if got := f.text(t, filepath.Join(dir, name)); !bytes.Equal(bytes.TrimSuffix(got, []byte("\n")), bytes.TrimSuffix(want[name], []byte("\n"))) {
			t.Errorf("byte %d of %s: it verifies", at, name)
		}
	}
}

func TestOtherKeysDoNotVerify(t *testing.T) {
	f := newFixture(t)
	other := newFixture(t)
	v := verify(t, f.dir, other.vkey)
	wantWords(t, texts(v), []string{"not signed by the key"})
	dir := f.copied(t)
	state := seal.DirOf(rotate.StateDir(dir, base))
	if err := os.WriteFile(filepath.Join(state, "checkpoint"), other.late, 0o640); err != nil {
		t.Fatal(err)
	}
	if v := f.verify(t, dir); len(v.Faults) == 0 {
		t.Errorf("signed by another key: %s", texts(v))
	}
}
