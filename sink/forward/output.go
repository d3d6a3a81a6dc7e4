package forward

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Output hands lines to one receiver. It is used by one goroutine, one batch at a time, and dials when it has to.
type Output interface {
	// Send hands the lines of b over, in order, and returns when the receiver holds the first Receipt.Acked of them for
	// good, as far as it lets that be known; those that it refused by name are among them, and in Receipt.Refused.
	//
	// Without an error all lines must be accounted for. With one, what is not is sent again, byte for byte: for ever if the error
	// is any but these two. A *RefusedError blames the lines behind the acked ones without saying which; they are then halved
	// down to the line. An error that wraps ErrStop ends this output, and its text says what to mend.
	//
	// Send returns soon after ctx ends. Nothing that it returns shows more of the receiver than Target, and no secret.
	Send(ctx context.Context, b *Batch) (Receipt, error)
	Close() error
}

// A Resumer is an Output whose receiver knows how far it has come. It is asked at the start and after each error of Send
// but a *RefusedError, and what it says counts, not the cursor kept here.
//
// Refused lines are nowhere at the receiver, and whatever is sent behind them moves its position past them. So they have to
// be in dead.jsonl, durable, before the next Send; and where the receiver still holds what it held last by what is noted
// here, the cursor kept here counts, since only refused lines lie between. Before going on from where the receiver
// stands, CheckHeld sees whether the journal here is still the one that it was sent.
type Resumer interface {
	Output
	// Position is how far the receiver holds the journal with this id; ok is false if it holds none of it. An error that wraps
	// ErrStop says that what it holds is another's.
	Position(ctx context.Context, journalID string) (held Held, ok bool, err error)
}

// A Checker is an Output that can find out, without sending a line, whether the receiver would take some: TLS and login.
type Checker interface {
	Check(ctx context.Context) error
}

// Receipt is what became of a batch.
type Receipt struct {
	Acked      int // lines from the first on that are dealt with: held by the receiver, or refused
	Duplicates int // of them, those that the receiver said it held before
	Refused    []Refused
	Unnamed    []Unnamed
}

// Refused is a line that the receiver refused by name.
type Refused struct {
	Line   int    // index in the batch
	Code   string // the receiver's own, such as 400 or mapper_parsing_exception: a bounded set, and a label of metrics
	Reason string // the receiver's own words; cut to 1 KiB and made printable by the loop
}

// Unnamed says that the receiver refused some lines of a range without saying which, and holds the others. All are among the
// acked, since none may be sent again; which they are is put aside as a range.
type Unnamed struct {
	From, To     int // indexes in the batch; To is the first one behind
	Count        int // lines refused; at most To-From
	Code, Reason string
}

// ErrStop is wrapped by errors about a configuration that cannot be right, however long one waits.
var ErrStop = errors.New("this output is stopped")

// RefusedError says that the receiver refused the batch for what is in it, without naming the line.
type RefusedError struct {
	Code   string
	Reason string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("refused with %s: %s", e.Code, e.Reason) }

// Class is what kind of trouble an output has: a label of metrics.
type Class string

// The classes of trouble.
const (
	Network   Class = "network"
	TLS       Class = "tls"
	Auth      Class = "auth"
	Throttled Class = "throttled"
	Server    Class = "server"
	Ambiguous Class = "ambiguous" // sent, and no answer that can be understood

	// These are the loop's own.
	Refusals Class = "refused" // so many lines in a row were refused for one reason that it is not the lines
	Local    Class = "local"   // the journal or the state cannot be read or written
)

// Classes are all of them.
func Classes() []Class {
	return []Class{Network, TLS, Auth, Throttled, Server, Ambiguous, Refusals, Local}
}

// TroubleError is an error of Send that will be tried again.
type TroubleError struct {
	Class Class
	After time.Duration // the receiver asks to be left alone that long; 0: it said nothing
	Err   error
}

func (e *TroubleError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TroubleError) Unwrap() error { return e.Err }
