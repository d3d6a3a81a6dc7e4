package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// errNotHere says that a line is not in a journal.
var errNotHere = errors.New("the line is not here")

// recover finds the place of a receiver anew, of which lines are here and the position is lost: behind the line that was confirmed
// last, or else behind the last line of a message. Until that is found, the receiver is asked for all that it still holds.
func (a *Archiver) recover(r *receiver, mark stream.Mark) error {
	if a.talk != nil {
		if c, ok := a.talk.confirmed(r.name); ok && c.Last != "" {
			own, err := findLine(r.opt, c.Last)
			if err == nil {
				r.settle(place{chain: chain{Journal: c.Journal, Number: c.Number, To: c.To, Last: c.Last}, Sealed: true, Own: own})
				return a.recovered(r)
			}
			if !errors.Is(err, errNotHere) {
				return err
			}
		}
	}
	own, err := findLine(r.opt, mark.Last)
	if err == nil {
		r.settle(place{chain: chain{}.behind(mark), Sealed: true, Own: own})
		return a.recovered(r)
	}
	if !errors.Is(err, errNotHere) {
		return err
	}
	a.ask(r, mark.Journal)
	return fmt.Errorf("%w, and lines %d to %d, which came, are not in the journal here, so nobody knows where they belong: if this lasts, "+
		"move %s away, to have it written anew from what the stream and the receiver hold", errNoPlace, mark.Number, mark.Next(), r.opt.Dir)
}

func (a *Archiver) recovered(r *receiver) error {
	r.asked = a.opts.Now().Add(-askEvery)
	r.looked = false
	r.log.log.Warn().Int64("number", r.Number).Str("journal", r.Journal).Msg("the position was lost, and was found anew by the lines that are here")
	return nil
}

// findLine returns the position behind the only line of a journal with this hash.
func findLine(opt read.Options, hash string) (found read.Cursor, err error) {
	source, err := read.Open(opt)
	if err != nil {
		return read.Cursor{}, fmt.Errorf("look for a line: %w", err)
	}
	defer source.Close()
	var b read.Block
	times := 0
	for {
		err := source.Read(context.Background(), &b)
		if err == io.EOF {
			break
		}
		if err != nil {
			return read.Cursor{}, fmt.Errorf("look for a line: %w", err)
		}
		for start, pos := 0, 0; pos < len(b.Data); pos++ {
			if b.Data[pos] != '\n' {
				continue
			}
			if journal.LineHash(b.Data[start:pos]) == hash {
				times++
				if found = b.End(); pos+1 < len(b.Data) {
					found = b.At(pos + 1)
				}
			}
			start = pos + 1
		}
	}
	switch times {
	case 0:
		return read.Cursor{}, errNotHere
	case 1:
		return found, nil
	}
	return read.Cursor{}, fmt.Errorf("%w once, but %d times", errNotHere, times)
}
