package forward

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pendingLetter is a refused line that is not in dead.jsonl yet.
type pendingLetter struct {
	Letter
	number int64 // of the line
}

// deliver sends the batch until each of its lines is dealt with. A part that is refused as a whole is halved, down to the line.
func (l *Loop) deliver(ctx context.Context) error {
	parts := []*Batch{l.batch}
	for len(parts) > 0 {
		part := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if err := l.putAsideFirst(ctx); err != nil {
			return err
		}
		receipt, err := l.send(ctx, part)
		var refused *RefusedError
		blamed := errors.As(err, &refused)
		switch {
		case !blamed:
		case receipt.Acked > 0: // It is about those behind, which come next.
			err = nil
		case part.Len() > 1:
			half := part.Len() / 2
			parts = append(parts, part.Slice(half, part.Len()), part.Slice(0, half))
			continue
		default:
			receipt, err = Receipt{Acked: 1, Refused: []Refused{{Code: refused.Code, Reason: refused.Reason}}}, nil
		}
		if err == nil && receipt.Acked < part.Len() && !blamed {
			err = &TroubleError{Class: Ambiguous, Err: fmt.Errorf("it has taken %d of %d lines, and says no more", receipt.Acked, part.Len())}
		}
		rest, wrong := l.count(part, receipt)
		if wrong {
			return l.goBack(ctx)
		}
		if err != nil {
			if err := l.troubled(ctx, err); err != nil {
				return err
			}
		}
		if rest.Len() > 0 {
			parts = append(parts, rest)
		}
	}
	if l.failing && l.record.Run.Lines > 0 && l.record.Run.Number <= l.batch.Number {
		return l.goBack(ctx)
	}
	l.record.Intent, l.dirty = nil, true
	l.board.took()
	l.look()
	return nil
}

// send hands a part over, and bounds how long that goes on after ctx has ended.
func (l *Loop) send(ctx context.Context, part *Batch) (Receipt, error) {
	if err := l.keepPace(ctx, part); err != nil {
		return Receipt{}, err
	}
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		select {
		case <-time.After(stopWithin):
			cancel()
		case <-sending.Done():
		}
	})
	defer func() {
		if !stop() {
			cancel()
			<-done
		}
	}()
	began := l.opt.Now()
	if gone := l.record.Gone; gone != nil && gone.From < part.Number {
		part.Gone = gone
	}
	l.board.sending(part)
	receipt, err := l.out.Send(sending, part)
	l.board.sent(l.opt.Now().Sub(began))
	receipt.Acked = max(0, min(receipt.Acked, part.Len()))
	return receipt, err
}

// keepPace waits until Rate allows the next lines.
func (l *Loop) keepPace(ctx context.Context, part *Batch) error {
	if l.opt.Rate == 0 {
		return nil
	}
	now := l.opt.Now()
	if wait := l.pace.Sub(now); wait > 0 {
		if err := pause(ctx, wait); err != nil {
			return err
		}
		now = l.opt.Now()
	}
	l.pace = now.Add(time.Duration(part.Len()) * time.Second / time.Duration(l.opt.Rate))
	return nil
}

// count notes what became of a part, and returns what is left of it. wrong says that so many lines one behind the other were
// refused for one reason that it is not theirs.
func (l *Loop) count(part *Batch, r Receipt) (rest *Batch, wrong bool) {
	refused := make(map[int]Refused, len(r.Refused))
	for _, line := range r.Refused {
		if line.Line >= 0 && line.Line < r.Acked {
			refused[line.Line] = line
		}
	}
	f := &l.record.Figures
	for _, u := range r.Unnamed {
		l.refuseSome(part, u, r.Acked, refused)
	}
	for i := range r.Acked {
		if why, ok := refused[i]; ok {
			l.refuse(part, i, why)
			continue
		}
		l.take(part, i)
	}
	f.Duplicates += int64(min(r.Duplicates, r.Acked))
	rest = part.Slice(r.Acked, part.Len())
	if r.Acked > 0 {
		l.record.Cursor, l.record.Number, l.dirty = position{rest.From}, rest.Number, true
	}
	if l.record.Run.Lines == 0 && r.Acked > 0 {
		l.failing = false
	}
	if r.Acked > 0 && !l.failing {
		l.works()
	}
	return rest, l.record.Run.Lines >= wrongInARow
}

// take notes that the receiver has a line.
func (l *Loop) take(part *Batch, i int) {
	r := &l.record
	number := part.Number + int64(i)
	if number < r.Fleet.High {
		r.Figures.Again++
	} else {
		r.Figures.Lines++
		r.Figures.Bytes += int64(len(part.Line(i)) + 1)
	}
	r.Run, r.Taken, r.Moved, r.Gone, r.Fleet.Back, l.fresh = run{}, number+1, false, nil, 0, false
}

