package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"hbjournal/sink/forward/durable"
)

// lostFile holds how many lines were pruned that this output had not sent. Who prunes writes it before the files go, and who ships
// finds in it which numbers are never used.
const lostFile = "lost"

// lost is what was pruned unsent, behind where the output stood at that time.
type lost struct {
	Journal string     `json:"journal"` // the journal's id
	Number  int64      `json:"number"`  // that the output stood at
	Files   []lostPart `json:"files"`   // oldest first; behind one another
}

// lostPart is what was not sent of a file. A part may stand for older ones too.
type lostPart struct {
	Stamp time.Time `json:"stamp"` // of the file's name
	First uint64    `json:"first"` // read.Cursor.First of the file
	Lines int64     `json:"lines"`
}

// Of many files only the oldest and the newest are told apart: a reader may still have those open that it was about to read, and
// goes on with what is there.
const (
	oldestLost   = 12
	maxLostFiles = 28
)

func readLost(stateDir string) (lost, error) {
	var l lost
	text, err := durable.ReadSlots(filepath.Join(stateDir, lostFile))
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	return l, err
}

// before is the number of the first line of a file, as far as files before it were pruned unsent.
func (l lost) before(first uint64) int64 {
	number := l.Number
	for _, f := range l.Files {
		if f.First == first {
			break
		}
		number += f.Lines
	}
	return number
}

// add notes a file that is about to go, unless that was done.
func (l *lost) add(part lostPart) {
	if n := len(l.Files); n > 0 && !l.Files[n-1].Stamp.Before(part.Stamp) {
		return
	}
	l.Files = append(l.Files, part)
	if len(l.Files) > maxLostFiles {
		l.Files[oldestLost+1].Lines += l.Files[oldestLost].Lines
		l.Files = slices.Delete(l.Files, oldestLost, oldestLost+1)
	}
}

// noteLost notes durably what the output in a directory loses with files, which are given oldest first.
func noteLost(stateDir string, record Record, parts []lostPart) error {
	if len(parts) == 0 {
		return nil
	}
	known, err := readLost(stateDir)
	if err != nil || known.Journal != record.Journal || known.Number != record.Number {
		known = lost{Journal: record.Journal, Number: record.Number}
	}
	for _, part := range parts {
		known.add(part)
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	path := filepath.Join(stateDir, lostFile)
	slots, _, err := durable.OpenSlots(path)
	if err != nil { // There is none, or none that can be read.
		slots, err = durable.CreateSlots(path, text)
		if err != nil {
			return fmt.Errorf("note what an output has not sent: %w", err)
		}
		return slots.Close()
	}
	if err = slots.Write(text); err == nil {
		err = slots.Sync()
	}
	if err != nil {
		err = fmt.Errorf("note what an output has not sent: %w", err)
	}
	return errors.Join(err, slots.Close())
}

// skipped are numbers that no line has, since the lines were pruned unsent.
type skipped struct {
	First uint64 `json:"first"` // read.Cursor.First of the file behind them
	From  int64  `json:"from"`
	To    int64  `json:"to"` // the number of that file's first line
}

// maxSkipped bounds how many of them are remembered: archivers ask for what is not long ago.
const maxSkipped = 16

// skip gives the batch its number, if it begins a file and lines before it were pruned unsent: the receiver is told that these
// are gone.
func (l *Loop) skip() {
	r, b := &l.record, l.batch
	if _, numbered := l.out.(Archived); !numbered || l.opt.Filter != nil || b.From.First == r.Cursor.First {
		return
	}
	to := r.Number
	for _, s := range r.Skipped {
		if s.First == b.From.First && s.From <= r.Number {
			to = max(to, s.To)
		}
	}
	if known, err := readLost(l.opt.StateDir); err == nil && known.Journal == l.opt.JournalID && known.Number <= r.Number {
		to = max(to, known.before(b.From.First))
	}
	if to == r.Number {
		return
	}
	l.opt.Log.Warn().Str("output", l.opt.Name).Int64("lines", to-r.Number).Stringer("cursor", b.From).
		Msg("forward: lines were pruned before they were sent; the archives note how many")
	r.Skipped = append(r.Skipped, skipped{b.From.First, r.Number, to})
	r.Skipped = r.Skipped[max(0, len(r.Skipped)-maxSkipped):]
	if r.Gone == nil {
		r.Gone = &Gone{From: r.Number, Reason: GonePruned}
	}
	r.Number, r.Cursor, l.dirty = to, position{b.From}, true
	b.Number = to
}

// skippedBefore is how many numbers no line has between a file, which begins with this line, and the one before it.
func (r *Record) skippedBefore(first uint64) int64 {
	for _, s := range slices.Backward(r.Skipped) {
		if s.First == first {
			return s.To - s.From
		}
	}
	return 0
}
