package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"time"

	"hbjournal/sink/forward"
)

// isStateName matches what the directories of outputs may be called, those of a part of the past too.
var isStateName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$`)

// forgetOne removes the state of an output, which then holds no backups any more, and begins anew if it is used again.
func (f *forwarder) forgetOne() error {
	if !isStateName.MatchString(f.forget) {
		return &usageError{fmt.Errorf("--forget %q: not the name of an output", f.forget), "'hbjournal forward --status' lists them"}
	}
	err := forward.Forget(filepath.Join(statesDir(f.stateDir), f.forget))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &usageError{fmt.Errorf("--forget %s: there is no such output", f.forget), "'hbjournal forward --status' lists them"}
	case errors.Is(err, forward.ErrInUse):
		return &hintedError{fmt.Errorf("--forget %s: %w", f.forget, err), "take it out of forward_to, or stop the 'hbjournal forward' that ships to it"}
	case err != nil:
		return fmt.Errorf("--forget %s: %w", f.forget, err)
	}
	fmt.Fprintf(f.env.Stderr, "hbjournal: forgot %s\n", f.forget)
	return nil
}

// only is the one output that was given.
func (f *forwarder) only(flag string) (shipment, error) {
	if len(f.outputs) != 1 {
		return shipment{}, &usageError{fmt.Errorf("--%s is for one output, and there are %d", flag, len(f.outputs)), "give its URL, as it stands in forward_to"}
	}
	return f.outputs[0], nil
}

// reset lets an output go on from another place.
func (f *forwarder) reset() error {
	s, err := f.only("reset-to")
	if err != nil {
		return err
	}
	start, err := outputStart(f.resetTo, time.Now())
	if err != nil || !start.Since.IsZero() {
		return &usageError{fmt.Errorf("--reset-to %q: give a cursor, oldest or now", f.resetTo), "--status -o json shows cursors"}
	}
	at, err := forward.Reset(f.options(s), start)
	if err != nil {
		return forwardHint(fmt.Errorf("reset output %s: %w", s.name, err), s)
	}
	fmt.Fprintf(f.env.Stderr, "hbjournal: %s goes on from %s; where the receiver knows how far it is, that counts all the same\n", s.name, at)
	return nil
}

// handOver lets this journal go on where another one was sent to.
func (f *forwarder) handOver(ctx context.Context) error {
	s, err := f.only("take-over")
	if err != nil {
		return err
	}
	out, err := s.Open(f.identity())
	if err != nil {
		return err
	}
	defer out.Close()
	place, ok := out.(forward.TakesOver)
	if !ok {
		return &usageError{fmt.Errorf("--take-over: what is sent to %s belongs to no journal", s.Address()), "it is for nats:// with archivers="}
	}
	before, err := place.TakeOver(ctx, f.journalID)
	if err != nil {
		return fmt.Errorf("output %s: take over: %w", s.Address(), err)
	}
	fmt.Fprintf(f.env.Stderr, "hbjournal: %s is the journal of the receiver %s now; before it was %s\n", f.journalID, f.receiver, before)
	return nil
}

// resend sends dead letters once more.
func (f *forwarder) resend(ctx context.Context) error {
	s, err := f.only("dead")
	if err != nil {
		return err
	}
	out, err := s.Open(f.identity())
	if err != nil {
		return err
	}
	opt := f.options(s)
	sent, left, err := forward.Resend(ctx, opt, out)
	fmt.Fprintf(f.env.Stderr, "hbjournal: %s: %s taken, %d left\n", s.Address(), plural(int64(sent), "line"), left)
	switch {
	case errors.Is(err, forward.ErrOrder):
		return &hintedError{fmt.Errorf("output %s: %w", s.Address(), err), "they stay in dead.jsonl; give another output its name, as in --dead 'http://HOST/?name=" + s.name + "', to send them there"}
	case err != nil:
		return fmt.Errorf("output %s: %w", s.Address(), err)
	case left > 0:
		return &hintedError{fmt.Errorf("output %s: refused again: %d", s.Address(), left), "they are in " + filepath.Join(opt.StateDir, "dead.again.jsonl")}
	}
	return nil
}
