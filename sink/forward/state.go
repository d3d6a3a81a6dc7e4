package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hbjournal/sink/forward/durable"
)

// ErrInUse is wrapped by the error of Open when another process ships with the same state.
var ErrInUse = durable.ErrInUse

// ErrState is wrapped by errors about state that cannot be believed.
var ErrState = errors.New("the state is not to be believed")

// The files in the directory of an output's state.
const (
	cursorFile = "cursor"     // a Record, in durable.Slots
	lockName   = "lock"       // held as long as an output ships
	deadFile   = "dead.jsonl" // lines that the receiver refused
	deadLock   = "dead.lock"  // held while dead.jsonl is written or taken away
	statusFile = "status"     // what the output last said of itself, for --status
)

// A state is the directory of an output while it is locked.
type state struct {
	dir    string
	lock   *os.File
	slots  *durable.Slots // nil: the output has not begun yet
	record Record
}

// openState makes the directory if it is missing, locks it and reads the record.
func openState(opt Options) (*state, error) {
	s := &state{dir: opt.StateDir}
	if err := durable.MakeDirectory(s.dir, opt.DirMode); err != nil {
		return nil, fmt.Errorf("make the directory of the state: %w", err)
	}
	var err error
	if s.lock, err = durable.Lock(filepath.Join(s.dir, lockName)); err != nil {
		return nil, err
	}
	var text []byte
	s.slots, text, err = durable.OpenSlots(filepath.Join(s.dir, cursorFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case errors.Is(err, durable.ErrDamaged):
		err = fmt.Errorf("%w: %w", ErrState, err)
	case err == nil:
		s.record, err = parseRecord(text)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// ReadRecord reads where the output with this directory stands, which may be shipping meanwhile. If it has not begun the error
// wraps fs.ErrNotExist.
func ReadRecord(stateDir string) (Record, error) {
	text, err := durable.ReadSlots(filepath.Join(stateDir, cursorFile))
	if err != nil {
		return Record{}, err
	}
	return parseRecord(text)
}

func parseRecord(text []byte) (r Record, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrState, err)
	}
	return r, nil
}

// write makes a record durable, at once or not at all.
func (s *state) write(r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write down where the output stands: %w", err)
	}
	if s.slots == nil {
		s.slots, err = durable.CreateSlots(filepath.Join(s.dir, cursorFile), text)
	} else if err = s.slots.Write(text); err == nil {
		err = s.slots.Sync()
	}
	if err != nil {
		return fmt.Errorf("write down where the output stands: %w", err)
	}
	s.record = r
	return nil
}

func (s *state) close() error {
	var err error
	if s.slots != nil {
		err = s.slots.Close()
	}
	return errors.Join(err, s.lock.Close())
}
