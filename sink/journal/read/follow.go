package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// ErrMissed is the fault that a Follower gives when files were rotated and removed before it could open them.
var ErrMissed = errors.New("files were removed before they were read: entries may be missing")

// ErrTruncated is the fault that a Follower gives when its file was cut by someone else. It reads on from where it was cut:
// from the start, if the first line is another one.
var ErrTruncated = errors.New("the file was truncated by another program: reading on from where it was cut")

// A Follower is a Source that reads a journal from a position to its end, and then waits for what is added to it, until
// its context ends. It gives each line once while files are rotated, compressed, pruned, renamed, recreated or cut.
//
// Two rules make that sure. The files after the current one are opened as soon as they appear and are held open, so that
// nothing that happens to their names matters. And the current file is left only after a later one was seen to hold
// something and the current one was then read to its end: the writer has left it by then.
type Follower struct {
	chain     chain
	files     []*file // the current one and those held open after it
	lines     lines   // of files[0]
	refreshed time.Time
	rested    time.Time       // the directory is left alone until then
	leave     bool            // a later file holds something: the current one is left at its end
	missed    bool            // to be said with the next block
	faults    []*CorruptError // of files before the first that can be read, to be said with the next blocks
	cut       bool            // the current file ended before the position, to be said with the next block
	polled    bool            // Read gives errIdle where it would wait
	held      int             // files that may be held open after the current one
	every     time.Duration   // how often it looks for something new
	durable   bool            // a file is forced to the disk before it is left
	synced    int64           // bytes of the current file that were forced to the disk
	before    Cursor          // the end of the file before the current one
}

const (
	pollEvery = 25 * time.Millisecond
	restFor   = 10 // the directory is left alone for this many times what listing it took, since it may hold very many files
	maxHeld   = 64 // files that are held open; those after them still have to stay until their turn comes
)

// Follow starts at a position; the zero Cursor is the oldest entry that there is. Since in opt leaves out what is older
// as Open does. The journal must be there. If the position is not there any more, Follow starts at the one after it.
func Follow(opt Options, at Cursor) (*Follower, error) {
	f := &Follower{chain: *newChain(opt), held: maxHeld, every: opt.every()}
	f.chain.follow = true
	since := boundsOf(opt).since
	if at != (Cursor{}) || since == 0 {
		return f, f.resume(at)
	}
	if err := f.chain.seek(since); err != nil {
		return nil, err
	}
	first, err := f.first()
	if err != nil {
		return nil, err
	}
	offset := int64(0)
	if at, _ := first.random(); at != nil {
		offset, err = first.seekTime(since)
	}
	f.files = []*file{first}
	return f, errors.Join(err, f.goTo(offset))
}

// resume goes to the file that at points into, and to its offset there.
func (f *Follower) resume(at Cursor) error {
	const tries = 10
	for range tries {
		found, err := f.chain.find(at)
		if err != nil {
			return err
		}
		f.faults = nil
		first, err := f.first()
		if err != nil {
			return err
		}
		f.files = []*file{first}
		if !found {
			f.missed = at.First != 0
			return f.goTo(0)
		}
		if first.fingerprint.hash == at.First {
			return f.goTo(at.Offset)
		}
		f.chain.forget()
		_ = first.close() // It was moved meanwhile, and only read for its first line.
	}
	return fmt.Errorf("open journal in %s: its files keep changing", f.chain.dir)
}

// first goes to the first file that can be read. Those before it are told of with the next blocks.
func (f *Follower) first() (*file, error) {
	for {
		first, err := f.chain.next()
		var fault *CorruptError
		if !errors.As(err, &fault) {
			return first, err
		}
		f.faults = append(f.faults, fault)
	}
}

// goTo goes on at an offset of the current file.
func (f *Follower) goTo(offset int64) error {
	cur := f.files[0]
	f.synced = 0
	if err := cur.begin(); err != nil {
		return err
	}
	f.lines.start(cur.text, false)
	if offset == 0 {
		return nil
	}
	f.lines.offset, f.lines.number = offset, 0
	if at, size := cur.random(); cur.plain || at != nil && offset <= size {
		err := cur.goTo(offset)
		f.lines.text = cur.text
		return err
	}
	skipped, err := io.CopyN(io.Discard, cur.text, offset)
	if err == io.EOF {
		f.lines.offset, f.cut, err = skipped, true, nil
	}
	return err
}

// Read implements Source. It waits until there is something to read, and returns the error of ctx when that ends.
func (f *Follower) Read(ctx context.Context, b *Block) error {
	for ctx.Err() == nil {
		b.reset()
		if len(f.faults) > 0 {
			b.Fault, f.faults = f.faults[0], f.faults[1:]
			b.Path = b.Fault.Path
			return nil
		}
		if time.Since(f.refreshed) >= f.every {
			if err := f.refresh(b); err != nil || b.Fault != nil {
				return err
			}
		}
		b.Path = f.files[0].Path
		err := f.lines.next(b)
		if err == nil {
			f.files[0].identifyBy(b)
			b.start = f.files[0].at(b.Offset)
		} else if err == io.EOF {
			err = f.end(ctx, b)
		} else if err != nil {
			f.fault(b, err)
			err = nil
		}
		if err != nil || len(b.Data) > 0 || b.Fault != nil {
			return err
		}
	}
	return ctx.Err()
}

