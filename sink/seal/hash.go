package seal

import (
	"bytes"
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the tree.
type Hash = tlog.Hash

const hashBytes = tlog.HashSize

// LeafHash is the leaf of a line, which is given without its newline.
func LeafHash(line []byte) Hash {
	return sha256.Sum256(append([]byte{leafMark}, line...))
}

// The first bytes of what is hashed, by which RFC 6962 tells leaves from the nodes above them.
const (
	leafMark = 0
	nodeMark = 1
)

func nodeHash(left, right Hash) Hash {
	var b [1 + 2*hashBytes]byte
	b[0] = nodeMark
	copy(b[1:], left[:])
	copy(b[1+hashBytes:], right[:])
	return sha256.Sum256(b[:])
}

// hashLines gives the leaf of each line in text[1:], which ends with a newline. It puts the mark of a leaf over the byte
// before a line, text[0] for the first and the newline of the line before for all others, and so need not copy what it
// hashes. leaf is called with where in text the line starts.
func hashLines(text []byte, leaf func(h Hash, start int)) {
	start := 1
	for i := 1; i < len(text); {
		n := bytes.IndexByte(text[i:], '\n')
		if n < 0 {
			return
		}
		text[start-1] = leafMark
		leaf(sha256.Sum256(text[start-1:i+n]), start)
		i += n + 1
		start = i
	}
}

// An edge is the right side of a tree: the hashes of the complete subtrees that its leaves make, the largest first. Any tree
// that goes on from there can be computed from it. The zero value is the edge of the empty tree.
type edge struct {
	size   int64
	hashes []Hash

	// node, if not nil, is told each node of a full tile, and of a tile of full tiles, as it comes to be: level 8 or 16.
	node func(level int, h Hash)
	// watch, if not nil, is told each node below a full tile, with the first of its leaves and their number.
	watch func(start, count int64, h Hash)
	// joined, if not nil, is told of two subtrees that become one; the right one starts with the leaf mid and ends before end.
	joined func(left, right Hash, start, mid, end int64)
}

// tileBits is the height of a tile: 256 hashes.
const tileBits = 8

func newEdge(size int64, hashes []Hash) edge {
	return edge{size: size, hashes: append([]Hash(nil), hashes...)}
}

// whole reports whether there are as many hashes as the size asks for.
func (e *edge) whole() bool { return e.size >= 0 && len(e.hashes) == bits.OnesCount64(uint64(e.size)) }

// add adds a leaf at the end.
func (e *edge) add(h Hash) {
	level := 0
	if e.watch != nil {
		e.watch(e.size, 1, h)
	}
	for n := e.size; n&1 == 1; n >>= 1 {
		left := e.hashes[len(e.hashes)-1]
		e.hashes = e.hashes[:len(e.hashes)-1]
		if e.joined != nil {
			e.joined(left, h, e.size+1-2<<level, e.size+1-1<<level, e.size+1)
		}
		h = nodeHash(left, h)
		if level++; level%tileBits == 0 && e.node != nil {
			e.node(level, h)
		}
		if e.watch != nil && level < tileBits {
			e.watch(e.size+1-1<<level, 1<<level, h)
		}
	}
	e.hashes = append(e.hashes, h)
	e.size++
}

// root is the hash of the tree.
func (e *edge) root() Hash {
	if len(e.hashes) == 0 {
		return sha256.Sum256(nil)
	}
	last := len(e.hashes) - 1
	h := e.hashes[last]
	start := e.size - int64(1)<<bits.TrailingZeros64(uint64(e.size))
	for i := last - 1; i >= 0; i-- {
		mid := start
		start = mid - int64(1)<<bits.TrailingZeros64(uint64(mid))
		if e.joined != nil {
			e.joined(e.hashes[i], h, start, mid, e.size)
		}
		h = nodeHash(e.hashes[i], h)
	}
	return h
}

// clone is a copy that goes on by itself, without the callbacks.
func (e *edge) clone() edge { return newEdge(e.size, e.hashes) }
