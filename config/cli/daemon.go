package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/config/cli/status"
	"hbjournal/ingest"
	"hbjournal/sink"
	"hbjournal/sink/forward"
	"hbjournal/sink/life"
	"hbjournal/sink/rotate"
	"hbjournal/sink/seal"
)

// daemon is the running program: what has been opened, of which its parts are made.
type daemon struct {
	cfg       config.Config
	log       *daemonLog
	listener  *ingest.Listener
	status    *status.Server   // nil: not asked for
	journal   *sink.Journal    // nil: journaling is disabled
	encrypter rotate.Encrypter // nil: backups are not encrypted
	sealer    *seal.Sealer     // nil: the journal is not sealed
	life      *life.Keeper     // nil: there is no journal, or its disk took no sign of life
	outputs   []*forward.Loop
	leftOut   []forward.Figures // outputs that could not be begun
	stopping  atomic.Bool
}

// runDaemon receives and journals until ctx is done or a signal ends it; what was received by then is on the disk when
// it returns nil.
func runDaemon(ctx context.Context, cfg config.Config, from manager, log *daemonLog) error {
	// This comes first, so that no signal has its default effect during the start.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, the next one has its default effect again: it ends the process at once.
	context.AfterFunc(ctx, stop)
	requests := make(chan os.Signal, 4)
	signal.Notify(requests, append(reopenSignals(), rotateSignals()...)...)
	defer signal.Stop(requests)

	d := &daemon{cfg: cfg, log: log}
	if err := d.open(from.sockets); err != nil {
		return errors.Join(err, d.abandon())
	}
	all := d.parts(requests)
	if from.notify != nil {
		all.add("notify", d.notifies(from.notify))
	}
	stopParts := all.start(log.Logger)
	<-ctx.Done()
	d.stopping.Store(true)
	log.Info().Msg("journal stops: writing out what was received")
	err := stopParts()
	log.Info().EmbedObject(d.snapshot().Ledger).Msg("journal stopped")
	return err
}

// open opens all that the parts need. The sockets come first, so that datagrams wait in them from then on.
func (d *daemon) open(sockets []*os.File) error {
	options := ingestOptions(d.cfg, d.log.Logger)
	options.HandedOver = sockets
	var err error
	if d.listener, err = ingest.Listen(options); err != nil {
		return listenHint(err)
	}
	if err := d.openStatus(); err != nil {
		return err
	}
	return d.openJournal(len(sockets) == len(d.listener.Addrs()))
}

// openStatus binds http_addr, if there is one.
func (d *daemon) openStatus() error {
	if d.cfg.HTTPAddr == "" || d.cfg.HTTPAddr == "off" {
		return nil
	}
	server, err := status.Listen(d.cfg.HTTPAddr, versionText(), d.snapshot)
	if err != nil {
		return statusHint(err)
	}
	d.status = server
	d.log.Info().Stringer("addr", server.Addr()).Msg("status is served over HTTP")
	return nil
}

// openJournal opens the journal, and what is done with it. All sockets may have been handed over.
func (d *daemon) openJournal(handedOver bool) error {
	cfg := d.cfg
	if !cfg.JournalEnabled {
		d.log.Warn().Msg("journal is disabled: receiving and counting, writing nothing")
		if len(cfg.ForwardTo) > 0 {
			d.log.Warn().Msg("forward_to does nothing: what is not written is not forwarded")
		}
		return nil
	}
	options, err := sinkOptions(cfg, d.listener.Addrs()[0], d.log.Logger)
	if err != nil {
		return encryptHint(err)
	}
	sealer, err := openSealer(cfg, d.log.Logger)
	if err != nil {
		return err
	}
	if sealer != nil {
		options.Sealer = sealer
	}
	holding := holdingOf(cfg, d.log.Logger)
	options.Holder, options.HoldBytes, options.MayEncrypt = holding, int64(cfg.ForwardHold), holding.mayEncrypt
	if options.Encrypter != nil {
		for _, path := range secretsBeside(cfg) {
			d.log.Warn().Str("path", path).Msg("a secret key lies beside the journal: who takes the encrypted backups gets it with them")
		}
	}
	journal, err := sink.Open(options)
	if err != nil {
		sealer.Abandon()
		return journalHint(err, cfg)
	}
	d.journal, d.sealer, d.encrypter = journal, sealer, options.Encrypter
	holding.open(journal)
	// Without the note 'hbjournal health' and 'replay' go by their own settings, so a disk that takes none is no fault.
	word := serving{PID: os.Getpid(), Listen: d.listener.Addrs(), HTTP: d.statusAddr()}
	if err := servingNoteOf(cfg.JournalDir, cfg.JournalFile).write(word); err != nil {
		d.log.Warn().Err(err).Msg("'hbjournal health' and 'replay' do not learn the real addresses")
	}
	if d.life, err = beginLife(cfg, journal, handedOver); err != nil {
		d.log.Warn().Err(err).Msg("'hbjournal silent' has to guess when the daemon did not listen")
	}
	d.log.Info().Str("dir", cfg.JournalDir).Str("file", cfg.JournalFile).Int64("max_size", int64(cfg.JournalMaxSize)).
		Int("max_backups", cfg.JournalMaxBackups).Stringer("rotate_every", cfg.JournalRotateEvery).
		Str("compress", cfg.JournalCompress).Bool("encrypt", options.Encrypter != nil).Msg("journal opened")
	return d.openOutputs()
}

