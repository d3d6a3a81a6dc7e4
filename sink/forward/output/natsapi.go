package output

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// ask sends a request and takes its answer apart. Its error is a *forward.TroubleError.
func (n *natsOutput) ask(ctx context.Context, msg *nats.Msg, answer interface{ Refusal() *stream.APIError }) error {
	return n.named(n.client.Ask(ctx, msg, answer))
}

// api asks JetStream about the stream.
func (n *natsOutput) api(ctx context.Context, what string, question any, answer interface{ Refusal() *stream.APIError }) error {
	return n.named(n.client.API(ctx, what+"."+n.stream, question, answer))
}

// named says of which stream a refusal is.
func (n *natsOutput) named(err error) error {
	fault := streamFault(err)
	var trouble *forward.TroubleError
	if stream.Code(err) != 0 && errors.As(fault, &trouble) {
		return n.trouble(trouble.Class, fmt.Errorf("stream %s: %w", n.stream, err))
	}
	return fault
}

func (n *natsOutput) trouble(class forward.Class, err error) error {
	return &forward.TroubleError{Class: class, Err: err}
}

// lastMark reads the last message on the subject; last is 0 if there is none.
func (n *natsOutput) lastMark(ctx context.Context) (m stream.Mark, last uint64, err error) {
	if err := n.attach(ctx); err != nil {
		return stream.Mark{}, 0, err
	}
	got, found, err := n.client.LastOn(ctx, n.stream, n.subject)
	if err != nil || !found {
		return stream.Mark{}, 0, n.named(err)
	}
	if m, err = stream.HeaderMark(got.Message.Header); err != nil {
		return stream.Mark{}, 0, foreignMessage("subject "+n.subject+" of stream "+n.stream, err)
	}
	return m, got.Message.Sequence, nil
}

// foreignMessage is the error about a place whose last message is not ours.
func foreignMessage(place string, err error) error {
	return fmt.Errorf("%w: the last message of %s is no part of a journal: %w; another program writes there: give another "+
		"place, or purge that one", forward.ErrStop, place, err)
}

// attach connects if need be, and looks at the stream once in each connection, or makes it.
func (n *natsOutput) attach(ctx context.Context) error {
	if err := n.client.Dial(ctx); err != nil {
		return streamFault(err)
	}
	if n.attached == n.client.Dials() {
		return nil
	}
	err := n.look(ctx)
	if n.create && stream.Code(err) == stream.NoStream {
		if err = n.makeStream(ctx); err == nil {
			err = n.look(ctx)
		}
	}
	if err == nil {
		n.attached = n.client.Dials()
	}
	return err
}

// look asks for the configuration of the stream.
func (n *natsOutput) look(ctx context.Context) error {
	var info stream.Info
	err := n.api(ctx, "STREAM.INFO", struct{}{}, &info)
	if stream.Code(err) == stream.NoStream && !n.create {
		return n.trouble(forward.Server, fmt.Errorf("%w: give create=true to make it", err))
	}
	if err != nil {
		return err
	}
	switch c := info.Config; {
	case c.NoAck:
		err = errors.New("it has no_ack, so it never says what it holds")
	case c.Retention != "limits":
		err = fmt.Errorf("its retention is %.20q, so messages go before they were asked for; make it limits", c.Retention)
	case c.Sealed:
		err = errors.New("it is sealed, so it takes nothing")
	}
	if err != nil {
		return fmt.Errorf("%w: stream %s: %w", forward.ErrStop, n.stream, err)
	}
	n.largest = int(min(n.client.Conn().MaxPayload(), 64<<20))
	if limit := info.Config.MaxMessage; limit > 0 {
		n.largest = min(n.largest, limit)
	}
	return nil
}

// makeStream makes the stream as journals need it: for those of a fleet as an archiver makes it.
func (n *natsOutput) makeStream(ctx context.Context) error {
	subject := n.subject
	if strings.HasPrefix(subject, "hbj.") {
		subject = "hbj.>"
	}
	var answer stream.Info
	err := n.api(ctx, "STREAM.CREATE", stream.ForJournals(n.stream, subject, n.replicas, n.maxBytes), &answer)
	if stream.Code(err) == stream.NameInUse {
		return nil // Another receiver was faster.
	}
	if err != nil {
		return fmt.Errorf("make stream %s: %w", n.stream, err)
	}
	return nil
}
