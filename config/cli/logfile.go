package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"hbjournal/config"
	"hbjournal/sink/rotate"
)

// logFile is what log_file names. lumberjack rotates it if it is a file; a device, a FIFO or a standard stream is
// written as it is, since renaming it would take it away from everyone.
type logFile struct {
	cfg  config.Config
	env  Env
	path string // of the file that is rotated; "": out is none

	mu  sync.Mutex // guards out, and is not held while it is written
	out io.WriteCloser
}

func openLogFile(cfg config.Config, env Env) (*logFile, error) {
	f := &logFile{cfg: cfg, env: env}
	return f, f.Reopen()
}

func (f *logFile) Write(p []byte) (int, error) { return f.current().Write(p) }

// Close closes what is open; the standard streams stay.
func (f *logFile) Close() error { return f.current().Close() }

func (f *logFile) current() io.WriteCloser {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out
}

// Reopen opens anew what log_file names now, making it if it is missing. With an error, what was open stays open.
func (f *logFile) Reopen() error {
	if err := checkLogFile(f.cfg); err != nil {
		return err
	}
	path := followLinks(f.cfg.LogFile)
	if stream := f.stream(path); stream != nil {
		return f.replace("", stream)
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || isOfSystem(path)) {
		device, err := openDevice(path, info)
		if err != nil {
			return err
		}
		return f.replace("", device)
	}
	if err := checkWritable(path); err != nil {
		return err
	}
	if path == f.path {
		return f.current().Close() // lumberjack opens it anew with the next line.
	}
	return f.replace(path, &lumberjack.Logger{
		Filename:   path,
		MaxSize:    int(f.cfg.LogMaxSize / config.MiB), // lumberjack counts in MiB
		MaxBackups: f.cfg.LogMaxBackups,
	})
}

func (f *logFile) replace(path string, out io.WriteCloser) error {
	f.mu.Lock()
	old := f.out
	f.path, f.out = path, out
	f.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.Close()
}

// stream returns the standard stream that path stands for; nil: it is none. It is used as it is, since one that is a
// socket, as under systemd, cannot be opened by its name.
func (f *logFile) stream(path string) io.WriteCloser {
	switch path {
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return openStream{f.env.Stdout}
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return openStream{f.env.Stderr}
	}
	return nil
}

// openStream is a standard stream, which is not ours to close.
type openStream struct{ io.Writer }

func (openStream) Close() error { return nil }

// checkLogFile returns why log_file can be no log: it is one of the journal's own files, or holds a file system.
func checkLogFile(cfg config.Config) error {
	if cfg.LogFile == "" {
		return nil
	}
	if rotate.Owns(cfg.JournalDir, cfg.JournalFile, cfg.LogFile) {
		return errors.New("is one of the journal's own files, where log lines would stand between the entries; give another file")
	}
	if info, err := os.Stat(cfg.LogFile); err == nil && isBlockDevice(info) {
		return errors.New("is a block device, and what is on it would be overwritten; give a file")
	}
	return nil
}

func isBlockDevice(info fs.FileInfo) bool {
	return info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0
}

// followLinks returns where path leads to, as far as that can be seen. What the system offers as a file, such as
// /dev/stdout and /proc/self/fd/1, is left as it is called.
func followLinks(path string) string {
	const most = 40 // as the kernel has it
	for range most {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil && !isOfSystem(path) {
			path = filepath.Join(dir, filepath.Base(path))
		}
		target, err := os.Readlink(path)
		if err != nil || isOfSystem(path) {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path
}

// isOfSystem reports whether path names a descriptor or another thing of the system, which never rotates.
func isOfSystem(path string) bool {
	path = filepath.Clean(path)
	return path == "/dev/stdout" || path == "/dev/stderr" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/")
}

// openDevice opens what is no plain file for writing at its end. It does not wait for anyone to read it: a FIFO is
// opened for reading too, so that lines wait in it until somebody comes.
func openDevice(path string, info fs.FileInfo) (*os.File, error) {
	if info.IsDir() || info.Mode()&fs.ModeSocket != 0 {
		return nil, fmt.Errorf("%s is no file, but has mode %v", path, info.Mode())
	}
	access := os.O_WRONLY
	if info.Mode()&fs.ModeNamedPipe != 0 {
		access = os.O_RDWR
	}
	return os.OpenFile(path, access|os.O_APPEND|openDeviceFlags, 0)
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
