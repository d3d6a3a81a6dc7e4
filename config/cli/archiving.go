package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"hbjournal/config"
	"hbjournal/config/cli/status"
	"hbjournal/ingest/fleet"
	receivers "hbjournal/sink/forward/output"
	"hbjournal/sink/rotate"
)

// noSource stands as the source of notes of a journal that nobody sends to.
var noSource = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)

// archiving is the running archive: what has been opened, of which its parts are made.
type archiving struct {
	cfg       config.Config
	log       *daemonLog
	archiver  *fleet.Archiver
	encrypter rotate.Encrypter // nil: backups are not encrypted
	status    *status.Server   // nil: not asked for
}

// runArchive archives until ctx is done or a signal ends it; what was read by then is on the disk when it returns nil.
func runArchive(ctx context.Context, cfg config.Config, source *receivers.Source, from manager, log *daemonLog) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // The next one ends the process at once.
	requests := make(chan os.Signal, 4)
	signal.Notify(requests, append(reopenSignals(), rotateSignals()...)...)
	defer signal.Stop(requests)

	a := &archiving{cfg: cfg, log: log}
	if err := a.open(source); err != nil {
		return errors.Join(err, a.abandon())
	}
	all := a.parts(requests)
	if from.notify != nil {
		all.add("notify", a.notifies(from.notify))
	}
	stopParts := all.start(log.Logger)
	<-ctx.Done()
	log.Info().Msg("archive stops: writing out what was read")
	err := stopParts()
	log.Info().EmbedObject(a.archiver.Figures()).Msg("archive stopped")
	return err
}

// open opens all that the parts need.
func (a *archiving) open(source *receivers.Source) error {
	options, err := archiverOptions(a.cfg, source, a.log)
	if err != nil {
		return err
	}
	a.encrypter = options.Files(a.cfg.JournalDir).Encrypter
	if a.archiver, err = fleet.Open(options); err != nil {
		return journalHint(err, a.cfg)
	}
	if a.cfg.HTTPAddr != "" && a.cfg.HTTPAddr != "off" {
		if a.status, err = status.ListenArchive(a.cfg.HTTPAddr, versionText(), a.archiver.Figures); err != nil {
			return statusHint(err)
		}
		a.log.Info().Stringer("addr", a.status.Addr()).Msg("status is served over HTTP")
	}
	word := serving{PID: os.Getpid(), HTTP: "off"}
	if a.status != nil {
		word.HTTP = a.status.Addr().String()
	}
	if err := archiveNoteOf(a.cfg.JournalDir).write(word); err != nil {
		a.log.Warn().Err(err).Msg("'hbjournal health' does not learn the real address")
	}
	a.log.Info().Str("dir", a.cfg.JournalDir).Str("archiver", options.Name).Msg("archive opened")
	return nil
}

// abandon closes what has been opened when something else could not be.
func (a *archiving) abandon() error {
	var errs []error
	if a.status != nil {
		errs = append(errs, a.status.Close())
	}
	if a.archiver != nil {
		errs = append(errs, a.archiver.Close())
	}
	return errors.Join(errs...)
}

// parts lists what the archive does, as those of the daemon are listed.
func (a *archiving) parts(requests <-chan os.Signal) parts {
	var all parts
	if a.status != nil {
		all.add("status", a.status)
	}
	timeout := time.Duration(a.cfg.ShutdownTimeout)
	all.addFor(timeout, "archive", archivePart{a.archiver})
	all.addFor(timeout/4, "signals", &obeying{requests: requests, journal: a.archiver, encrypter: a.encrypter, log: a.log})
	return all
}

// notifies makes the part that tells the service manager how the archive does.
func (a *archiving) notifies(n *notifying) *notifying {
	n.status = func() string {
		f := a.archiver.Figures()
		if why := f.NotReady(); why != "" {
			return why
		}
		return cmp.Or(f.Warnings(), fmt.Sprintf("archiving %d receivers", f.Receivers))
	}
	n.moves = a.archiver.Moves
	return n
}

// archivePart is the part that the archive is.
type archivePart struct{ *fleet.Archiver }

func (p archivePart) Serve(ctx context.Context) error { return p.Run(ctx) }
