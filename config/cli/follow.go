package cli

import (
	"context"
	"errors"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// settleFor is how long after --until a follower waits for entries that were received before it: they are in the file
// within milliseconds, and within this time on a machine that is overloaded.
const settleFor = time.Second

// followed makes the reading one of the journals whose live files were named. What --until bounds is only followed if its end
// is still to come.
func (q *query) followed() error {
	if !follows(q.options) {
		return &usageError{
			errors.New("-f follows journals: name their directories or live files, or none"), "see 'hbjournal query --help'",
		}
	}
	makeWhole(&q.options)
	q.awaitReceivers(&q.options)
	if until := q.options.Until; !until.IsZero() && until.Before(time.Now()) {
		q.follow, q.endless = false, false
	}
	return nil
}

// readOn prints what there is, or the last of it, and then what comes.
func (q *query) readOn(ctx context.Context) error {
	var at []*read.Cursor
	if q.last >= 0 {
		var err error
		if at, err = q.readLast(ctx); err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if err := q.out.flush(); err != nil {
			return err
		}
		q.sayNothingYet(ctx)
	}
	source, err := read.FollowAll(q.options, at)
	if err != nil {
		return err
	}
	defer source.Close()
	var block read.Block
	for err == nil {
		if err = q.await(ctx, source, &block); err == nil {
			q.fit()
			err = q.emit(q.start(ctx, &block))
		}
	}
	return err
}

// sayNothingYet tells who waits for entries of some kind that there are none so far: they may have been misspelt.
func (q *query) sayNothingYet(ctx context.Context) {
	asked := len(q.ids) + len(q.names) + len(q.plugins) + len(q.sources) + len(q.matches)
	if asked > 0 && q.last > 0 && q.entries == 0 && q.faults.count == 0 && ctx.Err() == nil {
		q.sayEmpty(ctx, "no entry yet")
	}
}

// await reads the next block. It gives errEnough once nothing more can come that is older than --until.
func (q *query) await(ctx context.Context, source read.Source, b *read.Block) error {
	if q.options.Until.IsZero() {
		return source.Read(ctx, b)
	}
	settled := q.options.Until.Add(settleFor)
	end := settled
	if now := time.Now(); now.After(settled) {
		end = now.Add(settleFor)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, end, errEnough)
	defer cancel()
	err := source.Read(ctx, b)
	if errors.Is(err, context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	if millis, timed := journal.LineTime(b.Data); err == nil && timed && millis > settled.UnixMilli() {
		return errEnough
	}
	return err
}
