package fleet

import (
	"time"

	"github.com/rs/zerolog"
)

// saying tells the log of what comes again and again: of each kind at once, and then once a minute with how often it came.
type saying struct {
	log   zerolog.Logger
	now   func() time.Time
	kinds map[string]*said
}

type said struct {
	last  time.Time
	count uint64 // since then
}

const (
	sayEvery = time.Minute
	maxKinds = 1000
)

// warn says text, of a kind, with what caused it.
func (s *saying) warn(kind string, err error, text string) { s.warnTo(s.log, kind, err, text) }

// warnTo is warn to a log that says more.
func (s *saying) warnTo(log zerolog.Logger, kind string, err error, text string) {
	if s.kinds == nil {
		s.kinds = make(map[string]*said)
	}
	k := s.kinds[kind]
	if k == nil {
		k = &said{}
		if len(s.kinds) >= maxKinds {
			clear(s.kinds) // Anybody may have made them.
		}
		s.kinds[kind] = k
	}
	k.count++
	now := s.now()
	if since := now.Sub(k.last); since >= 0 && since < sayEvery && !k.last.IsZero() {
		return
	}
	log.Warn().Err(err).Uint64("times", k.count).Msg(text)
	k.last, k.count = now, 0
}

// over says that it is over, if it was said.
func (s *saying) over(kind, text string) {
	if s.kinds[kind] == nil {
		return
	}
	delete(s.kinds, kind)
	s.log.Info().Msg(text)
}
