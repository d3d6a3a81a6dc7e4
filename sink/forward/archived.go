package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hbjournal/sink/journal/read"
)

// An Archived is a Resumer whose receiver is a stream that archivers read: each says how far it has come, and asks for the
// lines that it misses.
type Archived interface {
	Resumer
	// Archivers is how many there are by configuration. Backups are held until all of them have confirmed what is in them;
	// with none, the output's own cursor counts.
	Archivers() int
	// Hear tells the archivers how far this journal was sent, and returns what they say.
	Hear(ctx context.Context, journalID string) (Heard, error)
}

// Heard is what archivers say.
type Heard struct {
	Confirmed Held // what all of them hold
	All       bool // each has said so; else Confirmed says nothing
	Again     []Again
}

// Again is a request to send once more.
type Again struct {
	Archiver string
	ID       string // of the request
	From     Held   // Number is that of the first line that is missing, which starts at At; Last may be empty
}

// A Gone tells a receiver that numbers lines which of them it will never get.
type Gone struct {
	From   int64  `json:"from"` // up to the first line of the batch
	Reason string `json:"reason"`
}

// Why lines never come.
const (
	GoneRefused = "refused" // the receiver cannot take them; they are in dead.jsonl
	GonePruned  = "pruned"  // this journal has them no longer: they were never sent, or are asked for once more
)

// fleet is what a record knows of archivers.
type fleet struct {
	Held      bool             `json:"held"`      // backups wait for Confirmed
	Confirmed position         `json:"confirmed"` // what all archivers hold lies before it
	Number    int64            `json:"number"`    // of the line there
	High      int64            `json:"high"`      // the highest number that was ever sent before; lines below it are sent once more
	Back      int64            `json:"back"`      // what the receiver holds is up to this number while nothing was sent since going back; 0: something was
	Asked     map[string]asked `json:"asked,omitempty"`
}

// asked is the last request of an archiver that was followed.
type asked struct {
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
}

const (
	hearEvery  = 2 * time.Second
	againEvery = time.Minute // that one archiver can make a journal go back
)

// hears reports whether the output has archivers to listen to, and returns it.
func (l *Loop) hears() (Archived, bool) {
	a, ok := l.out.(Archived)
	return a, ok && a.Archivers() > 0
}

// hear listens to the archivers now and then. errElsewhere says that one of them asked for what it misses, and that it is to be
// sent next. That they cannot be heard is no trouble of the output: what they said last counts.
func (l *Loop) hear(ctx context.Context) error {
	archived, ok := l.hears()
	if now := l.opt.Now(); !ok || now.Sub(l.heard) < hearEvery {
		return nil
	}
	l.heard = l.opt.Now()
	heard, err := archived.Hear(ctx, l.opt.JournalID)
	if err != nil {
		if ctx.Err() == nil && l.opt.Now().Sub(l.deaf) >= sayEvery {
			l.deaf = l.opt.Now()
			l.opt.Log.Warn().Str("output", l.opt.Name).Str("error", printable(err.Error(), maxReason)).
				Msg("forward: the archivers cannot be heard; backups wait for what they confirmed last")
		}
		return nil
	}
	if heard.All && heard.Confirmed.Number > l.record.Fleet.Number {
		l.record.Fleet.Confirmed, l.record.Fleet.Number, l.dirty = position{heard.Confirmed.At}, heard.Confirmed.Number, true
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	for _, again := range heard.Again {
		if err := l.follow(ctx, again); err != nil {
			return err
		}
	}
	return nil
}

// follow does what an archiver asks for, unless that was done, or it asks too often.
func (l *Loop) follow(ctx context.Context, again Again) error {
	last := l.record.Fleet.Asked[again.Archiver]
	if again.From.Number >= l.record.Number || again.ID == last.ID || l.opt.Now().Sub(last.Time) < againEvery {
		return nil
	}
	log := l.opt.Log.With().Str("output", l.opt.Name).Str("archiver", again.Archiver).Int64("number", again.From.Number).Logger()
	at, number, err := l.recount(ctx, again.From.At)
	if err == nil && number < again.From.Number {
		err = fmt.Errorf("line %d is not at %s", again.From.Number, again.From.At)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if l.record.Fleet.Asked == nil {
		l.record.Fleet.Asked = make(map[string]asked)
	}
	l.record.Fleet.Asked[again.Archiver], l.dirty = asked{again.ID, l.opt.Now().UTC()}, true
	if err != nil {
		log.Error().Err(err).Msg("forward: an archiver misses lines that cannot be found here")
		return nil
	}
	log.Warn().Int64("lines", l.record.Number-number).Int64("gone", number-again.From.Number).
		Msg("forward: an archiver misses lines; they are sent once more")
	l.back(at, number, again.From.Number)
	if err := l.settle(ctx); err != nil {
		return err
	}
	return errElsewhere
}

// back goes back to the line with this number, which is at at. Those from missing up to it are not here any more.
func (l *Loop) back(at read.Cursor, number, missing int64) {
	r := &l.record
	r.Fleet.High, r.Fleet.Back = max(r.Fleet.High, r.Number), r.Taken
	r.Cursor, r.Number, r.Taken = position{at}, number, number
	r.Intent, r.Run, r.Gone, l.dirty = nil, run{}, nil, true
	if number > missing {
		r.Gone = &Gone{From: missing, Reason: GonePruned}
	}
}

// errUnreached says that reading on from a place does not lead to where the output stands.
var errUnreached = errors.New("where this output stands is not to be found behind that place")

// recount finds the first line at a place or behind it, and its number: as many lines before that of the output as there
// are between. So it holds whatever was pruned, and whatever the place was said to be.
func (l *Loop) recount(ctx context.Context, from read.Cursor) (at read.Cursor, number int64, err error) {
	c, err := newCutter(l.opt, from, func(*read.CorruptError) {})
	if err != nil {
		return at, 0, err
	}
	defer c.close()
	goal, within := l.record.Cursor.Cursor, false
	at, number = from, l.record.Number
	for first := true; ; {
		err := c.follower.Poll(ctx, &c.block)
		if errors.Is(err, io.EOF) && within {
			return at, number, nil
		}
		if errors.Is(err, io.EOF) {
			return at, 0, errUnreached
		}
		if err != nil {
			return at, 0, err
		}
		if len(c.block.Data) == 0 {
			continue
		}
		start := c.block.At(0)
		if within && start.First != goal.First {
			return at, number, nil
		}
		within = start.First == goal.First
		if !first && start.Offset == 0 {
			number -= l.record.skippedBefore(start.First)
		}
		if first {
			at, first = start, false
		}
		for pos := 0; pos < len(c.block.Data); {
			line, next := lineAt(c.block.Data, pos)
			if within && start.Offset+int64(pos) >= goal.Offset {
				return at, number, nil
			}
			if c.wants(line) {
				number--
			}
			pos = next
		}
	}
}

// TakesOver is an Output to a place that belongs to one journal, and can be given to another.
type TakesOver interface {
	// TakeOver gives the place to the journal with this id, and returns the id of the one that it belonged to.
	TakeOver(ctx context.Context, journalID string) (before string, err error)
}
