package cli

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/sink/forward"
	receivers "hbjournal/sink/forward/output"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
)

// forwarding is what all outputs of one journal have in common.
type forwarding struct {
	dir, file string
	stateDir  string // of the journal, or of --state
	journalID string
	receiver  string
	dirMode   fs.FileMode
	log       zerolog.Logger
	stdout    io.Writer      // nil: the process's own
	decrypter read.Decrypter // nil: encrypted backups cannot be read
}

func forwardingOf(cfg config.Config, log zerolog.Logger) forwarding {
	f := forwarding{
		dir: cfg.JournalDir, file: cfg.JournalFile, stateDir: rotate.StateDir(cfg.JournalDir, cfg.JournalFile),
		dirMode: fs.FileMode(cfg.JournalDirMode), log: log,
	}
	f.receiver, _ = receiverName(cfg)
	return f
}

// statesDir is the directory in which each output has one for its state.
func statesDir(stateDir string) string { return filepath.Join(stateDir, "forward") }

// options are those of an output's loop.
func (f forwarding) options(s shipment) forward.Options {
	return forward.Options{
		Journal:   read.Options{Dir: f.dir, Base: f.file, Decrypter: f.decrypter},
		JournalID: f.journalID,
		StateDir:  filepath.Join(statesDir(f.stateDir), s.name),
		DirMode:   f.dirMode,
		Name:      s.name,
		Address:   s.Address(),
		Start:     s.start,
		Filter:    s.filter, BatchBytes: s.BatchSize, BatchWait: s.BatchWait, Rate: s.Rate, DeadMax: s.DeadMax,
		AcceptRewind: s.AcceptRewind,
		Log:          f.log,
	}
}

// identity is who ships.
func (f forwarding) identity() receivers.Identity {
	return receivers.Identity{Journal: f.journalID, Receiver: f.receiver, Stdout: f.stdout}
}

// open makes the loop of an output.
func (f forwarding) open(s shipment, opt forward.Options) (*forward.Loop, error) {
	out, err := s.Open(f.identity())
	if err != nil {
		return nil, err
	}
	loop, err := forward.Open(opt, out)
	if err != nil {
		return nil, forwardHint(err, s)
	}
	return loop, nil
}

// forwardHint adds what to do about an output that cannot be begun.
func forwardHint(err error, s shipment) error {
	switch {
	case errors.Is(err, forward.ErrInUse):
		return &hintedError{err, "the daemon or another 'hbjournal forward' ships to it already; give this one another name= to ship a second time"}
	case errors.Is(err, forward.ErrState):
		return &hintedError{err, "'hbjournal forward --forget " + s.name + "' begins anew, '--reset-to CURSOR' from a position"}
	case errors.Is(err, fs.ErrPermission):
		return &hintedError{err, "run as the user that writes the journal, or give --state DIR, a directory of your own"}
	}
	return err
}

// openOutputs opens an output for each of forward_to, when the journal is open.
func (d *daemon) openOutputs() error {
	id, err := forward.MakeID(d.cfg.JournalDir, rotate.StateDir(d.cfg.JournalDir, d.cfg.JournalFile))
	if err != nil || len(d.cfg.ForwardTo) == 0 {
		if err != nil && len(d.cfg.ForwardTo) == 0 {
			d.log.Warn().Err(err).Msg("the journal has no id, which 'hbjournal forward' will ask for")
			err = nil
		}
		return err
	}
	if id.Doubt != "" {
		d.log.Warn().Str("id", id.Text).Str("made", id.Doubt).Msg("the journal's id was made elsewhere: if this is a copy, remove the file id in its state directory")
	}
	name, doubt := receiverName(d.cfg)
	if doubt != "" {
		d.log.Warn().Str("receiver_name", name).Msg("receivers will know this journal by a name that may not stay: set RECEIVER_NAME; " + doubt)
	}
	shipments, err := parseOutputs(d.cfg.ForwardTo, time.Now())
	if err != nil {
		return err
	}
	f := forwardingOf(d.cfg, d.log.Logger)
	f.journalID = id.Text
	for _, s := range shipments {
		for _, warning := range openSecrets(s.Target) {
			d.log.Warn().Msg(warning)
		}
		loop, err := f.open(s, f.options(s))
		if err != nil {
			d.leaveOut(s, err)
			continue
		}
		d.outputs = append(d.outputs, loop)
		d.log.Info().Str("output", s.name).Str("to", s.Address()).Str("cursor", loop.Figures().Cursor).Msg("the journal is forwarded")
	}
	return nil
}

// leaveOut goes on without an output that cannot be begun, since its state is held or damaged for instance: that is no reason not
// to receive.
func (d *daemon) leaveOut(s shipment, err error) {
	d.log.Error().Err(err).Str("output", s.name).Str("hint", hintOf(&runError{err})).Msg("an output cannot be begun; the journal and the others go on without it")
	d.leftOut = append(d.leftOut, forward.Figures{
		Name: s.name, Address: s.Address(), State: forward.Stopped, Since: time.Now(), Error: err.Error(),
	})
}
