package forward

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal/read"
)

// Forget removes the state of an output that nobody ships to. What else lies in its directory stays, and the directory with it.
func Forget(stateDir string) error {
	if _, err := os.Stat(stateDir); err != nil {
		return err
	}
	lock, err := durable.Lock(filepath.Join(stateDir, lockName))
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, name := range []string{
		cursorFile, cursorFile + ".new", statusFile, statusFile + ".new", deadFile, againFile, againFile + ".new", againLock, deadLock, lostFile, lostFile + ".new", lockName,
	} {
		if err := os.Remove(filepath.Join(stateDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Remove(stateDir)
}

// Reset lets an output that nobody ships to go on from another place. What may have been in flight is forgotten.
func Reset(opt Options, start Start) (at read.Cursor, err error) {
	if opt, err = opt.withDefaults(); err != nil {
		return at, err
	}
	if at, err = start.position(opt.Journal); err != nil {
		return at, err
	}
	s, err := openState(opt)
	if errors.Is(err, ErrState) {
		if err = os.Remove(filepath.Join(opt.StateDir, cursorFile)); err == nil {
			s, err = openState(opt)
		}
	}
	if err != nil {
		return at, err
	}
	r := s.record
	r.Journal, r.Address, r.Time = opt.JournalID, opt.Address, opt.Now().UTC()
	r.Cursor, r.Intent, r.Run, r.Moved = position{at}, nil, run{}, true
	return at, errors.Join(s.write(r), s.close())
}

// againFile holds the letters that Resend has taken out of dead.jsonl.
const (
	againFile = "dead.again.jsonl"
	againLock = "dead.again.lock" // held while they are sent
)

// ErrOrder is wrapped by the error of Resend for an output whose receiver knows where it stands.
var ErrOrder = errors.New("its receiver takes lines in the journal's order only")

// Resend sends the lines in dead.jsonl once more, also while another process ships to the output. It returns how many the receiver took,
// and how many are left: those that it refused again, and ranges, which are not lines. They are in dead.again.jsonl then.
func Resend(ctx context.Context, opt Options, out Output) (sent, left int, err error) {
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, ordered := out.(Resumer); ordered {
		return 0, 0, ErrOrder
	}
	again := filepath.Join(opt.StateDir, againFile)
	alone, err := durable.Lock(filepath.Join(opt.StateDir, againLock))
	if err != nil {
		return 0, 0, err
	}
	defer alone.Close()
	d := letters{dir: opt.StateDir}
	lock, err := d.lock()
	if err != nil {
		return 0, 0, err
	}
	all, err := d.takeAll(again)
	if err = errors.Join(err, lock.Close()); err != nil {
		return 0, 0, err
	}
	var kept []Letter
	for i, letter := range all {
		taken, errSend := resendOne(ctx, opt.JournalID, letter, out)
		if errSend != nil {
			err, kept = fmt.Errorf("send line %s again: %w", letter.ID, errSend), append(kept, all[i:]...)
			break
		}
		if !taken {
			kept = append(kept, letter)
		}
	}
	return len(all) - len(kept), len(kept), errors.Join(err, writeLetters(again, kept))
}

// takeAll moves what is in dead.jsonl to the file again, and returns all that is there then. The lock must be held.
func (d letters) takeAll(again string) ([]Letter, error) {
	var all []Letter
	known := make(map[string]bool)
	for _, path := range []string{again, d.path()} {
		letters, whole, err := readLetters(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && (path == again || whole < d.holds()) {
			return nil, err
		}
		for _, l := range letters { // One that was killed before it removed dead.jsonl has left the same in both.
			if key := l.ID + l.To; !known[key] {
				known[key], all = true, append(all, l)
			}
		}
	}
	if err := writeLetters(again, all); err != nil {
		return nil, err
	}
	if err := os.Remove(d.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return all, durable.SyncDirectory(d.dir)
}

// holds is how many bytes of dead.jsonl are of lines that the output is behind of, without the last newline. What lies behind may
// be half a letter, of a process that was killed, and is of lines that will be dealt with again.
func (d letters) holds() int64 {
	record, _ := ReadRecord(d.dir)
	return record.Dead - 1
}

// writeLetters makes the file hold these letters; without any it removes it.
func writeLetters(path string, all []Letter) error {
	if len(all) == 0 {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := appendLetters(nil, all)
	if err != nil {
		return err
	}
	file, err := durable.Replace(path, text)
	if err != nil {
		return err
	}
	return file.Close()
}

// resendOne sends a letter as a batch of its own.
func resendOne(ctx context.Context, journalID string, letter Letter, out Output) (taken bool, err error) {
	if letter.Lines > 0 {
		return false, nil
	}
	at, err := read.ParseCursor(letter.Cursor)
	if err != nil {
		return false, err
	}
	text := letter.Text()
	next := at
	next.Offset += int64(len(text)) + 1
	b := NewBatch(journalID, 0, at)
	b.Add(text, at, next)
	receipt, err := out.Send(ctx, b)
	var refused *RefusedError
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil && len(receipt.Refused) == 0 && len(receipt.Unnamed) == 0, err
}
