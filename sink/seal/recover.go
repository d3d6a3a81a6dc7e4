package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// ErrNotBegun is wrapped by the error of a seal that has no checkpoint although there is a journal: whether it was never
// sealed, or its state was taken away, nobody can tell, so a tree is only begun when a person says so.
var ErrNotBegun = errors.New("the journal holds lines and no checkpoint")

// prepare looks at the state before anything is written to the live file, which has this size. What takes long is left to
// recover.
func (w *work) prepare(size int64) {
	w.from = size
	for i := range w.tiles {
		w.tiles[i].path = w.s.dir.path(tileFiles[i])
	}
	if err := errors.Join(w.s.dir.make(), w.s.dir.mendCheckpoints()); err != nil {
		w.s.fail(err)
		return
	}
	c, err := w.load()
	switch {
	case w.s.opts.Purpose == Begin:
		w.s.fail(w.beginAnew(c))
		return
	case notThere(err) && w.isEmpty(size):
		w.s.fail(w.beginTree(w.s.opts.Key.name, journal.SealNote{}))
		return
	case err != nil:
		return // recover says so.
	}
	w.checkpoint, w.origin = c, c.Origin
	if err := w.keepKeys(c.Origin); err != nil {
		w.s.fail(err)
	}
	var found bool
	w.standing, w.number, found = w.s.dir.readStanding(w.s.opts.Key.Verifier(), c.Origin)
	w.killed = !found || w.standing.Open
	if found && !w.standing.Open {
		w.standing.Resumed = size
	}
	w.standing.Origin, w.standing.Open = c.Origin, true
	if err := w.putStanding(); err != nil {
		w.s.fail(err)
	}
	if !found {
		w.standing.Resumed = -1
	}
}

// beginAnew begins a tree because somebody says so; old is the last checkpoint of another, if there was one.
func (w *work) beginAnew(old Checkpoint) error {
	if old.Note != nil {
		if err := w.archive(old.Origin); err != nil {
			return fmt.Errorf("put the tree aside that there was: %w", err)
		}
	}
	return w.beginTree(w.s.opts.Key.name, journal.SealNote{})
}

// isEmpty reports whether the journal holds nothing.
func (w *work) isEmpty(size int64) bool {
	files, err := names.Files(w.s.opts.Dir, w.s.opts.Base)
	return err == nil && size == 0 && (len(files) == 0 || len(files) == 1 && files[0].Live())
}

// beginTree begins a new tree: with a checkpoint of no lines, and the note that is to be its first leaf.
func (w *work) beginTree(origin string, n journal.SealNote) error {
	w.origin, w.tree, w.checkpoint = origin, edge{node: w.onNode}, Checkpoint{}
	w.ledger = &ledger{dir: w.s.dir}
	w.standing = standing{Origin: origin, Open: true}
	w.since, w.notes, w.watching = since{}, notes{}, nil
	var err error
	for i := range w.tiles {
		err = errors.Join(err, w.tiles[i].cut(0))
	}
	n.Origin, n.Began = origin, true
	w.await(n.Append(nil))
	w.standing.Begin = w.awaited
	w.running = true
	w.notes.flush(w, false)
	err = errors.Join(err, w.ledger.compact(w.s.opts.Dir, nil), w.putStanding())
	c, errSign := w.s.opts.Key.signCheckpoint(origin, &w.tree)
	if err = errors.Join(err, errSign); err == nil {
		err = w.s.dir.replace(fileCheckpoint, c.Note)
	}
	if err == nil {
		w.checkpoint = c
		w.figures()
		w.s.at(stepBegun)
		err = w.s.dir.add(fileCheckpoints, append([]byte(strings.Join(w.s.opts.Key.vkeys(origin), "\n")+"\n\n"), append(c.Note, '\n')...), true)
	}
	return err
}

// await has the tree begin with the line that bears this message.
func (w *work) await(message []byte) {
	w.awaited = message
	w.notes.owe(aboutBegin, message)
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, f := range w.s.sources {
		f.record = nil
	}
}

// breakOff ends a tree that cannot be gone on with, and begins one of the next name. All that is known of the old one stays.
func (w *work) breakOff(why string) error {
	old := w.checkpoint
	w.s.opts.Log.Error().Str("origin", old.Origin).Int64("size", old.Size).Str("why", why).
		Msg("seal is broken: what was sealed is not what the journal holds; a new tree begins, and verify fails here for ever")
	if err := w.archive(old.Origin); err != nil {
		return fmt.Errorf("put the broken tree aside: %w", err)
	}
	w.s.at(stepAside)
	return w.beginTree(nextOrigin(old.Origin), journal.SealNote{Broken: why, Checkpoint: string(old.Note)})
}

