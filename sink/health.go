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
	// logPause is the time between two log lines about the lasting of one fault or loss.
	logPause = time.Minute
	// calm is how long a fault or a loss stays away until its next coming is a new one.
	calm = 5 * time.Second
)

// operations are what can fail, in the order in which faults are told: writing lines, keeping the path right, and fsync.
var operations = [...]string{"write", "path", "fsync"}

// health knows what is wrong at present. It writes a log line when a fault begins, one a minute while it lasts, and one
// when it ends. The end of a fault that has come back before is logged only after it has stayed away for a while, so that
// a fault that comes and goes does not flood the log. While a fault is there, the log never ends with "recovered".
type health struct {
	now  func() time.Time
	log  zerolog.Logger
	lost func() uint64 // entries so far

	mu    sync.Mutex
	state map[string]*operation // by the names in operations
}

// operation is how one of the operations stands.
type operation struct {
	err    error     // of the last try; nil: it went well
	since  time.Time // when it began to fail
	trying time.Time // when the try that is under way began; zero: none is
	logged time.Time // when the log had the last line about its failing
	told   bool      // the log knows of the present fault, and so must hear of its end

	away      time.Time // when the fault that the log knows of went away; zero: it is there
	recovered time.Time // when the log last heard of an end
	relapsed  bool      // the present fault began soon after that
}

func newHealth(now func() time.Time, log zerolog.Logger, lost func() uint64) *health {
	h := &health{now: now, log: log, lost: lost, state: make(map[string]*operation, len(operations))}
	for _, what := range operations {
		h.state[what] = new(operation)
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
	case err != nil:
		s.away = time.Time{}
		if !s.told {
			h.tellLocked(what, s, err)
		}
	case s.told && s.away.IsZero():
		s.away = h.now()
		if !s.relapsed {
			h.tellEndLocked(what, s)
		}
	}
}

// remind logs what hangs, what has been failing for another minute, and what has stayed away for long enough.
func (h *health) remind() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, what := range operations {
		s := h.state[what]
		if err := h.faultLocked(s); err != nil {
			h.tellLocked(what, s, err)
		} else if away := h.now().Sub(s.away); !s.away.IsZero() && (away >= calm || away < 0) {
			h.tellEndLocked(what, s)
		}
	}
}

// finish logs the end of what is no longer failing: there is no time left to see whether it comes back.
func (h *health) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, what := range operations {
		if s := h.state[what]; !s.away.IsZero() {
			h.tellEndLocked(what, s)
		}
	}
}

// tellLocked logs err: when it is new, or once a minute. A clock that was set back does not put it off.
func (h *health) tellLocked(what string, s *operation, err error) {
	now := h.now()
	if since := now.Sub(s.logged); s.told && since >= 0 && since < logPause {
		return
	}
	if !s.told {
		if s.err == nil {
			s.since = s.trying
		}
		well := now.Sub(s.recovered)
		s.relapsed = !s.recovered.IsZero() && well >= 0 && well < calm
	}
	s.told, s.logged = true, now
	h.log.Error().Err(err).Str("what", what).Dur("lasted", now.Sub(s.since)).Uint64("lost", h.lost()).
		Msg("journal degraded: what cannot be written waits in memory, and the disk is tried again")
}

// tellEndLocked logs that a fault has gone away, and which others have not.
func (h *health) tellEndLocked(what string, s *operation) {
	event := h.log.Info().Str("what", what).Dur("lasted", s.away.Sub(s.since))
	s.told, s.away, s.recovered, s.relapsed = false, time.Time{}, h.now(), false
	var left []string
	for _, other := range operations {
		if h.faultLocked(h.state[other]) != nil {
			left = append(left, other)
		}
	}
	if len(left) > 0 {
		event.Strs("still_failing", left).Msg("journal recovered in part")
		return
	}
	event.Msg("journal recovered")
}

// faultLocked is what is wrong: the last try failed, or the present one hangs.
func (h *health) faultLocked(s *operation) error {
	if waited := h.now().Sub(s.trying); !s.trying.IsZero() && waited >= stuckAfter {
		return fmt.Errorf("no answer from the disk for %v", waited.Truncate(time.Second))
	}
	if s.err != nil {
		return fmt.Errorf("since %s: %w", s.since.UTC().Format(time.RFC3339), s.err)
	}
	return nil
}

// failing reports whether the last try failed, and since when they do.
func (h *health) failing(what string) (failing bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state[what].err != nil, h.state[what].since
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
	for _, what := range operations {
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
	for _, what := range operations {
		if err := faults[what]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	return errors.Join(errs...)
}
