package seal

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// watched is a size at which the edge was kept, and of which the nodes from there to the end of its tile are still to come. With
// both, every tree that goes on from that size can be proved to extend it when all leaves are gone.
type watched struct {
	size  int64
	next  int64 // the first leaf of the node that comes next
	edge  []Hash
	right []Hash
}

// keepEdge keeps the edge at the present size, and what follows in its tile as soon as it is there.
func (w *work) keepEdge() error {
	size := w.tree.size
	if size%(1<<tileBits) != 0 {
		w.watching = append(w.watching, &watched{size: size, next: size, edge: append([]Hash(nil), w.tree.hashes...)})
		w.tree.watch = w.watch
	}
	return w.s.dir.putEdge(&w.tree)
}

// see takes the node that comes next.
func (o *watched) see(start, count int64, h Hash) {
	if start == o.next && count == start&-start {
		o.right, o.next = append(o.right, h), start+count
	}
}

// watch is told the nodes of the tree below full tiles.
func (w *work) watch(start, count int64, h Hash) {
	var left []*watched
	for _, one := range w.watching {
		one.see(start, count, h)
		if one.next%(1<<tileBits) != 0 {
			left = append(left, one)
			continue
		}
		whole := edge{size: one.size, hashes: append(one.edge, one.right...)}
		if err := w.s.dir.putEdge(&whole); err != nil {
			w.edgeErr = errors.Join(w.edgeErr, err)
		}
	}
	if w.watching = left; len(left) == 0 {
		w.tree.watch = nil
	}
}

// watchAgain goes on with the sizes whose edges a process before this one has kept. It returns those that are still to be passed;
// of the others that are in the present tile it takes from the leaves what has been passed.
func (w *work) watchAgain() map[int64]bool {
	again := map[int64]bool{}
	entries, err := os.ReadDir(w.s.dir.path(dirEdges))
	if err != nil {
		return again
	}
	tile := w.tree.size &^ (1<<tileBits - 1)
	for _, e := range entries {
		size, err := strconv.ParseInt(e.Name(), 10, 64)
		switch {
		case err != nil || size <= tile:
		case size >= w.tree.size:
			again[size] = true
		default:
			w.resume(size)
		}
	}
	return again
}

// resume goes on with a size before the present one, in the same tile.
func (w *work) resume(size int64) {
	e, ok := w.s.dir.edgeAt(size)
	passed, err := nodes{dir: w.s.dir}.row(0, size, w.tree.size-size)
	if !ok || err != nil {
		return // The leaves are gone: it will not be provable when the lines are.
	}
	one := &watched{size: size, next: size, edge: append([]Hash(nil), e.hashes...)}
	e.watch = one.see
	for _, h := range passed {
		e.add(h)
	}
	w.watching = append(w.watching, one)
	w.tree.watch = w.watch
}

// takeEdgeErr is why edges could not be kept since it was asked last.
func (w *work) takeEdgeErr() error {
	err := w.edgeErr
	w.edgeErr = nil
	if err != nil {
		return fmt.Errorf("keep what proves older checkpoints: %w", err)
	}
	return nil
}
