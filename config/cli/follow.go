package cli

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// settleFor is how long after --until a follower waits for entries that were received before it: they are in the file
// within milliseconds, and within this time on a machine that is overloaded.
const settleFor = time.Second

// followed makes the reading one of the journal whose live file was named. What --until bounds is only followed if its end
// is still to come.
func (q *query) followed() {
	if len(q.options.Paths) == 1 {
		live := q.options.Paths[0]
		q.options.Dir, q.options.Base, q.options.Paths = filepath.Dir(live), filepath.Base(live), nil
	}
	if until := q.options.Until; !until.IsZero() && until.Before(time.Now()) {
		q.follow, q.endless = false, false
	}
}

// readOn prints what there is, or the last of it, and then what comes.
func (q *query) readOn(ctx context.Context) error {
	var at read.Cursor
	if q.last >= 0 {
		var err error
		if at, err = q.readLast(ctx); err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if err := q.out.flush(); err != nil {
			return err
		}
	}
	source, err := read.Follow(q.options, at)
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
