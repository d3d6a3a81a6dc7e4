package forward

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// fakeStream is a stream in memory that one archiver reads, and which holds what it holds in order.
type fakeStream struct {
	held     Held
	messages []message
	heard    Heard
	largest  int // bytes of a line; 0: any
}

type message struct {
	number int64
	lines  []string
	gone   *Gone
}

func (s *fakeStream) Position(context.Context, string) (Held, bool, error) {
	return s.held, len(s.messages) > 0, nil
}

func (s *fakeStream) Send(_ context.Context, b *Batch) (Receipt, error) {
	m := message{number: b.Number, gone: b.Gone}
	for i := range b.Len() {
		if s.largest > 0 && len(b.Line(i)) > s.largest {
			if i > 0 {
				s.keep(b.Slice(0, i), m)
			}
			return Receipt{Acked: i}, &RefusedError{Code: "too large"}
		}
		m.lines = append(m.lines, string(b.Line(i)))
	}
	s.keep(b, m)
	return Receipt{Acked: b.Len()}, nil
}

func (s *fakeStream) keep(b *Batch, m message) {
	s.messages = append(s.messages, m)
	s.held = Held{At: b.To, Number: b.Number + int64(b.Len()), Last: journal.LineHash(b.Line(b.Len() - 1))}
}

func (s *fakeStream) Close() error                                { return nil }
func (s *fakeStream) Archivers() int                              { return 1 }
func (s *fakeStream) Hear(context.Context, string) (Heard, error) { return s.heard, nil }

// archive is what an archiver makes of the messages: the lines by their numbers, and the numbers that it was told are gone.
func (s *fakeStream) archive(t *testing.T, from int) (lines map[int64]string, gone map[int64]bool) {
	t.Helper()
	lines, gone = make(map[int64]string), make(map[int64]bool)
	for _, m := range s.messages[from:] {
		if m.gone != nil {
			for n := m.gone.From; n < m.number; n++ {
				gone[n] = true
			}
		}
		for i, line := range m.lines {
			lines[m.number+int64(i)] = line
		}
	}
	return lines, gone
}

