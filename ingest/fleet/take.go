package fleet

import (
	"bytes"
	"errors"
	"fmt"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
)

// take deals with what the reading gave.
func (a *Archiver) take(i item) {
	switch {
	case i.trouble != nil:
		a.figures.trouble(i.trouble)
		a.log.warn("engine", i.trouble, "the stream cannot be read; trying again")
	case i.began != nil:
		a.began(*i.began)
	default:
		a.message(i.message)
	}
}

// began notes where a reading began. What the engine holds may be other than what it held: then the receivers' own numbers
// tell what is new.
func (a *Archiver) began(at Position) {
	a.figures.trouble(nil)
	a.log.over("engine", "the stream can be read again")
	if at.Stream != a.position.Stream && a.position.Stream != "" {
		a.opts.Log.Warn().Str("was", a.position.Stream).Str("is", at.Stream).
			Msg("the stream is another one than before; all that it holds is compared with what is here")
		for _, r := range a.receivers {
			r.missed, r.hold, r.passed = nil, hold{}, 0
		}
	}
	a.position = at.clone()
}

// message deals with a message, and notes that it has.
func (a *Archiver) message(m Message) {
	last := a.position.Offsets[m.Partition]
	if m.Offset <= last && last > 0 {
		return // A second time in one turn.
	}
	a.figures.count(func(f *Figures) { f.Messages++; f.Bytes += uint64(len(m.Payload)) })
	if err := a.put(m); err != nil {
		a.foreign(m, err)
	}
	a.position.Offsets[m.Partition] = m.Offset
}

// foreignError is about a message that belongs to no journal here.
type foreignError struct {
	reason string // a label of metrics
	err    error
}

func (e *foreignError) Error() string { return e.err.Error() }
func (e *foreignError) Unwrap() error { return e.err }

func foreignf(reason, format string, args ...any) error {
	return &foreignError{reason, fmt.Errorf(format, args...)}
}

// Why messages are foreign: labels of metrics.
const (
	foreignName    = "name"    // its receiver's name is none
	foreignMark    = "mark"    // it has no mark, or none as it is written
	foreignLines   = "lines"   // its lines are not those that its mark tells of
	foreignJournal = "journal" // it is of another journal than the one known by the name
)

// foreignReasons are all of them.
func foreignReasons() []string {
	return []string{foreignName, foreignMark, foreignLines, foreignJournal}
}

// put adds the lines of a message to its receiver's journal. Its error says that it is foreign.
func (a *Archiver) put(m Message) error {
	if err := stream.CheckName(m.Receiver); err != nil {
		return &foreignError{foreignName, err}
	}
	mark, err := stream.ParseMark(m.Header)
	if err != nil {
		return &foreignError{foreignMark, err}
	}
	r := a.receiver(m.Receiver)
	if r.missing {
		r.missed.note(m.Partition, m.Offset)
		return nil
	}
	lines, err := a.lines(m, mark)
	if err != nil {
		return err
	}
	if !a.knows(r, m, mark, lines) {
		r.passed = m.Offset
		return nil
	}
	return a.add(r, m, mark, lines)
}

// lines unpacks a message, and sees whether its lines are those that its mark tells of.
func (a *Archiver) lines(m Message, mark stream.Mark) ([]byte, error) {
	lines, err := a.unpack.Unpack(m.Payload)
	switch {
	case err != nil:
		return nil, &foreignError{foreignLines, err}
	case len(lines) == 0 || lines[len(lines)-1] != '\n':
		return nil, foreignf(foreignLines, "%w: its lines have no end", errContradiction)
	case bytes.Count(lines, []byte{'\n'}) != mark.Lines:
		return nil, foreignf(foreignLines, "%w: it has %d lines and tells of %d", errContradiction, bytes.Count(lines, []byte{'\n'}), mark.Lines)
	}
	last := bytes.TrimSuffix(lastLine(lines), []byte{'\n'})
	if journal.LineHash(last) != mark.Last {
		return nil, foreignf(foreignLines, "%w: its last line is another one", errContradiction)
	}
	return lines, nil
}

// receiver returns the one of a name, which has been checked.
func (a *Archiver) receiver(name string) *receiver {
	r := a.receivers[name]
	if r == nil {
		r = newReceiver(name, &a.opts)
		a.receivers[name] = r
	}
	return r
}

// knows makes sure that the receiver's place is known. A message of a receiver whose journal cannot be read is read again when
// it can; for one whose place is lost the receiver is asked.
func (a *Archiver) knows(r *receiver, m Message, mark stream.Mark, lines []byte) bool {
	err := r.load()
	if errors.Is(err, errNoPlace) {
		err = a.recover(r, mark, lines)
	}
	if err == nil {
		return true
	}
	r.log.warn("place", err, "nothing is written for this receiver")
	if !errors.Is(err, errNoPlace) {
		r.missing, r.retry = true, a.opts.Now()
		r.missed.note(m.Partition, m.Offset)
	}
	return false
}

// add gives the lines of a message to its receiver.
func (a *Archiver) add(r *receiver, m Message, mark stream.Mark, lines []byte) error {
	before := len(r.buf)
	if r.Journal != "" && mark.Journal != r.Journal && a.talk != nil && a.talk.owns(r.name, mark.Journal, r.Journal) {
		r.log.log.Warn().Str("journal", mark.Journal).Str("before", r.Journal).Msg("another journal goes on under this receiver's name, as it was told to")
		r.takeOver(mark.Journal, lines)
	}
	j, err := r.take(mark, lines, place{Stream: a.position.Stream, Partition: m.Partition, Offset: m.Offset}, a.talk != nil)
	if err != nil {
		return &foreignError{foreignLines, err}
	}
	switch j.verdict {
	case foreign:
		return foreignf(foreignJournal, "it is of journal %.40q, and receiver %s is known by journal %.40q: two receivers share a name, or its "+
			"journal was begun anew; let it say so with 'hbjournal forward --take-over'", mark.Journal, r.name, r.Journal)
	case copied:
		a.figures.count(func(f *Figures) { f.Copies += uint64(mark.Lines) })
	case hole:
		a.hole(r, m, mark)
	case early:
		a.early(r, m, mark)
	case fits:
		a.figures.count(func(f *Figures) {
			f.Lines += uint64(mark.Lines - j.skip)
			f.Copies += uint64(j.skip)
			f.Lost += uint64(j.lost)
		})
		a.healed(r)
	}
	if len(r.buf) > before && r.first == 0 {
		r.first = m.Offset
	}
	a.buffered += int64(len(r.buf) - before)
	a.dirty[r] = struct{}{}
	return nil
}

// foreign counts a message that belongs to no journal here, says so, and puts it aside.
func (a *Archiver) foreign(m Message, err error) {
	var why *foreignError
	if !errors.As(err, &why) {
		why = &foreignError{foreignMark, err}
	}
	a.figures.count(func(f *Figures) { f.Foreign[why.reason]++ })
	log := a.opts.Log.With().Str("receiver", short(m.Receiver)).Uint64("message", m.Offset).Logger()
	a.log.warnTo(log, "foreign "+why.reason+" "+short(m.Receiver), err, "a message is not taken; others go on")
	if why.reason == foreignJournal {
		return // It is whole, and its receiver has it.
	}
	if err := a.aside.keep(m, why.Error(), a.opts.Now()); err != nil {
		a.log.warn("aside", err, "a message that is not taken cannot be put aside")
	}
}

// short cuts what anybody may have written.
func short(text string) string {
	const longest = 80
	if len(text) > longest {
		return text[:longest]
	}
	return text
}
