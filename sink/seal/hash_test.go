package seal

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func testLeaf(i int) []byte { return fmt.Appendf(nil, `{"timestamp":%d.000}`, i) }

// stored is the storage of package tlog, which is another implementation of the tree.
type stored []Hash

func (s *stored) ReadHashes(indexes []int64) ([]Hash, error) {
	var found []Hash
	for _, i := range indexes {
		found = append(found, (*s)[i])
	}
	return found, nil
}

func (s *stored) add(t *testing.T, i int, line []byte) {
	more, err := tlog.StoredHashes(int64(i), line, s)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, more...)
}

func TestRootsAreThoseOfTlog(t *testing.T) {
	var e edge
	var s stored
	for n := range 2001 {
		want, err := tlog.TreeHash(int64(n), &s)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.root(); n > 0 && got != want { // Of the empty tree tlog gives zeros.
			t.Fatalf("size %d: got %v, want %v", n, got, want)
		}
		if !e.whole() {
			t.Fatalf("size %d: %d hashes", n, len(e.hashes))
		}
		e.add(LeafHash(testLeaf(n)))
		s.add(t, n, testLeaf(n))
	}
}

func TestFullTilesAreGivenInOrder(t *testing.T) {
	var s stored
	var tiles []Hash
	e := edge{node: func(level int, h Hash) {
		if level == 8 {
			tiles = append(tiles, h)
		}
	}}
	for n := range 1300 {
		e.add(LeafHash(testLeaf(n)))
		s.add(t, n, testLeaf(n))
	}
	var want []Hash
	for i := range int64(5) {
		want = append(want, s[tlog.StoredHashIndex(8, i)])
	}
	if !slices.Equal(tiles, want) {
		t.Errorf("got %d tiles, want %d; or they differ", len(tiles), len(want))
	}
}

func TestLinesAreHashedWhereTheyStand(t *testing.T) {
	text := []byte("\x7fone\n\ntwo\nthree\nrest")
	var got []Hash
	var starts []int
	hashLines(text, func(h Hash, start int) { got, starts = append(got, h), append(starts, start) })
	want := []Hash{LeafHash([]byte("one")), LeafHash(nil), LeafHash([]byte("two")), LeafHash([]byte("three"))}
	if !slices.Equal(got, want) || !slices.Equal(starts, []int{1, 5, 6, 10}) {
		t.Errorf("got %v at %v", got, starts)
	}
	if LeafHash([]byte("one")) != tlog.RecordHash([]byte("one")) {
		t.Error("a leaf is not that of tlog")
	}
}

func BenchmarkLines(b *testing.B) {
	line := append(bytes.Repeat([]byte("x"), 279), '\n')
	text := append([]byte{0}, bytes.Repeat(line, 1000)...)
	b.SetBytes(int64(len(text)))
	var e edge
	for b.Loop() {
		hashLines(text, func(h Hash, _ int) { e.add(h) })
		for i := 280; i < len(text); i += 280 {
			text[i] = '\n'
		}
	}
}
