package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
	"gopkg.in/natefinch/lumberjack.v2"

	"hbjournal/config"
)

// openLog returns the daemon's own log, and what closes its file: standard error, as JSON or, on a terminal, in the
// console form; or log_file, which lumberjack rotates. The journal is not a log and has nothing to do with this.
func openLog(cfg config.Config, stderr io.Writer) (zerolog.Logger, io.Closer, error) {
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("set log_level: %w", err)
	}
	out, closer, err := logOutput(cfg, stderr)
	if err != nil {
		return zerolog.Nop(), nil, err
	}
	if cfg.LogFormat == "console" || cfg.LogFormat == "auto" && isTerminal(out) {
		out = zerolog.ConsoleWriter{Out: out, NoColor: !isTerminal(out), TimeFormat: time.DateTime}
	}
	queue := newLogQueue(out)
	return zerolog.New(queue).Level(level).With().Timestamp().Logger(), closers{queue, closer}, nil
}

// closers closes all of them in order.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

func logOutput(cfg config.Config, stderr io.Writer) (io.Writer, io.Closer, error) {
	if cfg.LogFile == "" {
		return stderr, io.NopCloser(nil), nil
	}
	if err := checkWritable(cfg.LogFile); err != nil {
		return nil, nil, &hintedError{
			fmt.Errorf("open log_file: %w", err),
			"give the file with log_file (LOG_FILE, --log-file), or leave it empty to log to standard error",
		}
	}
	file := &lumberjack.Logger{
		Filename:   cfg.LogFile,
		MaxSize:    int(cfg.LogMaxSize / config.MiB), // lumberjack counts in MiB
		MaxBackups: cfg.LogMaxBackups,
	}
	return file, file, nil
}

// checkWritable makes the log's directory and file if they are missing, so that a log that cannot be written is an
// error at the start. lumberjack would only show it at the first line, to nobody.
func checkWritable(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	return file.Close()
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
