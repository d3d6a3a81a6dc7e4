package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/sink/rotate"
)

// prepare works out what the flags and URLs mean.
func (f *forwarder) prepare(cfg config.Config, args []string) error {
	f.forwarding = forwardingOf(cfg, zerolog.Nop())
	if f.state != "" {
		f.stateDir = f.state
	}
	if f.output != "table" && f.output != "json" {
		return &usageError{fmt.Errorf("unknown output %q", f.output), "give -o table or -o json"}
	}
	now := time.Now().In(location(cfg))
	var errTime error
	f.since, f.until, errTime = f.times(now)
	urls, err := f.urls(args, cfg.ForwardTo)
	if err != nil {
		return err
	}
	var errURL error
	f.outputs, errURL = parseOutputs(urls, now)
	if err := errors.Join(errTime, errURL); err != nil {
		return &usageError{err, "see 'hbjournal forward --help'"}
	}
	for _, s := range f.outputs {
		for _, warning := range openSecrets(s.Target) {
			fmt.Fprintf(f.env.Stderr, "hbjournal: warning: %s\n", visible(warning))
		}
	}
	if f.status || f.forget != "" {
		return nil
	}
	f.forwarding.journalID, err = f.idOf()
	return err
}

// ownState is the journal's own state directory, whatever --state says.
func (f *forwarder) ownState() string { return rotate.StateDir(f.dir, f.file) }

// times are the bounds of a backfill.
func (f *forwardFlags) times(now time.Time) (since, until time.Time, err error) {
	since, errSince := readTime("since", f.since, now)
	until, errUntil := readTime("until", f.until, now)
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		errUntil = fmt.Errorf("--since %s is not before --until %s: no line can lie between them", since.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	return since, until, errors.Join(errSince, errUntil)
}
