package fleet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// base is the name of the journals.
const base = "messages.journal"

// joined is all that a journal's files hold, one after another, by their names alone and past all of our own code.
func joined(dir string) (text []byte, err error) {
	for range 20 { // A file may be rotated, compressed or pruned between the look at the directory and the one into it.
		if text, err = joinOnce(dir); !errors.Is(err, os.ErrNotExist) {
			return text, err
		}
	}
	return text, err
}

func joinOnce(dir string) ([]byte, error) {
	names, err := fileNames(dir)
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, name := range names {
		if err := appendFile(&all, filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	again, err := fileNames(dir)
	if err == nil && !slices.Equal(names, again) {
		return nil, os.ErrNotExist
	}
	return all.Bytes(), err
}

// fileNames are those of a journal in order, of each backup one form only.
func fileNames(dir string) (names []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	live := false
	for _, f := range files {
		name := f.Name()
		stem := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
		switch {
		case name == base:
			live = true
		case !strings.HasPrefix(name, base+".2"):
		case len(names) > 0 && strings.HasPrefix(names[len(names)-1], stem):
			names[len(names)-1] = name // compressed, and the plain one not gone yet
		default:
			names = append(names, name)
		}
	}
	if live {
		names = append(names, base)
	}
	return names, nil
}

func appendFile(to *bytes.Buffer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var from io.Reader = f
	switch filepath.Ext(path) {
	case ".gz":
		if from, err = gzip.NewReader(f); err != nil {
			return err
		}
	case ".zst":
		d, err := zstd.NewReader(f)
		if err != nil {
			return err
		}
		defer d.Close()
		from = d
	}
	_, err = to.ReadFrom(from)
	return err
}

// differ says where two journals are not the same, or nil.
func differ(wantDir, gotDir string) error {
	want, err := joined(wantDir)
	if err != nil {
		return err
	}
	got, err := joined(gotDir)
	if err != nil {
		return err
	}
	if bytes.Equal(want, got) {
		return nil
	}
	n := 0
	for n < len(want) && n < len(got) && want[n] == got[n] {
		n++
	}
	line := bytes.Count(want[:n], []byte{'\n'})
	return fmt.Errorf("%s has %d lines (%d bytes), and %s %d (%d); they differ from line %d on: want %.150q, got %.150q",
		wantDir, bytes.Count(want, []byte{'\n'}), len(want), gotDir, bytes.Count(got, []byte{'\n'}), len(got), line,
		lineAt(want, n), lineAt(got, n))
}

func lineAt(text []byte, at int) []byte {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := bytes.Cut(text[start:], []byte{'\n'})
	return line
}

// linesOf counts the lines of a journal.
func linesOf(t testing.TB, dir string) int {
	t.Helper()
	text, err := joined(dir)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte{'\n'})
}
