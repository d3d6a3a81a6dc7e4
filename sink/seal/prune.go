package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hbjournal/sink/journal"
)

// pruning is what the limits of the journal are about to remove.
type pruning struct {
	names []string // as they were rotated to, oldest first
	limit string
	done  chan struct{} // closed when it is noted, or will never be
}

// pruneWait bounds how long a removal waits for what is to be known of it: room that is needed comes first.
const pruneWait = 5 * time.Second

// Pruning is told that the backups of these names are about to be removed for a limit. When it returns, that is noted
// where it will be believed, or it cannot be noted soon.
func (s *Sealer) Pruning(names []string, limit string) {
	timeout := time.NewTimer(pruneWait)
	defer timeout.Stop()
	select {
	case <-s.settled:
	case <-s.closing:
	case <-timeout.C:
	}
	p := pruning{names: names, limit: limit, done: make(chan struct{})}
	s.mu.Lock()
	if len(s.sources) == 0 {
		ended := s.ended && s.work.running && s.work.stopped == nil
		s.mu.Unlock()
		if ended { // The journal is being closed, and nobody else uses work any more.
			s.logPrune(s.work.notePruned(p))
		}
		return
	}
	s.pruning = append(s.pruning, p)
	s.wakeLocked(0)
	s.mu.Unlock()
	select {
	case <-p.done:
	case <-s.closing:
	case <-timeout.C:
		s.opts.Log.Warn().Strs("backups", names).Msg("backups are removed before the seal could note that; it follows")
	}
}

// prune notes what is about to be removed, or has been since.
func (w *work) prune() {
	w.s.mu.Lock()
	all := w.s.pruning
	w.s.pruning = nil
	w.s.mu.Unlock()
	var later []pruning
	for _, p := range all {
		if w.isHashing(p.names) {
			later = append(later, p)
			continue
		}
		if err := w.notePruned(p); err != nil {
			w.s.logPrune(err)
			later = append(later, p)
			continue
		}
		close(p.done)
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.pruning = append(later, w.s.pruning...)
}

func (s *Sealer) logPrune(err error) {
	if err != nil {
		s.opts.Log.Error().Err(err).Msg("seal cannot note that backups are removed")
	}
}

// isHashing reports whether the last of these files has lines that are not hashed yet.
func (w *work) isHashing(names []string) bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, f := range w.s.sources {
		if f.name != "" && f.name == names[len(names)-1] {
			return true
		}
	}
	return false
}

func (w *work) notePruned(p pruning) error {
	var last *fileRecord
	for _, name := range p.names {
		if r := w.ledger.named(name); r != nil {
			last = r
		}
	}
	before, next := w.keptFrom(last)
	if before == 0 {
		return nil // They are older than the tree.
	}
	e, ok := w.s.dir.edgeAt(before)
	if !ok {
		if e, ok = w.edgeFromTiles(before); !ok {
			e = edge{} // With the tiles, the rest can still be proved.
		}
	}
	standing := w.standing
	standing.Pruned = &pruned{Before: before, Limit: p.limit, Edge: e.hashes}
	if before > w.checkpoint.Size { // What was never sealed would be missed at the next start.
		c, err := w.signAhead()
		if err != nil {
			return err
		}
		standing.Head = c.Note
	}
	w.number++
	if err := w.s.dir.putStanding(w.s.opts.Key, standing, w.number); err != nil {
		return err
	}
	w.standing = standing
	w.s.at(stepPruning)
	w.owePruned()
	err := w.ledger.remove(next, p.limit)
	w.s.at(stepPruned)
	return err
}

// signAhead makes a checkpoint of the tree while there may be no room for it.
func (w *work) signAhead() (Checkpoint, error) {
	if err := w.sync(); err != nil {
		return Checkpoint{}, fmt.Errorf("make durable what is to be sealed: %w", err)
	}
	w.edgeErr = errors.Join(w.edgeErr, w.keepEdge()) // By it older checkpoints are proved; on a full disk they are not, for a while.
	return w.s.opts.Key.signCheckpoint(w.origin, &w.tree)
}

// keptFrom returns the first line that is kept once the file of last is gone, and the file that it is in; last is nil if
// that was gone before there was a record of it.
func (w *work) keptFrom(last *fileRecord) (before int64, next *fileRecord) {
	for _, r := range w.ledger.files {
		if last == nil || r.Number > last.Number {
			next = r
			break
		}
	}
	switch {
	case last != nil:
		return last.First + last.Count, next
	case next == nil || w.standing.Pruned != nil && w.standing.Pruned.Before >= next.First:
		return 0, nil
	}
	return next.First, next
}

// owePruned has a note of what was removed written into the journal.
func (w *work) owePruned() {
	p := w.standing.Pruned
	n := journal.PrunedNote{Origin: w.origin, Before: uint64(p.Before), Limit: p.Limit}
	for _, h := range p.Edge {
		n.Edge = append(n.Edge, h)
	}
	w.notes.owe(aboutPruned, n.Append(nil))
}

// edgeFromTiles computes the edge at a size from what is kept of the tree.
func (w *work) edgeFromTiles(size int64) (edge, bool) {
	e := edge{size: size}
	at := int64(0)
	for level := 62; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := nodes{dir: w.s.dir}.at(level, at>>level)
		if err != nil {
			return edge{}, false
		}
		e.hashes = append(e.hashes, h)
		at += int64(1) << level
	}
	return e, true
}

// dropPacked removes the leaves of files that are not there as plain files any more: they can be computed from the text. Those
// in the last tile of a tree of this size are still needed.
func (d dir) dropPacked(l *ledger, journalDir string, size int64) error {
	var errs []error
	for _, r := range l.files {
		if r.Name == "" || (r.First+r.Count)>>tileBits == size>>tileBits {
			continue
		}
		if _, err := os.Lstat(filepath.Join(journalDir, r.Name)); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, d.drop(dirLeaves, r.First))
		}
	}
	return errors.Join(errs...)
}
