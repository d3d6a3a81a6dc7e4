package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
)

// rollState is the file of --state. Its first line is a picture of the board and where in the journals it was made; each line
// after that is the id of an event that was told since. After a kill the journals are read on from the picture, which gives
// the same events again, and those that were told are left out.
type rollState struct {
	path    string
	lock    *os.File
	file    *os.File // nil: there is no picture yet
	picture rollPicture
	told    map[string]bool
}

// rollPicture is the first line.
type rollPicture struct {
	Version int               `json:"version"`
	Begun   bool              `json:"begun"` // those that were silent at the start were told before it
	At      map[string]string `json:"at"`    // cursors, by the directories of the journals
	Board   json.RawMessage   `json:"board"`
}

const rollVersion = 1

// Between pictures at most so much time passes while something comes, and at most so many events.
const (
	pictureEvery = 10 * time.Second
	mostTold     = 1000
)

// openRollState opens the file, or will make it if it is not there.
func openRollState(path string) (*rollState, error) {
	s := &rollState{path: path, told: map[string]bool{}}
	var err error
	if s.lock, err = durable.Lock(path + ".lock"); err != nil {
		return nil, &hintedError{fmt.Errorf("keep the state: %w", err), "another 'silent -f' may use it: give each a file of its own"}
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, errors.Join(fmt.Errorf("read state: %w", err), s.lock.Close())
	}
	first, rest, _ := bytes.Cut(text, []byte{'\n'})
	if err := json.Unmarshal(first, &s.picture); err != nil || s.picture.Version != rollVersion {
		return nil, errors.Join(&hintedError{
			fmt.Errorf("read state %s: it was not written by 'silent -f'", path), "name another file, or remove this one to begin anew",
		}, s.lock.Close())
	}
	for line := range strings.Lines(string(rest)) {
		if id, whole := strings.CutSuffix(line, "\n"); whole { // Else the kill fell on it.
			s.told[id] = true
		}
	}
	return s, nil
}

func (s *rollState) close() {
	if s.file != nil {
		_ = s.file.Close() // All of it was written.
	}
	_ = s.lock.Close()
}

// has reports whether an event was told.
func (s *rollState) has(id string) bool { return s != nil && s.told[id] }

// keep keeps that an event was told.
func (s *rollState) keep(id string) error {
	if s == nil {
		return nil
	}
	s.told[id] = true
	if s.file == nil {
		return nil
	}
	_, err := s.file.WriteString(id + "\n")
	return err
}

// replace writes a new picture.
func (s *rollState) replace(begun bool, at map[string]read.Cursor, board *presence.Board) error {
	saved, err := board.Save()
	if err != nil {
		return err
	}
	s.picture = rollPicture{Version: rollVersion, Begun: begun, At: map[string]string{}, Board: saved}
	for dir, cursor := range at {
		s.picture.At[dir] = cursor.String()
	}
	clear(s.told)
	return s.write()
}

// write writes the file anew.
func (s *rollState) write() error {
	text, err := json.Marshal(s.picture)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	for id := range s.told {
		text = append(append(text, id...), '\n')
	}
	file, err := durable.Replace(s.path, text)
	if err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	if s.file != nil {
		err = s.file.Close()
	}
	s.file = file
	return err
}

// positions are the cursors of the picture, by the directories of the journals.
func (s *rollState) positions() (map[string]read.Cursor, error) {
	at := map[string]read.Cursor{}
	for dir, text := range s.picture.At {
		cursor, err := read.ParseCursor(text)
		if err != nil {
			return nil, fmt.Errorf("read state %s: %w", s.path, err)
		}
		at[dir] = cursor
	}
	return at, nil
}

// saved reports whether there was a picture.
func (s *rollState) saved() bool { return s.picture.Version != 0 }
