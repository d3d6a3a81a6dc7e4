package forward

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// maxStatus bounds what is read of the file status.
const maxStatus = 64 << 10

// tell leaves word of the figures in the file status. It is for people, so that a disk that does not take it is no trouble.
func (l *Loop) tell() {
	text, err := json.Marshal(l.Figures())
	if err != nil {
		return
	}
	temporary := filepath.Join(l.state.dir, statusFile+".new")
	if writeNew(temporary, append(text, '\n')) == nil {
		_ = os.Rename(temporary, filepath.Join(l.state.dir, statusFile))
	}
}

// writeNew writes a file that is not there yet, after taking away what a kill left under its name.
func writeNew(path string, text []byte) error {
	_ = os.Remove(path) // If it stays, opening says so.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// Status is what can be seen of an output from its state.
type Status struct {
	Figures
	Running bool      `json:"running"` // a process ships to it
	Time    time.Time `json:"time"`    // of the last record
}

// Look finds out how the output with this state is, and how far it is behind the journal. Its error wraps fs.ErrNotExist if there is none.
func Look(ctx context.Context, stateDir string, from read.Options) (Status, error) {
	record, err := ReadRecord(stateDir)
	if err != nil {
		return Status{}, err
	}
	s := Status{Time: record.Time, Figures: Figures{State: Working}}
	if file, err := os.OpenFile(filepath.Join(stateDir, statusFile), os.O_RDONLY|durable.NoFollow, 0); err == nil {
		text, _ := io.ReadAll(io.LimitReader(file, maxStatus))
		_ = json.Unmarshal(text, &s.Figures) // Without it there is what the record says.
		_ = file.Close()
	}
	s.Name, s.Address, s.Totals = filepath.Base(stateDir), record.Address, record.Figures
	s.Cursor, s.Number, s.DeadBytes = record.Cursor.String(), record.Number, record.Dead
	s.HeldBytes = heldBytes(from, record.Cursor.Cursor)
	s.Running, err = isHeld(stateDir)
	if err != nil {
		return s, err
	}
	s.LagBytes, s.Oldest, err = behind(ctx, from, record.Cursor.Cursor)
	return s, err
}

// isHeld reports whether a process ships with this state. It holds the lock itself for a moment to find out.
func isHeld(stateDir string) (bool, error) {
	lock, err := durable.Lock(filepath.Join(stateDir, lockName))
	if errors.Is(err, ErrInUse) {
		return true, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return false, nil // Who may only read cannot tell.
	}
	if err != nil {
		return false, err
	}
	return false, lock.Close()
}

// behind is how many bytes lie behind a position, and when the first line there was received.
func behind(ctx context.Context, from read.Options, at read.Cursor) (bytes int64, oldest time.Time, err error) {
	follower, err := read.Follow(from, at)
	if err != nil {
		return 0, oldest, err
	}
	defer follower.Close()
	if bytes, err = follower.Behind(); err != nil || bytes == 0 {
		return bytes, oldest, err
	}
	var b read.Block
	for err == nil && len(b.Data) == 0 {
		err = follower.Poll(ctx, &b)
	}
	if errors.Is(err, io.EOF) {
		return bytes, oldest, nil
	}
	if millis, timed := journal.LineTime(b.Data); timed {
		oldest = time.UnixMilli(millis).UTC()
	}
	return bytes, oldest, err
}

// Pending is what an output would send.
type Pending struct {
	Lines, Bytes    int64
	FirstID, LastID string
	From, To        read.Cursor
}

// Survey finds out what an output would send now. It changes nothing.
func Survey(ctx context.Context, opt Options) (p Pending, err error) {
	if opt, err = opt.withDefaults(); err != nil {
		return p, err
	}
	opt.Once = true
	record, err := ReadRecord(opt.StateDir)
	at := record.Cursor.Cursor
	if errors.Is(err, fs.ErrNotExist) {
		at, err = opt.Start.position(opt.Journal)
	}
	if err != nil {
		return p, err
	}
	c, err := newCutter(opt, at, func(*read.CorruptError) {})
	if err != nil {
		return p, err
	}
	defer c.close()
	p.From = at
	b := NewBatch(opt.JournalID, record.Number, at)
	for err == nil {
		b.reset(record.Number+p.Lines, c.at)
		if err = c.fill(ctx, b, nil); err == nil {
			if p.Lines == 0 {
				p.FirstID = b.ID(0)
			}
			p.LastID = b.ID(b.Len() - 1)
			p.Lines, p.Bytes, p.To = p.Lines+int64(b.Len()), p.Bytes+int64(b.Size()), b.To
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p, err
}