// shipTo ships once what there is.
func (j *testJournal) shipTo(t *testing.T, s *fakeStream, opt Options) Figures {
	t.Helper()
	loop, err := Open(opt, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return loop.Figures()
}

// wantAll compares what an archiver got with the lines of the journal from first on.
func (j *testJournal) wantAll(t *testing.T, got map[int64]string, first int) {
	t.Helper()
	for i := first; i < len(j.all); i++ {
		if got[int64(i)] != j.all[i] {
			t.Fatalf("line %d: got %.60q, want %.60q", i, got[int64(i)], j.all[i])
		}
	}
	if len(got) != len(j.all)-first {
		t.Errorf("got %d lines, want %d", len(got), len(j.all)-first)
	}
}

// positionOf is where a line starts that is in the live file, given what of it was sent.
func positionOf(t *testing.T, j *testJournal, number int) read.Cursor {
	t.Helper()
	f, err := read.Follow(read.Options{Dir: j.dir, Base: base}, read.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b read.Block
	for seen := 0; ; {
		if err := f.Poll(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		for pos := 0; pos < len(b.Data); seen++ {
			if seen == number {
				return b.At(pos)
			}
			_, pos = lineAt(b.Data, pos)
		}
	}
}

func TestWhatAnArchiverMissesIsSentOnceMoreWithTheSameNumbers(t *testing.T) {
	j := newJournal(t)
	j.write(t, 20)
	j.rotate(t)
	j.write(t, 20)
	s, opt := &fakeStream{}, j.options()
	opt.BatchBytes = 500
	j.shipTo(t, s, opt)
	before := len(s.messages)
	s.heard.Again = []Again{{Archiver: "a", ID: "1", From: Held{At: positionOf(t, j, 7), Number: 7}}}
	j.write(t, 3)
	figures := j.shipTo(t, s, opt)
	got, gone := s.archive(t, before)
	j.wantAll(t, got, 7)
	if len(gone) > 0 || s.messages[before].number != 7 {
		t.Errorf("got %v gone, and the first message begins at %d", gone, s.messages[before].number)
	}
	if figures.Lines != 43 || figures.Again != 33 || figures.Refused != 0 {
		t.Errorf("got %d lines and %d once more, want 43 and 33", figures.Lines, figures.Again)
	}
	before = len(s.messages)
	if j.shipTo(t, s, opt); len(s.messages) != before {
		t.Error("a request is followed twice")
	}
	s.heard.Again[0].ID = "2"
	if j.shipTo(t, s, opt); len(s.messages) != before {
		t.Error("another request within a minute is followed")
	}
	opt.Now = func() time.Time { return time.Now().Add(again) }
	if j.shipTo(t, s, opt); len(s.messages) == before {
		t.Error("a request after a minute is not followed")
	}
}

const again = againEvery + time.Second

func TestLinesThatArePrunedBeforeTheyAreAskedForAreSaidToBeGone(t *testing.T) {
	j := newJournal(t)
	j.write(t, 20)
	j.rotate(t)
	j.write(t, 20)
	s, opt := &fakeStream{}, j.options()
	j.shipTo(t, s, opt)
	at := positionOf(t, j, 7)
	backups, err := filepath.Glob(filepath.Join(j.dir, base+".2*"))
	if err != nil || len(backups) != 1 {
		t.Fatal(backups, err)
	}
	if err := os.Remove(backups[0]); err != nil {
		t.Fatal(err)
	}
	before := len(s.messages)
	s.heard.Again = []Again{{Archiver: "a", ID: "1", From: Held{At: at, Number: 7}}}
	j.shipTo(t, s, opt)
	got, gone := s.archive(t, before)
	j.wantAll(t, got, 20)
	if len(gone) != 13 || !gone[7] || !gone[19] || s.messages[before].gone.Reason != GonePruned {
		t.Errorf("got gone %v", gone)
	}
}

func TestAPlaceThatIsNotThatOfTheNumberIsNotFollowed(t *testing.T) {
	j := newJournal(t)
	j.write(t, 20)
	s, opt := &fakeStream{}, j.options()
	j.shipTo(t, s, opt)
	before := len(s.messages)
	for i, from := range []Held{
		{At: positionOf(t, j, 7), Number: 9},
		{Number: 3},
		{At: positionOf(t, j, 7), Number: 20},
		{At: positionOf(t, j, 7), Number: 2000},
	} {
		s.heard.Again = []Again{{Archiver: string(rune('a' + i)), ID: "1", From: from}}
		if j.shipTo(t, s, opt); len(s.messages) != before {
			t.Errorf("%+v is followed", from)
		}
	}
}

func TestRefusedLinesAreSaidToBeGoneAndPutAsideOnce(t *testing.T) {
	j := newJournal(t)
	j.write(t, 105)
	s, opt := &fakeStream{largest: len(j.all[99])}, j.options()
	opt.BatchBytes = 3000
	refused := func(i int) bool { return len(j.all[i]) > s.largest } // Those of three digits.
	j.shipTo(t, s, opt)
	at := positionOf(t, j, 50)
	j.next = 0
	j.write(t, 1)
	before := len(s.messages)
	s.heard.Again = []Again{{Archiver: "a", ID: "1", From: Held{At: at, Number: 50}}}
	j.shipTo(t, s, opt)
	got, gone := s.archive(t, before)
	for i := 50; i < len(j.all); i++ {
		n := int64(i)
		if refused(i) != gone[n] || refused(i) == (got[n] == j.all[i]) {
			t.Errorf("line %d: refused %v, gone %v, got %.40q", i, refused(i), gone[n], got[n])
		}
	}
	letters, err := ReadLetters(filepath.Join(opt.StateDir, deadFile))
	if err != nil || len(letters) != 5 {
		t.Errorf("got %d letters, %v; want 5", len(letters), err)
	}
	if s.messages[len(s.messages)-1].gone == nil || s.messages[len(s.messages)-1].gone.Reason != GoneRefused {
		t.Errorf("got %+v", s.messages[len(s.messages)-1])
	}
}

func TestBackupsAreHeldUntilTheArchiversHaveThem(t *testing.T) {
	j := newJournal(t)
	j.write(t, 20)
	j.rotate(t)
	j.write(t, 20)
	s, opt := &fakeStream{}, j.options()
	j.shipTo(t, s, opt)
	hold := Hold{States: filepath.Dir(opt.StateDir), Journal: opt.Journal}
	stamps := []time.Time{time.Date(2026, 3, 28, 12, 0, 20, 0, time.UTC)}
	if done := hold.Done(stamps); done != 0 {
		t.Errorf("nothing is confirmed, and %d backups are done with", done)
	}
	s.heard = Heard{All: true, Confirmed: Held{At: positionOf(t, j, 7), Number: 7}}
	if j.shipTo(t, s, opt); hold.Done(stamps) != 0 {
		t.Error("half of a backup is confirmed, and it is done with")
	}
	s.heard.Confirmed = Held{At: positionOf(t, j, 30), Number: 30}
	if j.shipTo(t, s, opt); hold.Done(stamps) != 1 {
		t.Error("all of a backup is confirmed, and it is held")
	}
	if losses := hold.Losses(t.Context(), []string{"messages.journal.20260328-120020"}); len(losses) != 0 {
		t.Errorf("got losses %+v of lines that were sent", losses)
	}
	if !slices.ContainsFunc(s.messages, func(m message) bool { return m.number == 0 }) {
		t.Error("nothing was sent")
	}
}
