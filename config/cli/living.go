package cli

import (
	"context"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/config/cli/doctor"
	"hbjournal/sink"
	"hbjournal/sink/life"
	"hbjournal/sink/rotate"
)

// beginLife begins to keep when this daemon listens.
func beginLife(cfg config.Config, journal *sink.Journal, handedOver bool) (*life.Keeper, error) {
	written := uint64(0)
	return life.Begin(life.Options{
		StateDir:   rotate.StateDir(cfg.JournalDir, cfg.JournalFile),
		HandedOver: handedOver,
		Writes: func() bool {
			s := journal.Stats()
			moves := s.Entries != written
			written = s.Entries
			return s.Degraded["write"] == "" && (moves || s.Queued == 0)
		},
	})
}

// lifeState is what is known of when the daemon listened.
func lifeState(cfg config.Config) doctor.Life {
	dir := rotate.StateDir(cfg.JournalDir, cfg.JournalFile)
	spans, err := life.Read(dir)
	state := doctor.Life{Path: life.Path(dir), Err: err}
	if n := len(spans); n > 0 {
		state.Last = spans[n-1].To
	}
	return state
}

// living is the keeping of signs of life as a part of the daemon. That one could not be given is said, and no reason to fail: the
// journal has all that came.
type living struct {
	keeper *life.Keeper
	log    zerolog.Logger
}

// Serve implements part.
func (l living) Serve(ctx context.Context) error {
	if err := l.keeper.Serve(ctx); err != nil {
		l.log.Warn().Err(err).Msg("the journal does not say until when the daemon listened; hosts may be taken for silent that were not heard")
	}
	return nil
}
