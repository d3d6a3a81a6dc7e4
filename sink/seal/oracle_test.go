package seal

import (
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

// TestAnotherImplementationAgrees compares roots, edges and proofs with those of github.com/transparency-dev/merkle.
func TestAnotherImplementationAgrees(t *testing.T) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	theirs := factory.NewEmptyRange(0)
	var ours edge
	var all stored
	roots := [][]byte{}
	const most = 600
	for n := range most {
		root, err := theirs.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := ours.root(); n > 0 && string(root) != string(got[:]) {
			t.Fatalf("size %d: got root %x, want %x", n, got, root)
		}
		for i, h := range theirs.Hashes() {
			if string(h) != string(ours.hashes[i][:]) {
				t.Fatalf("size %d: the edge differs at %d", n, i)
			}
		}
		roots = append(roots, root)
		if err := theirs.Append(rfc6962.DefaultHasher.HashLeaf(testLeaf(n)), nil); err != nil {
			t.Fatal(err)
		}
		ours.add(LeafHash(testLeaf(n)))
		all.add(t, n, testLeaf(n))
	}
	for size := 1; size < most; size += 37 {
		for old := 1; old <= size; old += 11 {
			p, err := tlog.ProveTree(int64(size), int64(old), &all)
			if err == nil {
				err = proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old), uint64(size), plain(p), roots[old], roots[size])
			}
			if err != nil {
				t.Fatalf("from %d to %d: %v", old, size, err)
			}
		}
		for index := 0; index < size; index += 13 {
			p := pathOf(index, size)
			leaf := rfc6962.DefaultHasher.HashLeaf(testLeaf(index))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaf, plain(p), roots[size]); err != nil {
				t.Fatalf("line %d of %d: %v", index, size, err)
			}
		}
	}
}

func plain(hashes []Hash) [][]byte {
	var all [][]byte
	for _, h := range hashes {
		all = append(all, h[:])
	}
	return all
}

// pathOf is the proof that prove makes.
func pathOf(index, size int) []Hash {
	one := &path{Proof: Proof{Line: testLeaf(index)}}
	p := &paths{wanted: map[Hash][]*path{LeafHash(one.Line): {one}}, at: map[[2]int64][]*path{}}
	tree := edge{joined: p.joined}
	for n := range size {
		p.found(LeafHash(testLeaf(n)), int64(n))
		tree.add(LeafHash(testLeaf(n)))
	}
	tree.root()
	return one.hashes
}
