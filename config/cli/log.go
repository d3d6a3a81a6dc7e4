package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"hbjournal/config"
)

// daemonLog is the daemon's own log: on standard error, or in log_file. The journal is not a log and has nothing to do
// with this.
type daemonLog struct {
	zerolog.Logger
	json     bool // it is lines of JSON, not the console form
	onStderr bool // and not in log_file
	queue    *logQueue
	closer   io.Closer
}

// openLog opens the log as cfg describes it.
func openLog(cfg config.Config, env Env) (*daemonLog, error) {
	level, err := zerolog.ParseLevel(cfg.LogLevel)
	if err != nil {
		return nil, fmt.Errorf("set log_level: %w", err)
	}
	l := &daemonLog{closer: io.NopCloser(nil), onStderr: cfg.LogFile == ""}
	out, reopen := env.Stderr, (func() error)(nil)
	if cfg.LogFile != "" {
		file, err := openLogFile(cfg, env)
		if err != nil {
			return nil, &hintedError{
				fmt.Errorf("open log_file: %w", err),
				"give the file with log_file (LOG_FILE, --log-file), or leave it empty to log to standard error",
			}
		}
		out, reopen, l.closer = file, file.Reopen, file
	}
	l.json = isJSON(cfg.LogFormat, out)
	if !l.json {
		out = zerolog.ConsoleWriter{Out: out, NoColor: !isTerminal(out), TimeFormat: time.DateTime}
	}
	l.queue = newLogQueue(out, reopen)
	l.Logger = zerolog.New(l.queue).Level(level).With().Timestamp().Logger()
	return l, nil
}

// Reopen opens log_file anew, soon.
func (l *daemonLog) Reopen() { l.queue.Reopen() }

// Close writes out what waits.
func (l *daemonLog) Close() error { return errors.Join(l.queue.Close(), l.closer.Close()) }

// isJSON reports whether a log of that log_format is lines of JSON when it is written to out.
func isJSON(format string, out io.Writer) bool {
	return format == "json" || format != "console" && !isTerminal(out)
}

// isTerminal reports whether w leads to a terminal.
func isTerminal(w io.Writer) bool {
	if file, ok := w.(*logFile); ok {
		w = file.current()
	}
	if stream, ok := w.(openStream); ok {
		w = stream.Writer
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// tellEnd writes what the daemon ends with into the log, and on standard error if the log is elsewhere or not JSON. The log
// takes nothing after it.
func (l *daemonLog) tellEnd(err error, stderr io.Writer) error {
	if err == nil {
		return nil
	}
	err = &runError{err}
	if l.json {
		logEnd(l.Logger, err)
	}
	if !l.json || !l.onStderr {
		_ = l.queue.Close() // Two may not write to standard error at once. It has no error to give.
		printError(stderr, err)
	}
	return &toldError{err}
}

// tellOnStderr writes what the daemon ends with where its log would have begun.
func tellOnStderr(format string, env Env, err error) error {
	err = &runError{err}
	if isJSON(format, env.Stderr) {
		logEnd(zerolog.New(env.Stderr).With().Timestamp().Logger(), err)
	} else {
		printError(env.Stderr, err)
	}
	return &toldError{err}
}

// logEnd writes a line for each line of err. The last one has the hint.
func logEnd(log zerolog.Logger, err error) {
	lines := strings.Split(strings.TrimRight(err.Error(), "\n"), "\n")
	for i, line := range lines {
		event := log.WithLevel(zerolog.FatalLevel).Str("error", line)
		if hint := hintOf(err); hint != "" && i == len(lines)-1 {
			event = event.Str("hint", hint)
		}
		event.Msg("hbjournal ends")
	}
}

// toldError has been shown to the user; only its exit code is still to be given.
type toldError struct{ err error }

func (e *toldError) Error() string { return e.err.Error() }
func (e *toldError) Unwrap() error { return e.err }
