package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"hbjournal/config"
	"hbjournal/ingest"
	"hbjournal/sink"
	"hbjournal/sink/rotate"
)

// listenHint adds what to do about a socket that could not be bound.
func listenHint(err error) error {
	switch {
	case errors.Is(err, ingest.ErrHandedOver):
		return &hintedError{err, "the socket unit must have a ListenDatagram= for each address of LISTEN_ADDR, and no other; without LISTEN_ADDR its sockets are the addresses"}
	case errors.Is(err, ingest.ErrSameAddress):
		return &usageError{err, "give each address of listen_addr (LISTEN_ADDR) once"}
	case errors.Is(err, syscall.EADDRINUSE):
		return &hintedError{err, "another program listens there ('ss -ulpn' shows which); stop it or set LISTEN_ADDR, such as LISTEN_ADDR=:50004"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return &hintedError{err, "no interface of this machine has that address; set LISTEN_ADDR, such as LISTEN_ADDR=:50003 for all of them"}
	case errors.Is(err, fs.ErrPermission):
		return &hintedError{err, "ports below 1024 need a privilege; set LISTEN_ADDR to a higher one, such as LISTEN_ADDR=:50003"}
	}
	return &hintedError{err, "set LISTEN_ADDR to host:port, such as LISTEN_ADDR=127.0.0.1:50003"}
}

// statusHint adds what to do about http_addr that could not be bound.
func statusHint(err error) error {
	return &hintedError{err, "set HTTP_ADDR to another address, such as HTTP_ADDR=127.0.0.1:9513, or HTTP_ADDR=off for none"}
}

// journalHint adds what to do about a journal that could not be opened.
func journalHint(err error, cfg config.Config) error {
	switch {
	case errors.Is(err, rotate.ErrLocked):
		return &hintedError{err, "stop the other process, or give this one a journal of its own with JOURNAL_DIR or JOURNAL_FILE"}
	case errors.Is(err, rotate.ErrNotRegular):
		return &hintedError{err, "move it away, or set JOURNAL_FILE to another name"}
	case errors.Is(err, syscall.ENOSPC):
		return &hintedError{err, "free the disk ('df -h' and 'df -i' show what is used up), or set JOURNAL_DIR to one that has room"}
	}
	return &hintedError{err, fmt.Sprintf("%s; set JOURNAL_DIR=./journal or another directory that may be written", access(cfg.JournalDir))}
}

// encryptHint adds what to do about recipients that backups cannot be encrypted to.
func encryptHint(err error) error {
	return &hintedError{err, "give public keys of age-keygen, or files of them that this user may read, in journal_encrypt_to (JOURNAL_ENCRYPT_TO)"}
}

// stopHint says of entries that could not be written in time what becomes of them, and what that time is.
func stopHint(err error, timeout config.Duration) error {
	var unwritten *sink.UnwrittenError
	if !errors.As(err, &unwritten) {
		return err
	}
	return &hintedError{
		fmt.Errorf("stop within shutdown_timeout=%v: %w", timeout, err),
		"free the disk, or set SHUTDOWN_TIMEOUT to wait longer; the next start notes in the journal what was kept of the loss",
	}
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