// refuseSome puts a range among what will go into dead.jsonl; each line by itself if all of them were refused.
func (l *Loop) refuseSome(part *Batch, u Unnamed, acked int, refused map[int]Refused) {
	u.From, u.To = max(0, u.From), min(u.To, acked)
	u.Count = min(u.Count, u.To-u.From)
	switch {
	case u.Count <= 0:
	case u.Count == u.To-u.From:
		for i := u.From; i < u.To; i++ {
			refused[i] = Refused{Line: i, Code: u.Code, Reason: u.Reason}
		}
	default:
		l.record.Figures.Refused += int64(u.Count)
		l.record.Figures.Lines -= int64(u.Count) // Which are counted as taken below.
		l.pending = append(l.pending, pendingLetter{rangeOf(part, u, l.opt.Address, l.opt.Now()), part.Number + int64(u.From)})
	}
}

// refuse puts a line among those that will go into dead.jsonl, unless it is there: it was sent and refused before.
func (l *Loop) refuse(part *Batch, i int, why Refused) {
	letter := letterOf(part, i, why, l.opt.Address, l.opt.Now())
	number := part.Number + int64(i)
	if l.record.Gone == nil {
		l.record.Gone = &Gone{From: number, Reason: GoneRefused}
	}
	if number < l.record.Fleet.High {
		return
	}
	if r := &l.record.Run; r.Lines == 0 || r.Code != letter.Code {
		*r = run{Code: letter.Code, Cursor: position{part.At(i)}, Number: number, Dead: l.record.Dead}
		if n := len(l.pending); n > 0 {
			r.Dead = -1 // Behind what is pending: where, shows when that is written.
		}
	}
	l.record.Run.Lines++
	l.record.Figures.Refused++
	l.pending = append(l.pending, pendingLetter{letter, number})
}

// putAsideFirst makes refused lines durable before more is sent to a receiver whose position would move past them.
func (l *Loop) putAsideFirst(ctx context.Context) error {
	if _, ok := l.out.(Resumer); ok && len(l.pending) > 0 {
		return l.settle(ctx)
	}
	return nil
}

// putAside writes the refused lines into dead.jsonl. It is before the cursor goes behind them.
func (l *Loop) putAside() error {
	if len(l.pending) == 0 {
		return nil
	}
	run := &l.record.Run
	before := len(l.pending)
	if run.Lines > 0 {
		for before = 0; before < len(l.pending) && l.pending[before].number < run.Number; before++ {
		}
	}
	for _, n := range []int{before, len(l.pending) - before} {
		if n == 0 {
			continue
		}
		part := l.pending[:n]
		all := make([]Letter, len(part))
		for i, p := range part {
			all[i] = p.Letter
		}
		if run.Dead < 0 && part[0].number >= run.Number {
			run.Dead = l.record.Dead
		}
		hold, err := l.letters.put(all, l.record.Dead)
		if err != nil {
			return err
		}
		// Each part by itself: the second one may find no room, and the first is not to be written once more then.
		l.board.refused(part)
		l.record.Dead, l.pending, l.dirty = hold, l.pending[n:], true
	}
	l.pending = nil
	return nil
}

// goBack goes before the lines that were all refused for one reason, takes them out of dead.jsonl, and waits.
func (l *Loop) goBack(ctx context.Context) error {
	bad := l.record.Run
	reason := bad.Code
	kept := l.pending[:0]
	for _, p := range l.pending {
		if p.number < bad.Number {
			kept = append(kept, p)
		} else {
			reason = p.Code + ": " + p.Reason
		}
	}
	l.pending, l.dirty = kept, true
	l.record.Run = run{}
	if len(kept) > 0 {
		bad.Dead = -1 // It began behind them.
	}
	if bad.Dead >= 0 {
		l.record.Dead = min(l.record.Dead, bad.Dead)
	}
	l.record.Cursor, l.record.Number, l.record.Intent, l.dirty = bad.Cursor, bad.Number, nil, true
	l.record.Figures.Refused -= int64(bad.Lines)
	if err := l.settle(ctx); err != nil {
		return err
	}
	if _, err := l.letters.put(nil, l.record.Dead); err != nil {
		return err
	}
	l.failing = true
	if err := l.trouble(ctx, &TroubleError{Class: Refusals, Err: fmt.Errorf("%d lines in a row were refused, so it is not the lines: %s", bad.Lines, reason)}); err != nil {
		return err
	}
	return errElsewhere
}
