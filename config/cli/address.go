package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hbjournal/config"
	"hbjournal/sink/rotate"
)

// addressNote is the file in the journal's state directory that holds the address at which the daemon serves its status,
// or off: what http_addr came to, by whatever flags the daemon was given, and with the port that it got for port 0. It stays
// when the daemon ends, since nobody answers there then; the next one writes its own.
type addressNote struct{ path string }

func addressNoteOf(cfg config.Config) addressNote {
	return addressNote{filepath.Join(rotate.StateDir(cfg.JournalDir, cfg.JournalFile), "http_addr")}
}

// noteWithin is how long the note is waited for: a disk may not answer at all.
const noteWithin = 300 * time.Millisecond

// read returns "" if no daemon has left its address, or we may not see it, or not soon.
func (n addressNote) read() string {
	found := make(chan string, 1)
	go func() { // It may never end, and then ends with the process, which is about to exit.
		text, _ := os.ReadFile(n.path)
		found <- strings.TrimSpace(string(text))
	}()
	select {
	case addr := <-found:
		return addr
	case <-time.After(noteWithin):
		return ""
	}
}

// write replaces what the note says in one step, or else removes it: it would name the daemon before this one.
func (n addressNote) write(addr string) error {
	err := n.replace(addr)
	if err == nil {
		return nil
	}
	if gone := os.Remove(n.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return fmt.Errorf("leave the address of the status: %w", err)
}

func (n addressNote) replace(addr string) error {
	temporary := n.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.WriteString(addr + "\n")
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temporary, n.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
