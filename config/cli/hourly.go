package cli

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config/cli/status"
)

// summing is the part that tells the log once an hour what came in, also when that was nothing.
type summing struct {
	ledger func() status.Ledger
	hosts  func() int // source addresses since the last call
	log    zerolog.Logger
}

// Serve implements part.
func (s summing) Serve(ctx context.Context) error {
	hour := time.NewTicker(time.Hour)
	defer hour.Stop()
	var before status.Ledger
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hour.C:
			now := s.ledger()
			s.log.Info().Uint64("received", now.Received-before.Received).Int("hosts", s.hosts()).
				Uint64("lost", now.Lost()-before.Lost()).Msg("journal: the last hour")
			before = now
		}
	}
}
