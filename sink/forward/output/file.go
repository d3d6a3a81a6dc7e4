package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// schemeFile appends the lines to a file, on another disk for example. A path that ends in a slash is a directory, and the
// file in it is called after the receiver. Beside it lies .<name>.position: to which line of which journal the file has come,
// and how long it was then. What the file holds behind that is of a batch that was not confirmed, and is written again, so
// that each line is there once whatever ended the sender.
//
// Another program may move the file away between two batches; it is begun anew then.
func schemeFile() scheme {
	return scheme{names: []string{"file"}, make: func(t *Target, o *options) func(Identity) (forward.Output, error) {
		if len(t.Hosts) > 0 || !strings.HasPrefix(t.Path, "/") {
			o.fault("it takes an absolute path and no host: write file:///srv/copy/web1.journal")
		}
		t.AcceptRewind = o.flag("accept_rewind")
		return func(who Identity) (forward.Output, error) {
			path := t.Path
			if strings.HasSuffix(path, "/") {
				path += who.Receiver + ".journal"
			}
			return &file{path: path, journal: who.Journal}, nil
		}
	}}
}

// file is the output. The position is opened when it is first needed, and again after each trouble.
type file struct {
	patient
	path     string
	journal  string
	position *durable.Slots // locked; nil: not open
	known    filePosition
	synced   time.Time // when the position was forced to the disk last
}

// filePosition is how far the file has come.
type filePosition struct {
	Journal string `json:"journal"`
	To      string `json:"to"` // a read.Cursor
	Number  int64  `json:"number"`
	Last    string `json:"last"` // journal.LineHash; "": there is no line of the journal in it yet
	Size    int64  `json:"size"`
}

func (f *file) positionPath() string {
	return filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+".position")
}

// open opens the position and reads it. A file that has none yet may hold what is not ours, and is appended to.
func (f *file) open() error {
	if f.position != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o750); err != nil {
		return err
	}
	slots, text, err := durable.OpenSlots(f.positionPath())
	if errors.Is(err, fs.ErrNotExist) {
		first := filePosition{Journal: f.journal, To: read.Cursor{}.String()}
		if info, errStat := os.Stat(f.path); errStat == nil {
			first.Size = info.Size()
		}
		if text, err = json.Marshal(first); err == nil {
			slots, err = durable.CreateSlots(f.positionPath(), text)
		}
	}
	if err != nil {
		return err
	}
	f.known = filePosition{}
	if err = slots.Lock(); err == nil {
		err = json.Unmarshal(text, &f.known)
	}
	if err != nil {
		return errors.Join(err, slots.Close())
	}
	f.position = slots
	return nil
}

// Position implements forward.Resumer.
func (f *file) Position(ctx context.Context, journal string) (held forward.Held, ok bool, err error) {
	if err := f.do(ctx, f.open); err != nil {
		return held, false, f.trouble(err)
	}
	if f.known.Journal != journal {
		return held, false, fmt.Errorf("%w: %s holds the lines of another journal, %s; give another path, or move it and %s away",
			forward.ErrStop, f.path, f.known.Journal, f.positionPath())
	}
	at, err := read.ParseCursor(f.known.To)
	if err != nil {
		return held, false, fmt.Errorf("%w: read %s: %w", forward.ErrStop, f.positionPath(), err)
	}
	return forward.Held{At: at, Number: f.known.Number, Last: f.known.Last}, f.known.Last != "", nil
}

// Send implements forward.Output.
func (f *file) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	err := f.do(ctx, func() error {
		if err := f.open(); err != nil {
			return err
		}
		return f.append(b)
	})
	if err != nil {
		return forward.Receipt{}, f.trouble(err)
	}
	return forward.Receipt{Acked: b.Len()}, nil
}

// append writes the lines behind what is known, forces them to the disk, and then says so in the position. After a power cut
// the position may be an older one than the file is: the lines behind it are then sent again, and overwritten.
func (f *file) append(b *forward.Batch) error {
	to, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|durable.NoFollow, 0o640)
	if err != nil {
		return err
	}
	info, err := to.Stat()
	if err != nil {
		return errors.Join(err, to.Close())
	}
	size := min(f.known.Size, info.Size())
	if info.Size() > size {
		err = to.Truncate(size)
	}
	if err == nil {
		_, err = to.WriteAt(b.Text(), size)
	}
	if err == nil {
		err = durable.SyncData(to)
	}
	if err == nil && info.Size() == 0 { // It may be new, and a power cut must not take its name.
		err = durable.SyncDirectory(filepath.Dir(f.path))
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return f.note(filePosition{
		Journal: b.Journal, To: b.To.String(), Number: b.Number + int64(b.Len()),
		Last: journal.LineHash(b.Line(b.Len() - 1)), Size: size + int64(b.Size()),
	})
}

// syncPosition is how long a position may be not forced to the disk: longer than that, the lines that a power cut takes back
// might have been removed from the journal.
const syncPosition = time.Second

func (f *file) note(p filePosition) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = f.position.Write(text)
	}
	if err != nil {
		return err
	}
	f.known = p
	if now := time.Now(); now.Sub(f.synced) >= syncPosition {
		f.synced = now
		return f.position.Sync()
	}
	return nil
}

// trouble is an error of the disk, after which the files are opened anew.
func (f *file) trouble(err error) error {
	return &forward.TroubleError{Class: forward.Server, Err: errors.Join(fmt.Errorf("append to %s: %w", f.path, err), f.Close())}
}

// Check implements forward.Checker. It makes a file where the output would, or in the nearest directory above that is there,
// and removes it.
func (f *file) Check(ctx context.Context) error { return f.do(ctx, f.try) }

func (f *file) try() error {
	dir := filepath.Dir(f.path)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dir = filepath.Dir(dir)
	}
	try, err := os.CreateTemp(dir, ".hbjournal-try-*")
	if err != nil {
		return f.trouble(err)
	}
	return errors.Join(try.Close(), os.Remove(try.Name()))
}

// Close implements forward.Output. While the disk hangs there is nothing to close: the position tells the next process all.
func (f *file) Close() error {
	if f.isBusy() || f.position == nil {
		return nil
	}
	err := errors.Join(f.position.Sync(), f.position.Close())
	f.position = nil
	return err
}
