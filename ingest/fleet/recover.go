package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// recover finds the place of a receiver anew, of which lines are here and the position is lost: behind the line that was confirmed
// last, or else behind one of a message. Until that is found, the receiver is asked for all that it still holds.
func (a *Archiver) recover(r *receiver, mark stream.Mark, lines []byte) error {
	if err := a.recall(r); err != nil {
		return err
	}
	if a.talk != nil {
		if c, ok := a.talk.confirmed(r.name); ok {
			if err := a.placeBehind(r, chain{Journal: c.Journal, Number: c.Number, To: c.To, Last: c.Last}); !errors.Is(err, errNotHere) {
				return err
			}
		}
	}
	c := chain{}.behind(mark)
	if r.Journal != "" && r.Journal != mark.Journal && (a.talk == nil || !a.talk.owns(r.name, mark.Journal, r.Journal)) {
		lines = nil // Another journal may have the same lines.
	}
	for len(lines) > 0 {
		if err := a.placeBehind(r, c); !errors.Is(err, errNotHere) {
			return err
		}
		lines = lines[:len(lines)-len(lastLine(lines))]
		c = c.without(lines)
	}
	a.ask(r, mark.Journal)
	return fmt.Errorf("%w, and lines %d to %d, which came, are not among the newest of the journal here, so nobody knows where they belong: "+
		"if this lasts, move %s away, to have it written anew from what the stream and the receiver hold", errNoPlace, mark.Number, mark.Next(), r.opt.Dir)
}

// without is the chain before its last line, given the lines before that. Where these end in the receiver's journal is not known.
func (c chain) without(before []byte) chain {
	last := bytes.TrimSuffix(lastLine(before), []byte{'\n'})
	return chain{Journal: c.Journal, Number: c.Number - 1, Last: journal.LineHash(last)}
}

// placeBehind settles a receiver behind the last line of c. Its error wraps errNotHere if that is not in the journal.
func (a *Archiver) placeBehind(r *receiver, c chain) error {
	own, at, err := r.recent.find(c.Last)
	if err != nil {
		return err
	}
	p := place{chain: c, LastAt: at, Sealed: true, Own: own}
	if c.Journal == r.Journal {
		p.First = r.First
	}
	r.settle(p)
	r.asked = a.opts.Now().Add(-askEvery)
	r.looked = false
	r.log.log.Warn().Int64("number", r.Number).Str("journal", r.Journal).Msg("the position was lost, and was found anew by the lines that are here")
	return nil
}

// mostRecalled bounds of how many receivers the newest lines are known at once.
const mostRecalled = 256

// recall makes known the newest lines of a receiver whose place is lost. Nothing is written there meanwhile.
func (a *Archiver) recall(r *receiver) error {
	if r.recent != nil {
		return nil
	}
	n, err := recentLines(r.opt)
	if err != nil {
		return err
	}
	a.recalled = slices.DeleteFunc(a.recalled, func(of *receiver) bool { return of.recent == nil })
	r.recent = n
	if a.recalled = append(a.recalled, r); len(a.recalled) > mostRecalled {
		a.recalled[0].recent = nil
		a.recalled = slices.Delete(a.recalled, 0, 1)
	}
	return nil
}

// So much of a journal is looked at, and then the rest of a block.
const (
	recentBytes = 16 << 20
	mostRecent  = 200_000 // lines
)

// recent are the newest lines of a journal, as far as they can be read from its end.
type recent struct {
	opt  read.Options
	keys []uint64 // of those lines that are there once, sorted
	none bool     // there are no lines
}

// errNotHere says that a line is not among the newest of a journal, or more than once.
var errNotHere = errors.New("the line is not here")

// key is a part of a line's hash.
func key(hash string) (uint64, error) { return strconv.ParseUint(hash[:min(len(hash), 16)], 16, 64) }

func recentLines(opt read.Options) (*recent, error) {
	n := &recent{opt: opt}
	err := n.each(func(hash string, _ []byte, _ read.Cursor) {
		if k, err := key(hash); err == nil {
			n.keys = append(n.keys, k)
		}
	})
	n.none = len(n.keys) == 0
	n.keys = onlyOnce(n.keys)
	return n, err
}

// onlyOnce sorts keys, without those that are there more than once.
func onlyOnce(keys []uint64) []uint64 {
	slices.Sort(keys)
	kept := keys[:0]
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n] == keys[0] {
			n++
		}
		if n == 1 {
			kept = append(kept, keys[0])
		}
		keys = keys[n:]
	}
	return slices.Clone(kept)
}

// find returns the position behind a line, and its time.
func (n *recent) find(hash string) (found read.Cursor, at journal.Instant, err error) {
	k, err := key(hash)
	if err != nil {
		return found, at, errNotHere
	}
	if _, ok := slices.BinarySearch(n.keys, k); !ok {
		return found, at, errNotHere
	}
	times := 0
	err = n.each(func(h string, line []byte, behind read.Cursor) {
		if h == hash {
			times++
			found, at = behind, timeOf(line)
		}
	})
	if err == nil && times != 1 {
		err = fmt.Errorf("%w once, but %d times", errNotHere, times)
	}
	return found, at, err
}

// each calls do with the hash of each line, and the position behind it. It ends before what is damaged or encrypted: nothing that
// stands before that can be compared up to the end.
func (n *recent) each(do func(hash string, line []byte, behind read.Cursor)) error {
	back := read.OpenBack(n.opt)
	defer back.Close()
	var b read.Block
	for size, n := 0, 0; size < recentBytes && n < mostRecent; size += len(b.Data) {
		err := back.Read(context.Background(), &b)
		if errors.Is(err, io.EOF) || err == nil && b.Fault != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for a line: %w", err)
		}
		for start := 0; ; {
			i := bytes.IndexByte(b.Data[start:], '\n')
			if i < 0 {
				break
			}
			end := start + i + 1
			do(journal.LineHash(b.Data[start:end-1]), b.Data[start:end], b.At(end))
			start = end
			n++
		}
	}
	return nil
}