// archive puts the state of a tree into a directory of its own. A kill may come at any time: what is there already is of this
// tree, and what is made anew beside it is of none yet.
func (w *work) archive(origin string) error {
	last, err := w.s.dir.read(fileCheckpoint, maxNote)
	if err != nil {
		return err
	}
	aside := w.s.dir.asideOf(origin, last)
	err = errors.Join(w.close(), os.MkdirAll(aside, 0o750))
	w.leaves = array{path: os.DevNull}
	for _, name := range append([]string{fileLedger, dirLeaves, dirEdges}, tileFiles[:]...) {
		if _, errThere := os.Lstat(filepath.Join(aside, name)); errThere == nil {
			err = errors.Join(err, os.RemoveAll(w.s.dir.path(name)))
			continue
		}
		err = errors.Join(err, ignoreMissing(os.Rename(w.s.dir.path(name), filepath.Join(aside, name))))
	}
	if err == nil {
		err = dir(aside).replace(fileCheckpoint, last)
	}
	return errors.Join(err, w.s.dir.make())
}

// asideOf is the directory for the state of a tree with this last checkpoint: one that holds no other.
func (d dir) asideOf(origin string, last []byte) string {
	for _, number := splitOrigin(origin); ; number++ {
		aside := d.path(fmt.Sprintf("tree-%d", number))
		other, err := dir(aside).read(fileCheckpoint, maxNote)
		if err != nil || bytes.Equal(other, last) {
			return aside
		}
	}
}

// recover goes on with the tree that was found, if the journal still holds it.
func (w *work) recover(ctx context.Context) error {
	if w.checkpoint.Note == nil {
		_, err := w.load()
		if notThere(err) {
			return w.stop(fmt.Errorf("%w: begin a seal at its present end with 'hbjournal seal init'", ErrNotBegun))
		}
		if err == nil || !errors.Is(err, ErrSignature) {
			w.prepare(w.from)
			return err
		}
		return w.stop(fmt.Errorf("checkpoint %s: %w", w.s.dir.path(fileCheckpoint), err))
	}
	w.ledger = readLedger(w.s.dir, w.origin)
	files, err := read.Files(w.s.opts.Dir, w.s.opts.Base)
	if err != nil {
		return err
	}
	backups := w.backups(files)
	st, from, err := w.findStart(ctx, backups)
	var lost *lostError
	switch {
	case errors.As(err, &lost) && w.s.opts.Purpose == Rebuild:
		return w.stop(lost)
	case errors.As(err, &lost):
		return w.breakOff(lost.Error())
	case err != nil:
		return err
	}
	w.s.at(stepFound)
	return w.goOn(ctx, st, backups, from)
}

// backups are the paths of the files before the live one, as it was at the start.
func (w *work) backups(files []names.File) []string {
	w.s.mu.Lock()
	turned := map[string]bool{}
	for _, f := range w.s.sources {
		turned[f.name] = f.name != ""
	}
	w.s.mu.Unlock()
	var paths []string
	var stamp names.File
	for _, f := range files {
		name := filepath.Base(f.Path)
		if f.Live() || turned[name] || turned[withoutEnding(name)] {
			continue
		}
		if !f.Rotated && f.Stamp.Equal(stamp.Stamp) && strings.HasPrefix(f.Path, stamp.Path+".") {
			continue // A compressed copy that is not whole yet.
		}
		stamp = f
		paths = append(paths, f.Path)
	}
	return paths
}

// lostError says how the journal is not what was sealed.
type lostError struct {
	checkpoint Checkpoint
	lines      int64 // that there are; -1: as many, and their root is another
}

func (e *lostError) Error() string {
	if e.lines >= 0 {
		return fmt.Sprintf("journal ends at %d, checkpoint says %d", e.lines, e.checkpoint.Size)
	}
	return fmt.Sprintf("the first %d lines have another root than the checkpoint says", e.checkpoint.Size)
}

