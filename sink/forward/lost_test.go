package forward

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// prune removes the oldest backups, after the outputs' states were told.
func (j *testJournal) prune(t *testing.T, states string, n int) {
	t.Helper()
	backups, err := names.Backups(j.dir, base)
	if err != nil || len(backups) < n {
		t.Fatal(backups, err)
	}
	var gone []string
	for _, b := range backups[:n] {
		gone = append(gone, names.OfBackup(base, b.Stamp))
	}
	hold := Hold{States: states, Journal: read.Options{Dir: j.dir, Base: base}}
	for range 2 { // A removal that fails is told of again.
		for _, loss := range hold.Losses(t.Context(), gone) {
			if loss.Err != nil {
				t.Fatal(loss.Err)
			}
		}
	}
	for _, b := range backups[:n] {
		if err := os.Remove(filepath.Join(j.dir, b.Name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinesThatArePrunedUnsentKeepTheirNumbers prunes lines of which some were sent, in one go and file by file, while the output is
// down: the numbers of the others stay what they would have been, and the receiver is told which are gone.
func TestLinesThatArePrunedUnsentKeepTheirNumbers(t *testing.T) {
	for _, steps := range [][]int{{2}, {1, 1}, {1}, {3}, {40}} {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			j := newJournal(t)
			s, opt := &fakeStream{}, j.options()
			opt.StateDir = filepath.Join(t.TempDir(), "states", "out")
			j.write(t, 7)
			j.shipTo(t, s, opt)
			most := 0
			for _, n := range steps {
				most += n
			}
			first := 0 // of the lines that are kept
			for range most + 1 {
				j.write(t, 10)
				j.rotate(t)
			}
			first = 7 + 10*most
			j.write(t, 5)
			for _, n := range steps {
				j.prune(t, filepath.Dir(opt.StateDir), n)
			}
			before := len(s.messages)
			j.shipTo(t, s, opt)
			got, gone := s.archive(t, before)
			j.wantAll(t, got, first)
			if len(gone) != first-7 || !gone[7] || !gone[int64(first)-1] || s.messages[before].gone.Reason != GonePruned {
				t.Errorf("got gone %v of %d", gone, first)
			}
			// What comes later has no gap before it.
			before = len(s.messages)
			j.rotate(t)
			j.write(t, 3)
			j.shipTo(t, s, opt)
			if got, gone := s.archive(t, before); len(gone) != 0 || len(got) != 3 || got[int64(len(j.all)-1)] != j.all[len(j.all)-1] {
				t.Errorf("got %v, gone %v", got, gone)
			}
			// An archiver asks for a line before a gap that was met in between: numbers are counted over it.
			j.askAcross(t, s, opt)
		})
	}
}

// askAcross has an archiver ask for the first line that is here.
func (j *testJournal) askAcross(t *testing.T, s *fakeStream, opt Options) {
	t.Helper()
	files, err := names.Files(j.dir, base)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range files {
		text, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range text {
			if c == '\n' {
				lines++
			}
		}
	}
	first := len(j.all) - lines
	before := len(s.messages)
	s.heard.Again = []Again{{Archiver: "a", ID: "again", From: Held{At: positionOf(t, j, 0), Number: int64(first)}}}
	j.shipTo(t, s, opt)
	got, gone := s.archive(t, before)
	j.wantAll(t, got, first)
	if len(gone) != 0 {
		t.Errorf("asked again: gone %v", gone)
	}
}

// TestNumbersGoOverLinesThatCannotBeReadAnyMore sends a second time from before lines that were lost in the middle.
func TestNumbersGoOverLinesThatCannotBeReadAnyMore(t *testing.T) {
	j := newJournal(t)
	s, opt := &fakeStream{}, j.options()
	opt.StateDir = filepath.Join(t.TempDir(), "states", "out")
	j.write(t, 10)
	j.shipTo(t, s, opt)
	j.rotate(t)
	j.write(t, 10)
	j.rotate(t)
	j.write(t, 10)
	backups, err := names.Backups(j.dir, base)
	if err != nil || len(backups) != 2 {
		t.Fatal(backups, err)
	}
	hold := Hold{States: filepath.Dir(opt.StateDir), Journal: read.Options{Dir: j.dir, Base: base}}
	if losses := hold.Losses(t.Context(), []string{names.OfBackup(base, backups[1].Stamp)}); len(losses) != 1 || losses[0].Lines != 10 {
		t.Fatalf("got %+v", losses)
	}
	if err := os.Remove(filepath.Join(j.dir, backups[1].Name)); err != nil { // As if it were encrypted.
		t.Fatal(err)
	}
	j.shipTo(t, s, opt)
	before := len(s.messages)
	s.heard.Again = []Again{{Archiver: "a", ID: "1", From: Held{At: positionOf(t, j, 4), Number: 4}}}
	j.shipTo(t, s, opt)
	got, gone := s.archive(t, before)
	if len(gone) != 10 || !gone[10] || !gone[19] || len(got) != 16 {
		t.Errorf("got %d lines, gone %v", len(got), gone)
	}
	for n, line := range got {
		if line != j.all[n] {
			t.Errorf("line %d: got %.60q", n, line)
		}
	}
}

// TestAFileThatIsStillOpenHasTheNumbersItHad prunes many files while the reader has the second of them open.
func TestAFileThatIsStillOpenHasTheNumbersItHad(t *testing.T) {
	j := newJournal(t)
	s, opt := &fakeStream{}, j.options()
	opt.StateDir = filepath.Join(t.TempDir(), "states", "out")
	j.write(t, 10)
	loop, err := Open(opt, s)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if err := loop.ship(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := loop.writeAll(); err != nil {
		t.Fatal(err)
	}
	j.write(t, 5) // The file at hand is open, and goes with lines that were not sent.
	j.rotate(t)
	for range 40 {
		j.write(t, 10)
		j.rotate(t)
	}
	j.write(t, 10)
	j.prune(t, filepath.Dir(opt.StateDir), 41)
	loop.opt.Once = true
	for err == nil {
		err = loop.ship(t.Context())
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	got, gone := s.archive(t, 0)
	for n, line := range got {
		if line != j.all[n] {
			t.Fatalf("line %d: got %.60q", n, line)
		}
	}
	if len(got)+len(gone) != len(j.all) || len(got) < 20 {
		t.Errorf("got %d lines, %d gone, of %d", len(got), len(gone), len(j.all))
	}
}
