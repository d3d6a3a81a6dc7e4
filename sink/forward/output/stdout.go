package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"hbjournal/sink/forward"
)

// schemeStdout prints the lines. What was written counts as held, whoever reads it.
func schemeStdout() scheme {
	return scheme{names: []string{"stdout"}, make: func(t *Target, o *options) func(Identity) (forward.Output, error) {
		if len(t.Hosts) > 0 || t.Path != "" {
			o.fault("it takes neither a host nor a path: write stdout:")
		}
		return func(who Identity) (forward.Output, error) {
			to := who.Stdout
			if to == nil {
				to = os.Stdout
			}
			return &stdout{to: to}, nil
		}
	}}
}

type stdout struct {
	patient
	to io.Writer
}

// Send implements forward.Output. Nobody who reads any more is an end, not a trouble.
func (s *stdout) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	text := b.Text()
	err := s.do(ctx, func() error {
		_, err := s.to.Write(text)
		return err
	})
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return forward.Receipt{}, fmt.Errorf("%w: nobody reads standard output any more: %w", forward.ErrStop, err)
	}
	if err != nil {
		return forward.Receipt{}, &forward.TroubleError{Class: forward.Server, Err: fmt.Errorf("write standard output: %w", err)}
	}
	return forward.Receipt{Acked: b.Len()}, nil
}

// Close implements forward.Output.
func (*stdout) Close() error { return nil }
