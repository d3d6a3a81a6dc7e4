package seal

import (
	"errors"
	"path/filepath"
	"strings"

	"hbjournal/sink/journal"
)

// remaking makes the state of a tree anew while a tracer goes over the journal.
type remaking struct {
	w       *work
	old     *ledger
	err     error
	record  *fileRecord
	name    string // of the file of record; "": the live one
	sealed  string // path of the file that the last sealed leaf is in
	adopted int64
	again   map[int64]bool // sizes at which the edge is to be kept
	foreign int64
}

// enter begins a file.
func (m *remaking) enter(path string, first Hash, known *fileRecord) {
	m.end()
	w := m.w
	m.name = filepath.Base(path)
	if path == w.s.path {
		m.name = ""
	}
	m.record = known
	if known == nil || w.ledger != m.old {
		m.record = w.ledger.begin(w.origin, w.tree.size, first)
	}
	if known != nil {
		m.record.Skips, m.record.Stored = known.Skips, known.Stored
	}
	m.record.First, m.record.Count, m.record.Pruned = w.tree.size, 0, ""
	plain := withoutEnding(m.name)
	m.err = errors.Join(m.err, w.beginFile(m.record, plain == m.name))
	m.name = plain
}

func (m *remaking) leaf(l leaf, index int64) error {
	if m.again[index] {
		delete(m.again, index)
		m.err = errors.Join(m.err, m.w.keepEdge())
	}
	m.w.count(l.hash, l.note && noteIn(l.text) != nil && m.w.look(l.text, index))
	if index >= m.w.checkpoint.Size {
		m.adopted++
	} else {
		m.sealed = l.path
	}
	if index == m.w.checkpoint.Size-1 {
		m.w.since.lines = 0
	}
	if len(m.w.leaves.pending) > readBytes {
		m.err = errors.Join(m.err, m.w.flush())
	}
	return m.err
}

func (m *remaking) skip(l leaf, s skip) error {
	if _, known := m.record.at(l.offset); !known {
		m.record.addSkip(s)
	}
	if !s.Before {
		m.foreign++
	}
	return m.err
}

// extra tells lines behind the last checkpoint that the daemon did not write: those that were there when it was started,
// after it had closed the journal.
func (m *remaking) extra(l leaf, index int64) (skip, bool, error) {
	w := m.w
	resumed := w.standing.Resumed
	if resumed < 0 { // The standing is lost; then the last leaf tells.
		resumed = 0
		if w.since.closing {
			resumed = w.from
		}
		w.standing.Resumed = resumed
	}
	foreign := index >= w.checkpoint.Size && index > 0 && l.path == m.sealed && l.offset < resumed
	return skip{From: l.offset, To: l.offset + int64(len(l.text)) + 1}, foreign, nil
}

// end ends a file.
func (m *remaking) end() {
	if m.record == nil || m.name == "" {
		return
	}
	m.err = errors.Join(m.err, m.w.endFile(m.record, m.name))
}

// finish leaves everything as the worker goes on from it.
func (m *remaking) finish() error {
	w := m.w
	live := m.record
	if m.name != "" {
		m.end()
		live = nil
	}
	if m.again[w.tree.size] {
		m.err = errors.Join(m.err, w.keepEdge())
	}
	if m.err != nil {
		return m.err
	}
	w.s.mu.Lock()
	w.s.sources[0].record = live
	w.s.mu.Unlock()
	if err := errors.Join(w.flush(), w.ledger.compact(w.s.opts.Dir, w.keepsStored)); err != nil {
		return err
	}
	if w.tree.size == 0 && w.checkpoint.Size == 0 {
		if w.standing.Begin == nil {
			w.standing.Begin = journal.SealNote{Origin: w.origin, Began: true}.Append(nil)
		}
		w.await(w.standing.Begin)
	}
	w.s.at(stepTakenOver)
	w.running = true
	w.figures()
	if m.foreign > 0 {
		w.s.opts.Log.Error().Int64("lines", m.foreign).
			Msg("lines that the journal did not write are in its files; they are not sealed, and verify names them")
	}
	if m.adopted > 0 {
		w.s.opts.Log.Warn().Int64("lines", m.adopted).Msg("seal took over lines that were not sealed when the last process ended")
		w.notes.owe(aboutAdopted, journal.SealNote{Origin: w.origin, Adopted: uint64(m.adopted)}.Append(nil))
	}
	if p := w.standing.Pruned; p != nil && !p.Noted {
		w.owePruned()
	}
	return w.seal()
}

// withoutEnding is the name of a backup as it was rotated to.
func withoutEnding(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".age"), ".gz"), ".zst")
}

// endings are what a backup may have been packed to since it was rotated.
var endings = []string{"", ".gz", ".zst", ".age", ".gz.age", ".zst.age"}
