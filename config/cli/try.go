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
	"syscall"

	"github.com/rs/zerolog"

	"hbjournal/config"
	"hbjournal/config/cli/status"
	"hbjournal/ingest"
	"hbjournal/sink"
	"hbjournal/sink/rotate"
)

// trySettings binds, makes and writes what the settings name, and undoes it. All that does not work is one usage error.
func trySettings(ctx context.Context, cfg config.Config, env Env) error {
	// A signal ends it when all is undone, and not before.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	var errs []error
	for _, try := range []func(config.Config, Env) error{tryListen, tryStatus, tryJournal, trySeal, tryLogFile, tryOutputs} {
		if ctx.Err() == nil {
			errs = append(errs, try(cfg, env))
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted before all was tried; what had been made is undone")
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err, ""}
	}
	return nil
}

// withHint makes one text of err and its hint, since several errors may each have one.
func withHint(err error) error {
	return fmt.Errorf("%v: %s", err, hintOf(&runError{err})) //nolint:errorlint // Nobody looks into it, but for the hint.
}

func tryListen(cfg config.Config, env Env) error {
	listener, err := ingest.Listen(ingestOptions(cfg, zerolog.Nop()))
	if err != nil {
		return withHint(listenHint(err))
	}
	asked := int64(cfg.ListenBuffer) * int64(len(cfg.ListenAddr))
	if granted := listener.ReceiveBuffer(); granted < asked {
		fmt.Fprintf(env.Stderr, "hbjournal: warning: the kernel grants a receive buffer of %d bytes of the %d that listen_buffer asks for: sysctl -w net.core.rmem_max=%d\n",
			granted/int64(len(cfg.ListenAddr)), cfg.ListenBuffer, cfg.ListenBuffer)
	}
	return listener.Close()
}

func tryStatus(cfg config.Config, _ Env) error {
	if cfg.HTTPAddr == "" || cfg.HTTPAddr == "off" {
		return nil
	}
	server, err := status.Listen(cfg.HTTPAddr, "", func() status.Snapshot { return status.Snapshot{} })
	if err != nil {
		return withHint(statusHint(err))
	}
	return server.Close()
}

func tryJournal(cfg config.Config, _ Env) error {
	if !cfg.JournalEnabled {
		return nil
	}
	options, err := sinkOptions(cfg, netip.AddrPort{}, zerolog.Nop())
	if err != nil {
		return withHint(encryptHint(err))
	}
	if err := sink.Try(options); err != nil {
		return withHint(journalHint(err, cfg))
	}
	return nil
}

// trySeal reads what the seal needs.
func trySeal(cfg config.Config, _ Env) error {
	if _, _, err := sealOptions(cfg, zerolog.Nop()); err != nil {
		return withHint(err)
	}
	return nil
}

// tryOutputs asks the receivers of forward_to whether they can be reached. That one cannot is no fault of the settings: the daemon
// starts all the same, and sends later.
func tryOutputs(cfg config.Config, env Env) error {
	for _, s := range outputsOf(cfg) {
		if err := forwardingOf(cfg, zerolog.Nop()).reach(s); err != nil {
			fmt.Fprintf(env.Stderr, "hbjournal: warning: output %s cannot be reached now: %s\n", s.Address(), visible(err.Error()))
		}
	}
	return nil
}

// tryLogFile opens log_file, which it makes and removes again if it is missing.
func tryLogFile(cfg config.Config, _ Env) (err error) {
	if cfg.LogFile == "" {
		return nil
	}
	if info, err := os.Stat(cfg.LogFile); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil // A device or a pipe: opening it can have effects.
	}
	undo, err := rotate.TryDir(filepath.Dir(cfg.LogFile), 0o750)
	defer func() { err = errors.Join(err, undo()) }()
	if err == nil {
		err = tryAppend(cfg.LogFile)
	}
	if err != nil {
		return fmt.Errorf("open log_file: %w", err)
	}
	return nil
}

func tryAppend(path string) error {
	_, before := os.Lstat(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	err = file.Close()
	if errors.Is(before, fs.ErrNotExist) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
