package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	_ "time/tzdata" // containers often have no zones of their own, and TZ must work there

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/config/cli/status"
	"hbjournal/ingest"
	"hbjournal/sink"
	"hbjournal/sink/rotate"
)

// The Journal is what the sockets' readers append to.
var _ ingest.Appender = (*sink.Journal)(nil)

// daemon is the running program.
type daemon struct {
	log      zerolog.Logger
	listener *ingest.Listener
	journal  *sink.Journal  // nil: journaling is disabled
	status   *status.Server // nil: not asked for
	stopping atomic.Bool
}

// runDaemon receives and journals until ctx is done or a signal ends it; what was received by then is on the disk when
// it returns nil.
func runDaemon(ctx context.Context, cfg config.Config, log zerolog.Logger) error {
	// This comes first, so that no signal has its default effect during the start.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, the next one has its default effect again: it ends the process at once.
	context.AfterFunc(ctx, stop)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append(reopenSignals(), rotateSignals()...)...)
	defer signal.Stop(signals)

	listener, err := ingest.Listen(ingestOptions(cfg, log))
	if err != nil {
		return listenHint(err)
	}
	d := &daemon{log: log, listener: listener}
	if err := d.listenStatus(cfg); err != nil {
		return errors.Join(err, listener.Close())
	}
	if cfg.JournalEnabled {
		if d.journal, err = sink.Open(sinkOptions(cfg, listener.Addrs()[0], log)); err != nil {
			return errors.Join(journalHint(err, cfg), listener.Close(), d.closeStatus())
		}
		log.Info().Str("dir", cfg.JournalDir).Str("file", cfg.JournalFile).Int64("max_size", int64(cfg.JournalMaxSize)).
			Int("max_backups", cfg.JournalMaxBackups).Stringer("rotate_every", cfg.JournalRotateEvery).
			Str("compress", cfg.JournalCompress).Msg("journal opened")
	} else {
		log.Warn().Msg("journal is disabled: receiving and counting, writing nothing")
	}
	return d.run(ctx, signals)
}

// listenStatus binds http_addr, if there is one.
func (d *daemon) listenStatus(cfg config.Config) error {
	if cfg.HTTPAddr == "" || cfg.HTTPAddr == "off" {
		return nil
	}
	server, err := status.Listen(cfg.HTTPAddr, versionText(), d.snapshot)
	if err != nil {
		return &hintedError{err, "set HTTP_ADDR to another address, such as HTTP_ADDR=127.0.0.1:9504, or HTTP_ADDR=off for none"}
	}
	d.status = server
	d.log.Info().Stringer("addr", server.Addr()).Msg("status is served over HTTP")
	return nil
}

func (d *daemon) closeStatus() error {
	if d.status == nil {
		return nil
	}
	return d.status.Close()
}

// snapshot is the state of everything at one moment.
func (d *daemon) snapshot() status.Snapshot {
	s := status.Snapshot{Enabled: d.journal != nil, Stopping: d.stopping.Load(), ReceiveBuffer: d.listener.ReceiveBuffer()}
	received := d.listener.Ledger(func() {
		if d.journal != nil {
			s.Stats = d.journal.Stats()
		}
	})
	s.Ledger = status.Account(received, s.Stats)
	return s
}

// run serves until ctx is done, doing what signals ask for; then it drains and closes everything.
func (d *daemon) run(ctx context.Context, signals <-chan os.Signal) error {
	context.AfterFunc(ctx, func() { d.stopping.Store(true) })
	defer d.serveStatus()()
	served := make(chan struct{})
	go func() {
		defer close(served)
		d.listener.Serve(ctx, d.appender())
	}()
	for {
		select {
		case s := <-signals:
			d.handle(s)
		case <-served:
			return d.close()
		}
	}
}

// serveStatus answers requests until the returned function is called, which is when all else has been closed.
func (d *daemon) serveStatus() (stop func()) {
	if d.status == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := d.status.Serve(ctx); err != nil {
			d.log.Error().Err(err).Msg("status is no longer served over HTTP")
		}
	})
	return func() {
		cancel()
		serving.Wait()
	}
}

func (d *daemon) appender() ingest.Appender {
	if d.journal == nil {
		return ingest.Discard{}
	}
	return d.journal
}

// close writes out what was received and says what became of it all.
func (d *daemon) close() error {
	d.log.Info().Msg("journal stops: writing out what was received")
	err := d.listener.Close()
	if d.journal != nil {
		err = errors.Join(err, d.journal.Close())
	}
	d.log.Info().EmbedObject(d.snapshot().Ledger).Msg("journal stopped")
	return err
}