// Poll is Read that does not wait: io.EOF says that there is nothing more yet.
func (f *Follower) Poll(ctx context.Context, b *Block) error {
	f.polled = true
	defer func() { f.polled = false }()
	err := f.Read(ctx, b)
	if errors.Is(err, errIdle) {
		return io.EOF
	}
	return err
}

// end goes on at the end of the current file: to the next file, or to sleep.
func (f *Follower) end(ctx context.Context, b *Block) error {
	if f.leave {
		f.lines.takeRest(b)
		b.start = f.files[0].at(b.Offset)
		return f.advance()
	}
	if err := f.refresh(b); err != nil || b.Fault != nil {
		return err
	}
	var err error
	if f.leave, err = f.laterHolds(); !f.leave && err == nil {
		if f.polled {
			return errIdle
		}
		_ = wait(ctx, f.every) // Read returns the error of ctx.
	}
	return err
}

// laterHolds reports whether a file after the current one holds something.
func (f *Follower) laterHolds() (bool, error) {
	for _, later := range f.files[1:] {
		info, err := later.raw.Stat()
		if err != nil || info.Size() > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// position is that behind what was read.
func (f *Follower) position() Cursor {
	at := f.files[0].at(f.lines.offset)
	if f.files[0].placeless() && f.before != (Cursor{}) {
		return f.before
	}
	return at
}

// advance leaves the current file for the next one.
func (f *Follower) advance() error {
	f.before = f.position()
	var errSync error
	if f.durable {
		errSync = f.Sync()
	}
	err := f.files[0].close()
	f.files, f.leave = f.files[1:], false
	return errors.Join(errSync, err, f.goTo(0))
}

// fault reports what is wrong at the current position. A file that cannot be read further counts as read to its end.
func (f *Follower) fault(b *Block, err error) {
	b.Fault = &CorruptError{Path: b.Path, Line: f.lines.number, Offset: f.lines.offset, Err: err}
	if !errors.Is(err, errTooLong) {
		f.lines.text, f.lines.rest = bytes.NewReader(nil), nil
	}
}

// refresh opens the files that have come after those known, and sees whether the current one was cut.
func (f *Follower) refresh(b *Block) error {
	f.refreshed = time.Now()
	if err := f.checkCut(b); err != nil || b.Fault != nil {
		return err
	}
	if f.refreshed.After(f.rested) {
		if err := f.openLater(b); err != nil || b.Fault != nil {
			return err
		}
	}
	if f.missed {
		f.missed = false
		b.Fault = &CorruptError{Path: filepath.Join(f.chain.dir, f.chain.base), Err: ErrMissed}
	}
	return nil
}

// openLater opens the files that have come after those known, as many as may be held open.
func (f *Follower) openLater(b *Block) error {
	began, made := time.Now(), f.chain.made
	for len(f.files) <= f.held && !f.chain.current() {
		next, err := f.chain.next()
		if errors.As(err, &b.Fault) {
			return nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		f.files = append(f.files, next)
		f.missed = f.missed || f.chain.lost
	}
	if now := time.Now(); f.chain.made > made {
		f.rested = now.Add(restFor * now.Sub(began))
	}
	return nil
}

// checkCut goes back in the current file if it was cut: it ends before the position, or has another first line.
func (f *Follower) checkCut(b *Block) error {
	cur := f.files[0]
	if f.cut {
		f.cut = false
		b.Fault = &CorruptError{Path: cur.Path, Offset: f.lines.offset, Err: ErrTruncated}
		return nil
	}
	if !cur.plain {
		return nil
	}
	info, err := cur.raw.Stat()
	if err != nil {
		return err
	}
	first := readFingerprint(io.NewSectionReader(cur.raw, 0, maxFirstLine), !cur.Live())
	position := f.lines.offset + int64(len(f.lines.rest))
	same := cur.fingerprint.hash == 0 || first == cur.fingerprint
	if first != cur.fingerprint {
		f.chain.settle(cur, true) // A copy that was made of it before it was cut is no news,
		cur.fingerprint = first
		f.chain.settle(cur, true) // nor is one that is made now.
	}
	if same && info.Size() >= position {
		return nil
	}
	b.Fault = &CorruptError{Path: cur.Path, Offset: position, Err: ErrTruncated}
	if same {
		return f.goTo(min(f.lines.offset, info.Size()))
	}
	return f.goTo(0)
}

// Close implements Source.
func (f *Follower) Close() error {
	var err error
	for _, held := range f.files {
		err = errors.Join(err, held.close())
	}
	f.files = nil
	return err
}
