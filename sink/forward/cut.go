package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// A cutter makes batches of what a follower reads.
type cutter struct {
	opt      Options
	follower *read.Follower
	block    read.Block
	pos      int         // in block.Data, of the next line
	at       read.Cursor // of the next line; of what comes next, once the block is used up
	fault    func(*read.CorruptError)
	over     bool // a line was younger than the end that is asked for
	limit    int  // bytes of a batch
	first    int  // that limit begins with
	most     int  // that it grows to
}

func newCutter(opt Options, at read.Cursor, fault func(*read.CorruptError)) (*cutter, error) {
	follower, err := read.Follow(opt.Journal, at)
	if err != nil {
		return nil, err
	}
	c := &cutter{opt: opt, follower: follower, at: at, fault: fault}
	c.first, c.most = opt.batchBytes()
	c.limit = c.first
	return c, nil
}

// fill adds lines to b until it is as large or as old as a batch may be, or up to the position until, and returns nil. With
// an empty b it gives io.EOF when there is nothing more yet; what a filter left out has moved at even so.
func (c *cutter) fill(ctx context.Context, b *Batch, until *Intent) error {
	var closes time.Time
	for {
		if c.take(b, until) {
			if b.Len() > 0 {
				return nil
			}
			until = nil // All of what was noted is left out, by a filter that was another one then.
			continue
		}
		if c.over {
			return endOf(b)
		}
		if b.Len() > 0 && closes.IsZero() {
			closes = c.opt.Now().Add(c.opt.BatchWait)
		}
		err := c.follower.Poll(ctx, &c.block)
		if errors.Is(err, io.EOF) {
			c.limit = c.first
			if b.Len() == 0 || c.opt.Once || until != nil {
				return endOf(b)
			}
			if err = c.await(ctx, closes); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if c.begin(b) {
			return nil
		}
	}
}

// endOf is nil for a batch that holds something.
func endOf(b *Batch) error {
	if b.Len() == 0 {
		return io.EOF
	}
	return nil
}

// await reads the next block if it comes in time.
func (c *cutter) await(ctx context.Context, closes time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, closes.Sub(c.opt.Now()))
	defer cancel()
	return c.follower.Read(ctx, &c.block)
}

// wait reads the next block, whenever it comes.
func (c *cutter) wait(ctx context.Context) error {
	err := c.follower.Read(ctx, &c.block)
	if err == nil {
		c.begin(nil)
	}
	return err
}

// begin goes on with the block that was read, and reports whether it closes b, since it is of another file.
func (c *cutter) begin(b *Batch) (closes bool) {
	c.pos = 0
	if fault := c.block.Fault; fault != nil {
		c.fault(fault)
	}
	if len(c.block.Data) == 0 {
		return false
	}
	start := c.block.At(0)
	closes = b != nil && b.Len() > 0 && (start.First != c.at.First || start.Offset != c.at.Offset)
	c.at = start
	return closes
}

// take adds the lines of the block, and reports whether b is closed.
func (c *cutter) take(b *Batch, until *Intent) bool {
	for c.pos < len(c.block.Data) {
		if until != nil && until.reached(b, c.at) {
			return true
		}
		line, next := c.block.Data[c.pos:], len(c.block.Data)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], c.pos+i+1
		}
		behind := c.at
		behind.Offset += int64(next - c.pos)
		if c.wants(line) {
			if until == nil && c.isFull(b, len(line)+1) {
				return true
			}
			b.Add(line, c.at, behind)
		}
		c.pos, c.at = next, behind
	}
	return until != nil && until.reached(b, c.at)
}

// reached reports whether b is the batch that was noted, up to at.
func (i *Intent) reached(b *Batch, at read.Cursor) bool {
	return at.First == i.To.First && at.Offset >= i.To.Offset || b.Len() > 0 && b.Len() >= i.Lines
}

// wants reports whether a line is to be sent. Lines that are no entries are, unless a filter looks into them: whether a
// receiver takes them is its affair.
func (c *cutter) wants(line []byte) bool {
	if len(bytes.TrimSpace(line)) == 0 {
		return false
	}
	if since, until := c.opt.Journal.Since, c.opt.Journal.Until; !since.IsZero() || !until.IsZero() {
		millis, timed := journal.LineTime(line)
		if timed && !until.IsZero() && millis > until.Add(stepBack).UnixMilli() {
			c.over = true
		}
		if timed && !since.IsZero() && millis < since.UnixMilli() {
			return false
		}
	}
	if c.opt.Filter == nil {
		return true
	}
	_, taken, err := c.opt.Filter.Take(line)
	return taken && err == nil
}

// stepBack is how far times go back from one line to a later one.
const stepBack = time.Minute

// isFull reports whether b has no room for a line of size bytes. Batches grow while they are full.
func (c *cutter) isFull(b *Batch, size int) bool {
	if b.Len() == 0 {
		return false
	}
	if c.opt.Rate > 0 && b.Len() >= c.opt.Rate {
		return true
	}
	if b.Size()+size <= c.limit {
		return false
	}
	c.limit = min(2*c.limit, c.most)
	return true
}

func (c *cutter) close() error { return c.follower.Close() }