func (d *daemon) handle(s os.Signal) {
	if d.journal == nil {
		return
	}
	var err error
	for _, reopen := range reopenSignals() {
		if s == reopen {
			d.log.Info().Stringer("signal", s).Msg("journal file is reopened")
			err = d.journal.Reopen()
		}
	}
	for _, rotate := range rotateSignals() {
		if s == rotate {
			err = d.journal.Rotate()
		}
	}
	if err != nil {
		d.log.Error().Err(err).Stringer("signal", s).Msg("journal could not do what the signal asks")
	}
}

func location(cfg config.Config) *time.Location {
	if cfg.JournalLocalTime {
		return time.Local
	}
	return time.UTC
}

func ingestOptions(cfg config.Config, log zerolog.Logger) ingest.Options {
	return ingest.Options{
		Addrs:           cfg.ListenAddr,
		BufferBytes:     int(cfg.ListenBuffer),
		MaxMessageBytes: int(cfg.MaxMessageSize),
		DropInvalid:     cfg.JournalInvalid == "drop",
		Location:        location(cfg),
		Gateways:        ingest.DefaultGateways(),
		AllowFrom:       networks(cfg.AllowFrom),
		RateLimit:       cfg.RateLimit,
		Include:         rules(cfg.FilterInclude),
		Exclude:         rules(cfg.FilterExclude),
		DedupWindow:     time.Duration(cfg.DedupWindow),
		DrainTimeout:    time.Duration(cfg.ShutdownTimeout) / 4,
		Log:             log,
	}
}

// networks are those of texts, which have been validated.
func networks(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		if network, err := config.ParseNetwork(text); err == nil {
			all = append(all, network)
		}
	}
	return all
}

func sinkOptions(cfg config.Config, source netip.AddrPort, log zerolog.Logger) sink.Options {
	return sink.Options{
		Dir:      cfg.JournalDir,
		File:     cfg.JournalFile,
		MaxBytes: int64(cfg.JournalMaxSize),
		Every:    time.Duration(cfg.JournalRotateEvery),
		Compress: strings.TrimPrefix(cfg.JournalCompress, "none"),

		MaxBackups:    cfg.JournalMaxBackups,
		MaxAge:        time.Duration(cfg.JournalMaxAge),
		MaxTotalBytes: int64(cfg.JournalMaxTotalSize),
		MinFreeBytes:  int64(cfg.JournalMinFree),

		FileMode:     fs.FileMode(cfg.JournalFileMode),
		DirMode:      fs.FileMode(cfg.JournalDirMode),
		Location:     location(cfg),
		Fsync:        fsync(cfg.JournalFsync),
		BufferBytes:  int64(cfg.JournalBufferSize),
		CloseTimeout: time.Duration(cfg.ShutdownTimeout) * 3 / 4,
		Source:       source,
		Log:          log,
	}
}

// rules are those of filters that have been checked already.
func rules(texts []string) []ingest.Rule {
	rules, _ := ingest.ParseRules(texts)
	return rules
}

func fsync(f config.Fsync) time.Duration {
	switch f {
	case config.FsyncNever:
		return sink.FsyncNever
	case config.FsyncAlways:
		return sink.FsyncAlways
	}
	return time.Duration(f)
}

// listenHint adds what to do about a socket that could not be bound.
func listenHint(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &hintedError{err, "another program listens there ('ss -ulpn' shows which); stop it or set LISTEN_ADDR, such as LISTEN_ADDR=:50004"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return &hintedError{err, "no interface of this machine has that address; set LISTEN_ADDR, such as LISTEN_ADDR=:50003 for all of them"}
	case errors.Is(err, fs.ErrPermission):
		return &hintedError{err, "ports below 1024 need a privilege; set LISTEN_ADDR to a higher one, such as LISTEN_ADDR=:50003"}
	}
	return &hintedError{err, "set LISTEN_ADDR to host:port, such as LISTEN_ADDR=127.0.0.1:50003"}
}

// journalHint adds what to do about a journal that could not be opened.
func journalHint(err error, cfg config.Config) error {
	switch {
	case errors.Is(err, rotate.ErrLocked):
		return &hintedError{err, "stop the other process, or give this one a journal of its own with JOURNAL_DIR or JOURNAL_FILE"}
	case errors.Is(err, rotate.ErrNotRegular):
		return &hintedError{err, "move it away, or set JOURNAL_FILE to another name"}
	}
	return &hintedError{err, fmt.Sprintf("%s; set JOURNAL_DIR=./journal or another directory that may be written", access(cfg.JournalDir))}
}

// access says who we are, and the mode of the nearest directory above path that exists.
func access(path string) string {
	for ; ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err == nil {
			return fmt.Sprintf("this is uid %d, and %s has mode %v", os.Getuid(), path, info.Mode())
		}
		if path == filepath.Dir(path) {
			return fmt.Sprintf("this is uid %d", os.Getuid())
		}
	}
}
