package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"hbjournal/sink/forward/stream"
)

// A talk is what an archiver says to receivers and other archivers, and hears of them, on a goroutine of its own: whether they can be
// reached holds up nothing else.
type talk struct {
	purged    time.Time // when it was last looked what can be
	heldAt    uint64    // the message up to which another archiver had confirmed all then
	heldSince time.Time // since when that is so

	failed map[string]int // by key: how often it could not be put, since it was

	opts   Options
	bucket Bucket
	log    saying

	mu     sync.Mutex
	said   map[string][]byte // by key: what was said last; again when the bucket is lost
	unsaid map[string]bool   // of said, what is not in the bucket yet
	done   progress
	told   progress                                  // what was done when confirmations were last put into the bucket
	heard  map[string]heard                          // by receiver
	mine   map[string]stream.Confirmation            // of an earlier life, by receiver
	others map[string]map[string]stream.Confirmation // by archiver and receiver: the last message that is confirmed
}

// heard is what a receiver has told.
type heard struct {
	stream.Figures
	seen  time.Time // when the number last went up
	owner stream.Owner
}

func newTalk(o Options) *talk {
	t := &talk{
		heldSince: o.Now(), failed: make(map[string]int),

		opts: o, bucket: o.Bucket, log: saying{log: o.Log, now: o.Now},
		said: make(map[string][]byte), unsaid: make(map[string]bool), heard: make(map[string]heard),
		mine: make(map[string]stream.Confirmation), others: make(map[string]map[string]stream.Confirmation),
	}
	t.say(stream.Key(stream.KindArchiver, o.Name), stream.Registration{Since: o.Now().UTC()})
	return t
}

// say has a value put into the bucket.
func (t *talk) say(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil || len(text) > stream.MaxValue {
		t.log.warn("say", err, "a value of the bucket cannot be made")
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said[key] = text
	t.unsaid[key] = true
}

// confirm tells a receiver what is durable.
func (t *talk) confirm(receiver string, c stream.Confirmation) {
	t.say(stream.Key(stream.KindConfirmed, t.opts.Name, receiver), c)
}

// ask asks a receiver to send again.
func (t *talk) ask(receiver string, r stream.Request) {
	t.say(stream.Key(stream.KindAsk, t.opts.Name, receiver), r)
}

// confirmed is what this archiver had confirmed before it started.
func (t *talk) confirmed(receiver string) (stream.Confirmation, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.mine[receiver]
	return c, ok
}

// owns reports whether a receiver has told that one journal goes on under its name in place of another.
func (t *talk) owns(receiver, journal, before string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	owner := t.heard[receiver].owner
	return owner.Journal == journal && slices.Contains(owner.Before, before)
}

// allFigures are those of all receivers that told any.
func (t *talk) allFigures() map[string]heard {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.heard)
}

const (
	talkEvery = time.Second
	lastWords = 2 * time.Second
)

// run talks until ctx ends.
func (t *talk) run(ctx context.Context) {
	tick := time.NewTicker(talkEvery)
	defer tick.Stop()
	for {
		if err := t.round(ctx); err != nil && ctx.Err() == nil {
			t.log.warn("bucket", err, "the bucket beside the stream cannot be used; nothing is confirmed or asked for meanwhile")
		} else if err == nil {
			t.log.over("bucket", "the bucket can be used again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// last says what is left to be said. run must have ended.
func (t *talk) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	if err := t.tell(ctx); err != nil {
		t.opts.Log.Warn().Err(err).Msg("what was written last could not be confirmed; it will be at the next start")
	}
}

// round hears what there is, and says what there is to say.
func (t *talk) round(ctx context.Context) error {
	changes, anew, err := t.bucket.Poll(ctx)
	if err != nil {
		return err
	}
	if anew {
		t.again()
	}
	for _, c := range changes {
		t.hear(c)
	}
	t.mu.Lock()
	t.told = t.done // Its confirmations are told next; what is done meanwhile is not to be purged yet.
	t.mu.Unlock()
	err = t.tell(ctx)
	if t.owesConfirmations() {
		return err
	}
	return errors.Join(err, t.purge(ctx))
}

// owesConfirmations reports whether one is not in the bucket yet.
func (t *talk) owesConfirmations() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.unsaid {
		if kind, _, err := stream.ParseKey(key); err == nil && kind == stream.KindConfirmed {
			return true
		}
	}
	return false
}

// again has all said anew, and forgets what was heard of archivers.
func (t *talk) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.said {
		t.unsaid[key] = true
	}
	clear(t.others)
}

// tell puts into the bucket what is not there yet, up to the first error. Each key is put once a round at most, with its last value.
// Those that could not be put before come last: one that may not be put holds up no other.
func (t *talk) tell(ctx context.Context) error {
	t.mu.Lock()
	keys := slices.Sorted(maps.Keys(t.unsaid))
	t.mu.Unlock()
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(t.failed[a], t.failed[b]) })
	for _, key := range keys {
		t.mu.Lock()
		text := t.said[key]
		delete(t.unsaid, key)
		t.mu.Unlock()
		if err := t.bucket.Put(ctx, key, text); err != nil {
			t.mu.Lock()
			t.unsaid[key] = true
			t.mu.Unlock()
			t.failed[key]++
			return fmt.Errorf("put %s: %w", key, err)
		}
		delete(t.failed, key)
	}
	return nil
}

// hear takes what somebody has put into the bucket.
func (t *talk) hear(c Change) {
	kind, names, err := stream.ParseKey(c.Key)
	if err != nil {
		t.log.warn("key", err, "a key in the bucket is not taken")
		return
	}
	t.mu.Lock()
	err = t.hearLocked(kind, names, c.Value)
	t.mu.Unlock()
	if err != nil {
		t.log.warn("value "+kind, fmt.Errorf("%s: %w", c.Key, err), "a value in the bucket is not taken")
	}
}

func (t *talk) hearLocked(kind string, names []string, value []byte) error {
	gone := value == nil
	switch kind {
	case stream.KindArchiver:
		if gone {
			delete(t.others, names[0])
		} else if t.others[names[0]] == nil {
			t.others[names[0]] = make(map[string]stream.Confirmation)
		}
	case stream.KindConfirmed:
		return t.hearConfirmed(names[0], names[1], value)
	case stream.KindFigures, stream.KindOwner:
		if gone {
			return nil
		}
		h := t.heard[names[0]]
		if kind == stream.KindOwner {
			if err := stream.Decode(value, &h.owner); err != nil {
				return err
			}
		} else {
			number := h.Number
			h.Figures = stream.Figures{}
			if err := stream.Decode(value, &h.Figures); err != nil {
				return err
			}
			if h.Number != number {
				h.seen = t.opts.Now()
			}
		}
		t.heard[names[0]] = h
	}
	return nil
}

func (t *talk) hearConfirmed(archiver, receiver string, value []byte) error {
	if value == nil {
		return nil
	}
	var c stream.Confirmation
	if err := stream.Decode(value, &c); err != nil {
		return err
	}
	if _, told := t.said[stream.Key(stream.KindConfirmed, archiver, receiver)]; archiver == t.opts.Name && !told {
		t.mine[receiver] = c
	}
	if t.others[archiver] == nil {
		t.others[archiver] = make(map[string]stream.Confirmation)
	}
	t.others[archiver][receiver] = c
	return nil
}
