package forward

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// errGivenUp ends a Loop that was to go once.
var errGivenUp = errors.New("given up")

const (
	leastDelay = 100 * time.Millisecond
	mostDelay  = 30 * time.Second
	mostAfter  = 10 * time.Minute // that a receiver can ask for
	sayEvery   = time.Minute
)

// troubled waits after an error of Send, and asks a receiver that knows where it stands.
func (l *Loop) troubled(ctx context.Context, err error) error {
	if errors.Is(err, ErrStop) || ctx.Err() != nil {
		return err
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	if err := l.trouble(ctx, err); err != nil {
		return err
	}
	return l.ask(ctx)
}

// trouble says what is wrong and waits, longer each time. Its error is that of ctx, or errGivenUp.
func (l *Loop) trouble(ctx context.Context, err error) error {
	var t *TroubleError
	if !errors.As(err, &t) {
		t = &TroubleError{Class: Ambiguous, Err: err}
	}
	before := l.board.class()
	since, tries := l.board.trouble(t)
	l.say(t, since, before != t.Class)
	left := l.opt.GiveUp - l.opt.Now().Sub(since)
	if l.opt.Once && left <= 0 {
		return fmt.Errorf("%w after %v: %w", errGivenUp, l.opt.GiveUp, err)
	}
	delay := rand.N(min(mostDelay, leastDelay<<min(tries-1, 20))) + 1
	if t.After > 0 {
		delay = min(t.After, mostAfter)
	}
	if l.opt.Once { // Whoever waits for the end gets one more try then, whatever the receiver asks for.
		delay = min(delay, left)
	}
	l.look()
	return pause(ctx, delay)
}

// say tells the log of a trouble when it begins or changes its kind, and then once a minute.
func (l *Loop) say(t *TroubleError, since time.Time, changed bool) {
	if !l.board.toSay(changed) {
		return
	}
	l.tell()
	l.opt.Log.Warn().Str("output", l.opt.Name).Str("to", l.opt.Address).Str("class", string(t.Class)).Str("error", printable(t.Error(), maxReason)).
		Stringer("since", l.opt.Now().Sub(since).Round(time.Second)).Msg("forward: the output does not take lines; trying again, nothing is lost")
}

// works tells the log that a trouble is over.
func (l *Loop) works() {
	if since, was := l.board.works(); was {
		l.tell()
		l.opt.Log.Info().Str("output", l.opt.Name).Str("to", l.opt.Address).Stringer("after", l.opt.Now().Sub(since).Round(time.Second)).
			Msg("forward: the output takes lines again")
	}
}

// look finds out how far behind the output is, and what is held for it.
func (l *Loop) look() {
	if !l.board.toLook() {
		return
	}
	l.board.holds(heldBytes(l.opt.Journal, l.record.Cursor.Cursor))
	if l.cutter == nil {
		return
	}
	if behind, err := l.cutter.follower.Behind(); err == nil {
		read := max(0, len(l.cutter.block.Data)-l.cutter.pos)
		if done := int(l.record.Number - l.batch.Number); done >= 0 && done < l.batch.Len() {
			read += l.batch.Slice(done, l.batch.Len()).Size()
		}
		l.board.behind(behind + int64(read))
	}
}

// ask goes to where a receiver that knows it says that it stands; errElsewhere says that this is another place.
func (l *Loop) ask(ctx context.Context) error {
	resumer, ok := l.out.(Resumer)
	if !ok {
		return nil
	}
	for {
		held, ok, err := resumer.Position(ctx, l.opt.JournalID)
		if err == nil && ok {
			err = l.resume(ctx, held)
		}
		if err == nil || errors.Is(err, ErrStop) || errors.Is(err, errElsewhere) || ctx.Err() != nil {
			return err
		}
		if err := l.trouble(ctx, err); err != nil {
			return err
		}
	}
}

// resume goes on from what the receiver holds, unless only refused lines lie between that and what is noted here.
func (l *Loop) resume(ctx context.Context, held Held) error {
	r := &l.record
	if l.opt.Apart && l.fresh && r.Intent == nil {
		return fmt.Errorf("%w: the receiver holds lines of this journal already and takes them in order, so it would never get those "+
			"between; a part of the past needs a place of its own there", ErrStop)
	}
	if r.Fleet.Back > 0 && held.Number == r.Fleet.Back {
		return nil // Nothing was sent since going back for an archiver.
	}
	if held.Number >= r.Taken && held.Number <= r.Number && !l.fresh && !r.Moved {
		return nil
	}
	if held.Last != "" && !l.opt.AcceptRewind {
		if err := CheckHeld(l.opt.Journal, held); err != nil {
			return err
		}
	}
	if i := r.Intent; i != nil && (held.At.First != i.To.First || held.At.Offset >= i.To.Offset) {
		r.Intent = nil
	}
	r.Figures.Lines += max(0, held.Number-max(r.Number, r.Fleet.High))
	r.Cursor, r.Number, r.Taken, r.Run, l.dirty, l.fresh = position{held.At}, held.Number, held.Number, run{}, true, false
	r.Moved, r.Gone, r.Fleet.Back = false, nil, 0
	if err := l.settle(ctx); err != nil {
		return err
	}
	return errElsewhere
}

// pause waits, unless ctx ends earlier.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
