package streams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/killtest"
	"hbjournal/sink/forward/output"
	"hbjournal/sink/journal/read"
)

// base is the name of the journals here.
const base = "messages.journal"

// A sender ships a journal until so many of its lines are dealt with. Without State it keeps nothing: where it goes on, the
// server says. With it, it is the loop that users have.
type sender struct {
	URL      string
	Dir      string
	State    string
	Journal  string
	Receiver string
	Lines    int64
	Batch    int // bytes

	dead []string // lines that were refused
}

// runSender is a sender as a process.
func runSender(args []byte, ready func()) error {
	var s sender
	if err := json.Unmarshal(args, &s); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		untilStdinEnds()
		cancel()
	}()
	ready()
	return s.run(ctx)
}

func (s *sender) open() (forward.Resumer, *output.Target, error) {
	target, err := output.Parse(s.URL)
	if err != nil {
		return nil, nil, err
	}
	out, err := target.Open(output.Identity{Journal: s.Journal, Receiver: s.Receiver})
	if err != nil {
		return nil, nil, err
	}
	return out.(forward.Resumer), target, nil
}

func (s *sender) run(ctx context.Context) (err error) {
	if s.State != "" {
		url := fmt.Sprintf("%s&batch_bytes=%d&batch_wait=1ms", s.URL, s.Batch)
		loop := killtest.Sender{Dir: s.Dir, StateDir: s.State, URL: url, Receiver: s.Receiver, Once: true}
		return loop.Run(ctx, zerolog.New(os.Stderr))
	}
	out, target, err := s.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		done, err := s.ship(ctx, out, target)
		if done || errors.Is(err, forward.ErrStop) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		fmt.Fprintln(os.Stderr, err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// ship goes on from where the stream stands, until all is dealt with or something goes wrong.
func (s *sender) ship(ctx context.Context, out forward.Resumer, target *output.Target) (done bool, err error) {
	opt := read.Options{Dir: s.Dir, Base: base}
	held, ok, err := out.Position(ctx, s.Journal)
	if err != nil {
		return false, err
	}
	if ok && !target.AcceptRewind {
		if err := forward.CheckHeld(opt, held); err != nil {
			return false, err
		}
	}
	follower, err := read.Follow(opt, held.At)
	if err != nil {
		return false, err
	}
	defer follower.Close()
	var block read.Block
	for number := held.Number; number < s.Lines; {
		if err := follower.Read(ctx, &block); err != nil {
			return false, err
		}
		for len(block.Data) > 0 && number < s.Lines {
			batch := s.takeBatch(&block, number)
			if err := s.send(ctx, out, batch); err != nil {
				return false, err
			}
			number += int64(batch.Len())
		}
	}
	return true, nil
}

// takeBatch takes the first lines off a block.
func (s *sender) takeBatch(block *read.Block, number int64) *forward.Batch {
	end := block.End()
	start := end.Offset - int64(len(block.Data))
	at := end
	at.Offset = start
	batch := forward.NewBatch(s.Journal, number, at)
	for len(block.Data) > 0 && batch.Size() < s.Batch && number+int64(batch.Len()) < s.Lines {
		line, rest, _ := bytes.Cut(block.Data, []byte{'\n'})
		next := end
		next.Offset -= int64(len(rest))
		batch.Add(line, at, next)
		at, block.Data = next, rest
	}
	block.Offset = at.Offset
	return batch
}

// send sends a batch; what is refused is put aside.
func (s *sender) send(ctx context.Context, out forward.Output, b *forward.Batch) error {
	receipt, err := out.Send(ctx, b)
	var refused *forward.RefusedError
	if !errors.As(err, &refused) {
		if err == nil && receipt.Acked != b.Len() {
			return fmt.Errorf("%d of %d lines acked without an error", receipt.Acked, b.Len())
		}
		return err
	}
	rest := b.Slice(receipt.Acked, b.Len())
	if rest.Len() == 1 {
		s.dead = append(s.dead, string(rest.Line(0)))
		return nil
	}
	half := rest.Len() / 2
	if err := s.send(ctx, out, rest.Slice(0, half)); err != nil {
		return err
	}
	return s.send(ctx, out, rest.Slice(half, rest.Len()))
}

// journalLines are all lines of a journal.
func journalLines(ctx context.Context, dir string) (lines []string, err error) {
	source, err := read.Open(read.Options{Dir: dir, Base: base})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	var block read.Block
	for {
		err := source.Read(ctx, &block)
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(block.Data) {
			lines = append(lines, string(bytes.TrimSuffix(line, []byte{'\n'})))
		}
	}
}

// cursorOf is the beginning of a journal of one file.
func cursorOf(t testing.TB, dir string) read.Cursor {
	t.Helper()
	follower, err := read.Follow(read.Options{Dir: dir, Base: base}, read.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	var block read.Block
	if err := follower.Read(t.Context(), &block); err != nil {
		t.Fatal(err)
	}
	at := block.End()
	at.Offset = 0
	return at
}