// abandon closes what has been opened when something else could not be.
func (d *daemon) abandon() error {
	var errs []error
	if d.listener != nil {
		errs = append(errs, d.listener.Close())
	}
	if d.status != nil {
		errs = append(errs, d.status.Close())
	}
	for _, loop := range d.outputs {
		errs = append(errs, loop.Close())
	}
	if d.life != nil {
		errs = append(errs, d.life.Close())
	}
	if d.journal != nil {
		errs = append(errs, d.journal.Close())
	}
	return errors.Join(errs...)
}

// parts lists what the daemon does. From the end on, as they are stopped: no more requests, nothing more comes in, what
// came in is written, and until all that is done the status can be asked for.
func (d *daemon) parts(requests <-chan os.Signal) parts {
	var all parts
	patience := time.Duration(d.cfg.ShutdownTimeout) / 4
	if d.status != nil {
		all.add("status", d.status)
	}
	if len(d.outputs) > 0 {
		all.addFor(patience, "outputs", shipping{d.outputs, d.log.Logger})
	}
	if d.journal != nil {
		all.add("journal", writing{d.journal, d.cfg.ShutdownTimeout})
	}
	if d.life != nil {
		all.addFor(patience, "life", living{d.life, d.log.Logger})
	}
	all.add("listener", receiving{d.listener, d.appender()})
	all.add("summary", summing{func() status.Ledger { return d.snapshot().Ledger }, d.listener.TakeHosts, d.log.Logger})
	obeys := &obeying{requests: requests, encrypter: d.encrypter, log: d.log}
	if d.journal != nil {
		obeys.journal = d.journal
	}
	all.addFor(patience, "signals", obeys)
	return all
}

// statusAddr is the address that the status is really served at, or off.
func (d *daemon) statusAddr() string {
	if d.status == nil {
		return "off"
	}
	return d.status.Addr().String()
}

func (d *daemon) appender() ingest.Appender {
	if d.journal == nil {
		return ingest.Discard{}
	}
	return d.journal
}

// snapshot is the state of everything at one moment.
func (d *daemon) snapshot() status.Snapshot {
	s := status.Snapshot{Enabled: d.journal != nil, Stopping: d.stopping.Load(), ReceiveBuffer: d.listener.ReceiveBuffer()}
	received := d.listener.Intake(func() {
		if d.journal != nil {
			s.Stats = d.journal.Stats()
		}
	})
	if d.sealer != nil {
		figures := d.sealer.Figures()
		s.Seal = &figures
	}
	s.Ledger = status.Account(received, s.Stats)
	for _, loop := range d.outputs {
		s.Outputs = append(s.Outputs, loop.Figures())
	}
	s.Outputs = append(s.Outputs, d.leftOut...)
	return s
}

// receiving is the part that reads the sockets, until they are empty at the end.
type receiving struct {
	listener *ingest.Listener
	to       ingest.Appender
}

func (r receiving) Serve(ctx context.Context) error {
	r.listener.Serve(ctx, r.to)
	return r.listener.Close()
}

// writing is the part that the journal is. It works by itself, and writes out at the end what it was given.
type writing struct {
	journal *sink.Journal
	timeout config.Duration // for stopping as a whole
}

func (w writing) Serve(ctx context.Context) error {
	<-ctx.Done()
	return stopHint(w.journal.Close(), w.timeout)
}

// shipping is the part that forwards to all outputs. Each has a goroutine of its own, so that none waits for another.
type shipping struct {
	outputs []*forward.Loop
	log     zerolog.Logger
}

func (s shipping) Serve(ctx context.Context) error {
	var all sync.WaitGroup
	for _, output := range s.outputs {
		all.Go(func() {
			if err := output.Run(ctx); err != nil {
				s.log.Error().Err(err).Msg("an output has ended; the others go on without it")
			}
		})
	}
	all.Wait()
	return nil
}

// turnable is what signals are about.
type turnable interface {
	Rotate() error
	Reopen() error
}

// obeying is the part that does what signals ask for, but for those that end the daemon.
type obeying struct {
	requests  <-chan os.Signal
	journal   turnable         // nil: journaling is disabled
	encrypter rotate.Encrypter // nil: backups are not encrypted
	log       *daemonLog
}

func (o *obeying) Serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-o.requests:
			if err := o.obey(s); err != nil {
				o.log.Error().Err(err).Stringer("signal", s).Msg("journal could not do what the signal asks")
			}
		}
	}
}

func (o *obeying) obey(s os.Signal) error {
	reopen := slices.Contains(reopenSignals(), s)
	if reopen {
		o.log.Reopen()
	}
	switch {
	case o.journal == nil:
		return nil
	case reopen:
		o.log.Info().Stringer("signal", s).Msg("journal file is reopened")
		return errors.Join(o.journal.Reopen(), reloadRecipients(o.encrypter, o.log.Logger))
	default:
		return o.journal.Rotate()
	}
}
