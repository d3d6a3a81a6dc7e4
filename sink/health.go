package sink

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// stuckAfter is how long a try may wait for the disk before it counts as a fault: the kernel tells nothing meanwhile.
	stuckAfter = 5 * time.Second
	// logPause is the least time between two log lines about the begin or the lasting of one fault.
	logPause = time.Minute
)

// works are all that can fail, in the order in which faults are told.
var works = [...]string{"write", "path", "fsync"}

// health knows what is wrong at present. It writes one log line when a fault begins and one when it ends, and one a
// minute in between; a fault that comes and goes gets no more than that either.
type health struct {
	now func() time.Time
	log zerolog.Logger

	mu    sync.Mutex
	state map[string]*workState // of each of works
}

type workState struct {
	err    error     // of the last try; nil: it went well
	since  time.Time // when it began to fail
	trying time.Time // when the try that is under way began; zero: none is
	logged time.Time // when the log had the last line about its failing
	told   bool      // the log knows of the present fault, and so must hear of its end
}

func newHealth(now func() time.Time, log zerolog.Logger) *health {
	h := &health{now: now, log: log, state: make(map[string]*workState, len(works))}
	for _, what := range works {
		h.state[what] = new(workState)
	}
	return h
}

// begin says that a try begins, which ends with set.
func (h *health) begin(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state[what].trying = h.now()
}

// set says how the last try ended.
func (h *health) set(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.state[what]
	s.trying = time.Time{}
	if err != nil && s.err == nil && !s.told {
		s.since = h.now()
	}
	s.err = err
	switch {
	case err != nil && !s.told:
		h.tellLocked(what, s, err, 0)
	case err == nil && s.told:
		s.told = false
		h.log.Info().Str("what", what).Dur("lasted", h.now().Sub(s.since)).Msg("journal recovered")
	}
}

// remind logs what hangs, and what has been failing for another minute with how many entries have been lost so far.
func (h *health) remind(lost uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, what := range works {
		s := h.state[what]
		if err := h.faultLocked(s); err != nil {
			h.tellLocked(what, s, err, lost)
		}
	}
}

// tellLocked logs err, unless the last line about it is too recent. A clock that was set back does not put it off.
func (h *health) tellLocked(what string, s *workState, err error, lost uint64) {
	now := h.now()
	if since := now.Sub(s.logged); since >= 0 && since < logPause {
		return
	}
	if !s.told && s.err == nil {
		s.since = s.trying
	}
	s.told, s.logged = true, now
	h.log.Error().Err(err).Str("what", what).Dur("lasted", now.Sub(s.since)).Uint64("lost", lost).
		Msg("journal degraded: what cannot be written waits in memory, and the disk is tried again")
}

// faultLocked is what is wrong: the last try failed, or the present one hangs.
func (h *health) faultLocked(s *workState) error {
	if waited := h.now().Sub(s.trying); !s.trying.IsZero() && waited >= stuckAfter {
		return fmt.Errorf("no answer from the disk for %v", waited.Truncate(time.Second))
	}
	if s.err != nil {
		return fmt.Errorf("since %s: %w", s.since.UTC().Format(time.RFC3339), s.err)
	}
	return nil
}

// hangs reports whether a try has waited for the disk for so long that it counts as a fault.
func (h *health) hangs(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	trying := h.state[what].trying
	return !trying.IsZero() && h.now().Sub(trying) >= stuckAfter
}

// faults is what is wrong, by what fails.
func (h *health) faults() map[string]error {
	h.mu.Lock()
	defer h.mu.Unlock()
	faults := make(map[string]error)
	for _, what := range works {
		if err := h.faultLocked(h.state[what]); err != nil {
			faults[what] = err
		}
	}
	return faults
}

// err joins what is wrong; nil: nothing is.
func (h *health) err() error {
	faults := h.faults()
	var errs []error
	for _, what := range works {
		if err := faults[what]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	return errors.Join(errs...)
}
