package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// fileRecord is what the ledger has of one file of the journal: a line of JSON for each time that it changed, of which the
// last one counts. It is known by its first line, since names change.
type fileRecord struct {
	Number int64       `json:"file"`             // counts the files of this tree, from 1
	Origin string      `json:"origin"`           // of the tree
	First  int64       `json:"first"`            // index of its first leaf
	Count  int64       `json:"count"`            // leaves in it; 0 while it is the live file
	Line   Hash        `json:"line"`             // leaf hash of its first line, whoever wrote that
	Name   string      `json:"name,omitempty"`   // that it was rotated to; "": it is the live file, or someone else renamed it
	Skips  []skip      `json:"skip,omitempty"`   // what in it is no leaf, in order
	Pruned string      `json:"pruned,omitempty"` // the limit for which it was removed
	Stored *storedCopy `json:"stored,omitempty"` // what it was packed to; nil: nothing, or nobody knows
}

// skip is a stretch of a file that is not in the tree.
type skip struct {
	From   int64 `json:"from"` // offsets in the text
	To     int64 `json:"to"`
	Before bool  `json:"before,omitempty"` // it is older than the tree; else someone else wrote it
}

// at returns the skip that an offset is in.
func (r *fileRecord) at(offset int64) (skip, bool) {
	if r == nil {
		return skip{}, false
	}
	for _, s := range r.Skips {
		if s.From <= offset && offset < s.To {
			return s, true
		}
	}
	return skip{}, false
}

// addSkip adds a stretch behind all others, or makes the last one longer.
func (r *fileRecord) addSkip(s skip) {
	if n := len(r.Skips); n > 0 && r.Skips[n-1].To == s.From && r.Skips[n-1].Before == s.Before {
		r.Skips[n-1].To = s.To
		return
	}
	r.Skips = append(r.Skips, s)
}

// ledger is the files of one tree that are there, in their order.
type ledger struct {
	dir      dir
	files    []*fileRecord
	last     int64 // number given last
	packings int64 // number given last to a packing
}

// maxLedger bounds what is read: a record has some 200 bytes.
const maxLedger = 256 << 20

// readLedger reads the records of a tree. Lines that are none, as a power cut leaves them, are passed over: whatever is
// wrong with the ledger shows when the root is computed, and it is made anew.
func readLedger(d dir, origin string) *ledger {
	l := &ledger{dir: d}
	text, err := d.read(fileLedger, maxLedger)
	if err != nil {
		return l
	}
	known := map[int64]*fileRecord{}
	for line := range bytes.Lines(text) {
		var r fileRecord
		if json.Unmarshal(line, &r) != nil || r.Origin != origin || r.Number <= 0 || r.First < 0 || r.Count < 0 {
			continue
		}
		known[r.Number] = &r
		l.last = max(l.last, r.Number)
		if r.Stored != nil {
			l.packings = max(l.packings, r.Stored.Number)
		}
	}
	for _, r := range known { // Those too that were pruned: a kill may have come before the file was removed.
		l.files = append(l.files, r)
	}
	slices.SortFunc(l.files, func(a, b *fileRecord) int { return int(min(max(a.Number-b.Number, -1), 1)) })
	return l
}

// begin adds the record of a file that follows all others.
func (l *ledger) begin(origin string, first int64, line Hash) *fileRecord {
	l.last++
	r := &fileRecord{Number: l.last, Origin: origin, First: first, Line: line}
	l.files = append(l.files, r)
	return r
}

// put appends the record as it is now.
func (l *ledger) put(r *fileRecord, sync bool) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = l.dir.add(fileLedger, append(text, '\n'), sync)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", l.dir.path(fileLedger), err)
	}
	return nil
}

// compact writes the ledger anew, without the removed files that are gone from the directory of the journal; keep, if not nil, says
// which of them stay.
func (l *ledger) compact(journalDir string, keep func(*fileRecord) bool) error {
	l.files = slices.DeleteFunc(l.files, func(r *fileRecord) bool {
		return r.Pruned != "" && !isThere(journalDir, r.Name) && (keep == nil || !keep(r))
	})
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, r := range l.files {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return l.dir.replace(fileLedger, text.Bytes())
}

// isThere reports whether a backup is there, compressed or not.
func isThere(journalDir, name string) bool {
	for _, ending := range endings {
		if _, err := os.Lstat(filepath.Join(journalDir, name+ending)); err == nil {
			return true
		}
	}
	return false
}

// find returns the first record from number on whose file starts with this line.
func (l *ledger) find(line Hash, from int64) *fileRecord {
	for _, r := range l.files {
		if r.Number >= from && r.Line == line {
			return r
		}
	}
	return nil
}

// named returns the record of the file that was rotated to name.
func (l *ledger) named(name string) *fileRecord {
	for _, r := range l.files {
		if r.Name == name && name != "" {
			return r
		}
	}
	return nil
}

// remove takes the records before r out, which were pruned for a limit. What cannot be written is written anew with the rest
// at the next start.
func (l *ledger) remove(before *fileRecord, limit string) error {
	var errs []error
	for len(l.files) > 0 && l.files[0] != before {
		r := l.files[0]
		l.files = l.files[1:]
		r.Pruned = limit
		errs = append(errs, l.put(r, false), l.dir.drop(dirLeaves, r.First))
	}
	return errors.Join(errs...)
}

// notThere reports whether err is that of a file which is missing.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