// findStart finds a start from which the journal comes to the root of the checkpoint, and the first of the backups that
// it needs.
func (w *work) findStart(ctx context.Context, backups []string) (start, int, error) {
	if w.checkpoint.Size == 0 {
		return start{begins: beginsTree(w.origin)}, 0, nil
	}
	if st, from, ok := w.lastStart(backups); ok && w.s.opts.Purpose != Rebuild && w.reaches(ctx, st, backups[from:]) == nil {
		return st, from, nil
	}
	first, err := w.firstLineOf(ctx, backups)
	if err != nil {
		return start{}, 0, err
	}
	scan := func() ([]pruned, bool) {
		notes, began, errScan := scanNotes(ctx, w.source(backups), w.origin)
		err = errors.Join(err, errScan)
		return notes, began
	}
	var last error
	for st := range starts(w.s.dir, w.ledger, w.origin, first, w.standing.Pruned, scan) {
		errReach := w.reaches(ctx, st, backups)
		if errReach == nil {
			return st, 0, nil
		}
		if lost := new(lostError); !errors.As(errReach, &lost) {
			return start{}, 0, errReach
		} else if last == nil || lost.lines >= 0 {
			last = errReach
		}
	}
	return start{}, 0, errors.Join(err, last)
}

// lastStart is the start that costs least: at the last file that begins at or before the checkpoint.
func (w *work) lastStart(backups []string) (start, int, bool) {
	if line, err := firstLine(w.s.sources0()); err == nil {
		if st, ok := w.startOf(w.ledger.find(LeafHash(line), 0)); ok {
			return st, len(backups), true
		}
	}
	for i := len(backups) - 1; i >= 0; i-- {
		if st, ok := w.startOf(w.ledger.named(withoutEnding(filepath.Base(backups[i])))); ok {
			return st, i, true
		}
	}
	return start{}, 0, false
}

// sources0 is the file that was live at the start.
func (s *Sealer) sources0() *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sources[0].file
}

func (w *work) startOf(r *fileRecord) (start, bool) {
	if r == nil || r.First > w.checkpoint.Size {
		return start{}, false
	}
	e, ok := w.s.dir.edgeAt(r.First)
	return start{tree: e}, ok
}

func (w *work) firstLineOf(ctx context.Context, backups []string) (first Hash, err error) {
	source := w.source(backups)
	defer source.Close()
	var b read.Block
	for err == nil {
		if err = source.Read(ctx, &b); err == nil && len(b.Data) > 0 {
			h := hashBlock(&b)
			return h.hashes[0], nil
		}
	}
	if err == io.EOF {
		return first, nil
	}
	return first, err
}

// errReached ends a pass that has come to the size it is for.
var errReached = errors.New("reached")

// reaches returns nil if the tree from st over the backups and the live file comes to the root of the checkpoint. Else
// its error is a *lostError, or that of the reading.
func (w *work) reaches(ctx context.Context, st start, backups []string) error {
	tree := st.tree.clone()
	t := tracer{ledger: w.ledger, tree: &tree, begins: st.begins}
	if t.tree.size > w.checkpoint.Size {
		return &lostError{w.checkpoint, -1}
	}
	t.onLeaf = func(l leaf, index int64) error {
		if index == w.checkpoint.Size {
			return errReached
		}
		if index == w.checkpoint.Size-1 {
			n, ok := sealNoteIn(l.text)
			w.since.closing = ok && n.At == atClose && n.Origin == w.origin
		}
		return nil
	}
	source := w.source(backups)
	err := t.run(ctx, source)
	if err = errors.Join(err, source.Close()); err != nil && !errors.Is(err, errReached) {
		return err
	}
	switch {
	case t.tree.size < w.checkpoint.Size:
		return &lostError{w.checkpoint, t.tree.size}
	case t.tree.root() != w.checkpoint.Root:
		return &lostError{w.checkpoint, -1}
	}
	return nil
}

// goOn makes the state anew from st on, and takes over what the last process left unsealed.
func (w *work) goOn(ctx context.Context, st start, backups []string, from int) error {
	m := &remaking{w: w, old: w.ledger}
	if from == 0 { // All files that there are.
		w.ledger = &ledger{dir: w.s.dir, last: w.ledger.last, packings: w.ledger.packings}
		w.seedStored(m.old)
	}
	w.tree = st.tree.clone()
	w.tree.node, w.watching = w.onNode, nil
	m.again = w.watchAgain()
	for i := range w.tiles {
		if err := w.tiles[i].cut(w.tree.size >> (tileBits * (i + 1))); err != nil {
			return err
		}
	}
	t := tracer{
		ledger: m.old, tree: &w.tree, begins: st.begins,
		onFile: m.enter, onLeaf: m.leaf, onSkip: m.skip, extra: m.extra,
	}
	source := w.source(backups[from:])
	err := t.run(ctx, source)
	if err = errors.Join(err, source.Close(), m.err); err != nil {
		return err
	}
	return m.finish()
}
