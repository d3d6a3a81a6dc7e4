package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// A tail is what stands in a journal behind its position: lines that were written before the position could be, when the
// archiver was killed. They come again, and are compared.
type tail struct {
	opt      read.Options
	follower *read.Follower
	block    read.Block
	pos      int // in block.Data, of the next line
	at       read.Cursor
}

// openTail returns nil if there is nothing behind the position.
func openTail(opt read.Options, own read.Cursor) (*tail, error) {
	follower, err := read.Follow(opt, own)
	if err != nil {
		return nil, unreadable(opt, err)
	}
	t := &tail{opt: opt, follower: follower, at: own}
	if _, ok, err := t.next(context.Background()); err != nil || !ok {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// next returns the next line with its newline, and false if there is none.
func (t *tail) next(ctx context.Context) (line []byte, ok bool, err error) {
	for t.pos == len(t.block.Data) {
		err := t.follower.Poll(ctx, &t.block)
		if errors.Is(err, io.EOF) {
			return nil, false, nil
		}
		if err == nil && t.block.Fault != nil {
			err = t.block.Fault
		}
		if err != nil {
			return nil, false, unreadable(t.opt, err)
		}
		t.pos = 0
		if len(t.block.Data) > 0 {
			t.at = t.block.At(0)
		}
	}
	rest := t.block.Data[t.pos:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i+1]
	}
	return rest, true, nil
}

// unreadable is what an error of reading comes to. If the system is not the cause, but a file that was pruned before it was compared, or
// is damaged or encrypted, it wraps errNoPlace: what stands behind the place is never known, and another place has to be found. It is
// nil if no line can be read behind that file: then there is nothing to compare, and the place is as good as any.
func unreadable(opt read.Options, err error) error {
	err = fmt.Errorf("read what stands behind the position: %w", err)
	var system syscall.Errno
	if errors.As(err, &system) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	newest, errLook := recentLines(opt)
	switch {
	case errLook != nil:
		return errors.Join(err, errLook)
	case newest.none:
		return nil
	}
	return fmt.Errorf("%w: %w", errNoPlace, err)
}

// pass goes behind the line that next gave.
func (t *tail) pass(line []byte) {
	t.pos += len(line)
	t.at.Offset += int64(len(line))
	if t.pos < len(t.block.Data) {
		t.at = t.block.At(t.pos)
	} else {
		t.at = t.block.End()
	}
}

func (t *tail) close() error { return t.follower.Close() }

// errDiffers says that a journal holds other lines than those that come.
var errDiffers = errors.New("it holds other lines than the receiver sent")

// moveAside cuts off the rest of the tail, from the line that next gave, and keeps it in a file of the state directory. The journal must not be open.
func (t *tail) moveAside(stateDir string, now time.Time) (kept string, err error) {
	live := filepath.Join(t.opt.Dir, t.opt.Base)
	if t.block.Path != live {
		return "", fmt.Errorf("%w, and these go on over more than one file, from %s on: move the directory away to have it written anew",
			errDiffers, filepath.Base(t.block.Path))
	}
	file, err := os.OpenFile(live, os.O_RDWR|durable.NoFollow, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	start := t.block.Offset + int64(t.pos)
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return "", err
	}
	aside, err := os.CreateTemp(filepath.Join(stateDir, "archive"), "aside-"+now.UTC().Format(names.StampLayout)+"-*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(aside, file)
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return "", errors.Join(err, os.Remove(aside.Name()))
	}
	if err := durable.SyncDirectory(filepath.Join(stateDir, "archive")); err != nil {
		return "", err
	}
	return aside.Name(), errors.Join(file.Truncate(start), file.Sync())
}
