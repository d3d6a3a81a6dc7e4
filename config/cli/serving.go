package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"hbjournal/ingest/fleet"
	"hbjournal/sink/rotate"
)

// serving is what a daemon leaves word of while it writes a journal: what its settings came to, by whatever flags it was
// given, and with the ports that it got for port 0.
type serving struct {
	PID    int              `json:"pid"`
	Listen []netip.AddrPort `json:"listen"` // where it receives
	HTTP   string           `json:"http"`   // where it serves its status; off: nowhere
}

// servingNote is the file in the journal's state directory that holds it. It stays when the daemon ends; the next one
// writes its own. Whether there is a daemon tells the lock of the journal.
type servingNote struct{ path string }

func servingNoteOf(dir, file string) servingNote {
	return servingNote{filepath.Join(rotate.StateDir(dir, file), "serving")}
}

// archiveNoteOf is that of an archive, which lies beside the journals that it writes.
func archiveNoteOf(dir string) servingNote {
	return servingNote{filepath.Join(fleet.StateDir(dir), "serving")}
}

// noteWithin is how long the note is waited for: a disk may not answer at all.
const noteWithin = 300 * time.Millisecond

// read returns false if no daemon has left word, or we may not see it, or not soon.
func (n servingNote) read() (serving, bool) {
	found := make(chan []byte, 1)
	go func() { // It may never end, and then ends with the process, which is about to exit.
		text, _ := os.ReadFile(n.path)
		found <- text
	}()
	var s serving
	select {
	case text := <-found:
		return s, json.Unmarshal(text, &s) == nil
	case <-time.After(noteWithin):
		return s, false
	}
}

// write replaces what the note says in one step, or else removes it: it would name the daemon before this one.
func (n servingNote) write(s serving) error {
	text, err := json.Marshal(s)
	if err == nil {
		err = n.replace(append(text, '\n'))
	}
	if err == nil {
		return nil
	}
	if gone := os.Remove(n.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return fmt.Errorf("leave word of the addresses: %w", err)
}

func (n servingNote) replace(text []byte) error {
	temporary := n.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temporary, n.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
