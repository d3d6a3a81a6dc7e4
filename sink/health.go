package sink

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// health knows what is wrong at present. It writes one log line when a fault begins and one when it ends, and one a
// minute in between.
type health struct {
	now func() time.Time
	log zerolog.Logger

	mu     sync.Mutex
	faults map[string]*fault // by what fails: write, path, fsync
}

type fault struct {
	err    error
	since  time.Time
	logged time.Time
}

func newHealth(now func() time.Time, log zerolog.Logger) *health {
	return &health{now: now, log: log, faults: make(map[string]*fault)}
}

// set says how the last try at what ended.
func (h *health) set(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.faults[what]
	switch {
	case err == nil && f == nil:
	case err == nil:
		delete(h.faults, what)
		h.log.Info().Str("what", what).Dur("lasted", h.now().Sub(f.since)).Msg("journal recovered")
	case f == nil:
		h.faults[what] = &fault{err: err, since: h.now(), logged: h.now()}
		h.log.Error().Err(err).Str("what", what).Msg("journal degraded: lines wait in memory and the disk is tried again")
	default:
		f.err = err
	}
}

// remind logs the faults that have lasted for another minute, with how many entries have been lost so far.
func (h *health) remind(lost uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for what, f := range h.faults {
		if now.Sub(f.logged) >= time.Minute {
			f.logged = now
			h.log.Error().Err(f.err).Str("what", what).Dur("lasted", now.Sub(f.since)).Uint64("lost", lost).
				Msg("journal is still degraded")
		}
	}
}

// err joins what is wrong; nil: nothing is.
func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, what := range []string{"write", "path", "fsync"} {
		if f := h.faults[what]; f != nil {
			errs = append(errs, fmt.Errorf("%s since %s: %w", what, f.since.UTC().Format(time.RFC3339), f.err))
		}
	}
	return errors.Join(errs...)
}
