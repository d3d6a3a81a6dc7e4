package cli

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/sink"
	"hbjournal/sink/forward"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// The outputs have a say in pruning.
var _ rotate.Holder = (*holding)(nil)

// holding is the say that the outputs have in what becomes of backups: forward_hold.
type holding struct {
	forward.Hold
	base    string
	log     zerolog.Logger
	opened  chan struct{} // closed when journal is there
	journal *sink.Journal
}

func holdingOf(cfg config.Config, log zerolog.Logger) *holding {
	return &holding{
		Hold: forward.Hold{
			States:  statesDir(rotate.StateDir(cfg.JournalDir, cfg.JournalFile)),
			Journal: read.Options{Dir: cfg.JournalDir, Base: cfg.JournalFile},
		},
		base: cfg.JournalFile, log: log, opened: make(chan struct{}),
	}
}

// open is told of the journal, which is asked to take notes from then on.
func (h *holding) open(journal *sink.Journal) {
	h.journal = journal
	close(h.opened)
}

// mayEncrypt reports whether no output needs a backup any more: encrypted, it can be read by those only who have the key.
func (h *holding) mayEncrypt(name string) bool {
	backup, ok := names.Parse(h.base, name)
	return ok && h.Done([]time.Time{backup.Stamp}) == 1
}

// noteWait is how long a removal waits for the note of what is lost with it.
const noteWait = 5 * time.Second

// Losing implements rotate.Holder: it notes in the journal what outputs will not get, and returns when that is written.
func (h *holding) Losing(backups []string) {
	ctx, cancel := context.WithTimeout(context.Background(), noteWait)
	defer cancel()
	for _, loss := range h.Losses(ctx, backups) {
		h.log.Warn().Str("output", loss.Output).Uint64("lines", loss.Lines).Stringer("from", loss.From).Stringer("to", loss.To).
			Msg("journal clean-up removes what an output has not sent: forward_hold or journal_min_free leaves no room")
		if loss.Err != nil {
			h.log.Error().Err(loss.Err).Str("output", loss.Output).Msg("an output will not know how many lines it has lost")
		}
		message, err := loss.Message(nil)
		if err == nil {
			err = h.note(ctx, message)
		}
		if err != nil {
			h.log.Error().Err(err).Str("output", loss.Output).Msg("journal does not say what an output will not get")
		}
	}
}

// note writes a message of the journal's own, and waits until it is in the file.
func (h *holding) note(ctx context.Context, message []byte) error {
	select {
	case <-h.opened:
	case <-ctx.Done():
		return ctx.Err()
	}
	before := h.journal.Stats().Notes
	if err := h.journal.Note(message); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for h.journal.Stats().Notes == before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
