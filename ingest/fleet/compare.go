package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
)

// State is what a receiver's journal here was found to be.
type State string

// The states. All but the first and the last two are faults.
const (
	Complete     State = "complete"      // all that the receiver has shipped is here
	Behind       State = "behind"        // the newest lines are not here yet
	Missing      State = "missing"       // there is no journal of it here
	Different    State = "different"     // a line is another one than the receiver, or the confirmation, says
	OtherJournal State = "other_journal" // it is of another journal than the receiver has now
	Lost         State = "lost"          // lines that this archiver has confirmed are not here
	Unplaced     State = "unplaced"      // nobody knows which lines these are: the position is lost
	ByLastLine   State = "by_last_line"  // its last line is the receiver's, and nothing more is known
	Unknown      State = "unknown"       // the receiver has said nothing
)

// IsFault reports whether something is wrong.
func (s State) IsFault() bool { return s != Complete && s != Unknown && s != ByLastLine }

// Comparison is what the journal of a receiver was found to be, beside what it has shipped.
type Comparison struct {
	Receiver string    `json:"receiver"`
	State    State     `json:"state"`
	Journal  string    `json:"journal,omitempty"` // the id of the one here
	Shipped  int64     `json:"shipped"`           // lines, by the receiver's own figures
	Here     int64     `json:"here"`              // of these
	At       time.Time `json:"at,omitzero"`       // of the figures
	Detail   string    `json:"detail,omitempty"`  // in words
}

func (c *Comparison) is(state State, format string, args ...any) Comparison {
	c.State, c.Detail = state, fmt.Sprintf(format, args...)
	return *c
}

// Compare compares the journal of a receiver in opt with what is reported of it: its own figures, and what this archiver has
// confirmed. The error is about what cannot be read.
func Compare(ctx context.Context, opt read.Options, receiver, archiver string, reported *Reported) (Comparison, error) {
	c := Comparison{Receiver: receiver}
	f := reported.Figures
	if f != nil {
		c.Shipped, c.At = f.Number, f.At
	}
	filled, err := hasLines(opt)
	switch {
	case err != nil:
		return c, err
	case !filled && (f == nil || f.Number == 0) && reported.Confirmed[archiver].Number == 0:
		return c.is(Complete, "nothing was shipped"), nil
	case !filled:
		return c.is(Missing, "there is no line of it here"), nil
	}
	p, err := placeFileIn(rotate.StateDir(opt.Dir, opt.Base)).read()
	if errors.Is(err, errNoPlace) {
		return c.byLastLine(ctx, opt, f)
	}
	if err != nil {
		return c, err
	}
	c.Journal, c.Here = p.Journal, p.Number
	confirmed, isConfirmed := reported.Confirmed[archiver]
	isConfirmed = isConfirmed && confirmed.Journal == p.Journal
	switch {
	case f != nil && f.Journal != p.Journal:
		return c.is(OtherJournal, "the receiver's journal is %.80s now", f.Journal), nil
	case isConfirmed && confirmed.Number > p.Number:
		return c.is(Lost, "%s that were confirmed are not here", count(confirmed.Number-p.Number)), nil
	}
	var marks []landmark
	if f != nil && f.Last != "" && f.Number <= p.Number {
		marks = append(marks, landmark{f.Number, f.Last, "the receiver's last line"})
	}
	if isConfirmed && confirmed.Last != "" {
		marks = append(marks, landmark{confirmed.Number, confirmed.Last, "the line confirmed last"})
	}
	wrong, err := lookBack(ctx, opt, p, marks)
	switch {
	case err != nil:
		return c, err
	case wrong != "":
		return c.is(Different, "%s", wrong), nil
	case f == nil:
		return c.is(Unknown, "the receiver has said nothing of what it shipped"), nil
	case f.Number > p.Number:
		return c.is(Behind, "%s not here", count(f.Number-p.Number)), nil
	}
	return c.is(Complete, ""), nil
}

func count(n int64) string {
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", n)
}

// byLastLine compares by the last line alone, where it is not known which lines are here: a copy without its state.
func (c *Comparison) byLastLine(ctx context.Context, opt read.Options, f *stream.Figures) (Comparison, error) {
	last := ""
	err := eachBack(ctx, opt, func(line []byte) bool {
		last = journal.LineHash(line)
		return false
	})
	switch {
	case err != nil:
		return *c, err
	case f != nil && f.Last == last:
		return c.is(ByLastLine, "the last line is the receiver's; the archive's own position is not here"), nil
	}
	return c.is(Unplaced, "%v", errNoPlace), nil
}

// A landmark is a line that must be here: the one before a number.
type landmark struct {
	number int64 // of the line behind it
	last   string
	what   string
}

// maxTail is how many lines may stand behind the position, which a kill has left there.
const maxTail = 1 << 20

// lookBack sees whether the last line of a place, and the landmarks, are in the journal. It says what is wrong, "" if nothing
// is. Landmarks that were pruned here are taken for right.
func lookBack(ctx context.Context, opt read.Options, p place, marks []landmark) (wrong string, err error) {
	number, tail := int64(-1), 0 // of the line at hand
	if p.Last == "" {
		return "", nil
	}
	err = eachBack(ctx, opt, func(line []byte) bool {
		lost, own, first := isOwn(line)
		hash := ""
		if !own {
			hash = journal.LineHash(line)
		}
		switch {
		case number < 0 && hash != p.Last:
			tail++
			return tail < maxTail
		case number < 0:
			number = p.Number - 1
		case own:
			number -= lost
			return len(marks) > 0 && !first
		default:
			number--
		}
		for i := 0; i < len(marks); {
			m := marks[i]
			if m.number-1 < number {
				i++
				continue
			}
			if m.number-1 > number || m.last != hash {
				wrong = fmt.Sprintf("line %d here is not %s", m.number-1, m.what)
				return false
			}
			marks = append(marks[:i], marks[i+1:]...)
		}
		return len(marks) > 0
	})
	if number < 0 && err == nil {
		wrong = "the line at the archive's own position is not here"
	}
	return wrong, err
}

// isOwn reports whether a line is an entry of the archive's own, how many lines are lost by it, and whether the lines behind it
// are the first of another journal.
func isOwn(line []byte) (lost int64, own, first bool) {
	if !bytes.Contains(line, []byte(`"JRN"`)) {
		return 0, false, false
	}
	e, err := journal.ParseLine(line)
	if err != nil || e.Source != noSource {
		return 0, false, false
	}
	if gap, ok := journal.ParseGapNote(e.Message); ok {
		return int64(gap.Lost), true, false
	}
	_, first = journal.ParseTakeoverNote(e.Message)
	return 0, first, first
}

// eachBack gives the lines of a journal from the last to the first, until use returns false.
func eachBack(ctx context.Context, opt read.Options, use func(line []byte) bool) error {
	back := read.OpenBack(opt)
	defer back.Close()
	var b read.Block
	for {
		switch err := back.Read(ctx, &b); {
		case errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case b.Fault != nil && len(b.Data) == 0:
			return b.Fault
		}
		for data := b.Data; len(data) > 0; {
			line := bytes.TrimSuffix(data, []byte{'\n'})
			start := bytes.LastIndexByte(line, '\n') + 1
			if !use(line[start:]) {
				return nil
			}
			data = data[:start]
		}
		if b.Fault != nil {
			return b.Fault
		}
	}
}
