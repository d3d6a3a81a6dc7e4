package fleet

import (
	"context"
	"maps"
	"time"
)

// progress is which messages are dealt with here, durably.
type progress struct {
	position Position
	last     map[string]uint64 // by receiver
}

// purgeEvery is how often what all archivers have confirmed is purged.
const purgeEvery = 5 * time.Second

// progress takes word of what is durable here.
func (t *talk) progress(at Position, last map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done = progress{at.clone(), maps.Clone(last)}
}

// purge removes from the engine what all archivers have confirmed.
func (t *talk) purge(ctx context.Context) error {
	now := t.opts.Now()
	if since := now.Sub(t.purged); since >= 0 && since < purgeEvery {
		return nil
	}
	t.purged = now
	first, err := t.bucket.Purge(ctx, "", 0)
	if err != nil {
		return err
	}
	t.mu.Lock()
	of := t.told.position.Stream
	t.mu.Unlock()
	last, holding := t.confirmedByAll(first)
	if holding == "" || last != t.heldAt {
		t.heldAt, t.heldSince = last, now
	}
	if now.Sub(t.heldSince) > sayEvery {
		t.log.warn("hold", nil, "the stream keeps what archiver "+holding+" has not confirmed; if there is none of that name any more: hbjournal archive --forget "+holding)
	}
	if last < first {
		return nil
	}
	_, err = t.bucket.Purge(ctx, of, last)
	return err
}

// confirmedByAll is the last message up to which all are confirmed by all archivers, and one that has not confirmed all that is
// dealt with here. Of receivers without a message from first on there is nothing to confirm.
func (t *talk) confirmedByAll(first uint64) (last uint64, holding string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last = t.told.position.Offsets[0]
	for archiver, confirmed := range t.others {
		if archiver == t.opts.Name {
			continue
		}
		for receiver, offset := range t.told.last {
			if offset < first {
				continue
			}
			var theirs uint64
			if c := confirmed[receiver]; c.Stream == t.told.position.Stream {
				theirs = c.Sequence
			}
			if theirs < offset {
				last, holding = min(last, theirs), archiver
			}
		}
	}
	return last, holding
}
