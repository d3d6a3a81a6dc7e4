package life

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"hbjournal/sink/forward/durable"
)

// Every is how often a sign of life is given.
const Every = time.Second

const (
	// asleep is for how long no sign of life could be given if the process did not run, or hardly.
	asleep = 5 * time.Second

	// handover is how long a restart may take at which the sockets were handed over for the life to go on.
	handover = 5 * time.Second

	// setBack is by how much the clock may go back without having been set.
	setBack = time.Second
)

// Options say whose life is kept.
type Options struct {
	StateDir   string // of the journal; it must be there
	HandedOver bool   // the sockets were open before this process, and held what came

	// Writes reports whether what is received reaches the file; nil: always. While it does not, no sign of life is given:
	// a reader sees less than there was.
	Writes func() bool

	Now func() time.Time // nil: time.Now
}

// Keeper keeps the life of one daemon, which has to hold the lock of the journal.
type Keeper struct {
	opt    Options
	path   string
	file   *os.File
	past   []Span
	now    Span
	offset int64     // of the line of now
	ticked time.Time // when it was last seen to run
	failed error     // of the last write
	buf    []byte
}

// Begin begins a life.
func Begin(opt Options) (*Keeper, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Writes == nil {
		opt.Writes = func() bool { return true }
	}
	wall := opt.Now
	opt.Now = func() time.Time { return wall().Round(0) } // Without the clock that stands still while the machine sleeps.
	k := &Keeper{opt: opt, path: Path(opt.StateDir)}
	k.past, _ = Read(opt.StateDir) // What cannot be read is not known, and is written anew.
	now := opt.Now()
	k.now, k.ticked = Span{From: now, To: now}, now
	if n := len(k.past); opt.HandedOver && n > 0 && k.past[n-1].Ended {
		if pause := now.Sub(k.past[n-1].To); pause >= 0 && pause <= handover {
			k.now.From, k.past = k.past[n-1].From, k.past[:n-1]
		}
	}
	return k, k.replace()
}

// Serve gives a sign of life a second until ctx is done, and one that it ends. Its error is that of the last one, if that
// could not be given.
func (k *Keeper) Serve(ctx context.Context) error {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.tick()
		case <-ctx.Done():
			k.now.Ended = true
			k.tick()
			return errors.Join(k.failed, k.Close())
		}
	}
}

// Close ends the keeping, without a sign.
func (k *Keeper) Close() error {
	if k.file == nil {
		return nil
	}
	err := k.file.Close()
	k.file = nil
	return err
}

// tick gives a sign of life, if it may.
func (k *Keeper) tick() {
	now := k.opt.Now()
	pause := now.Sub(k.ticked)
	k.ticked = now
	if pause > asleep || pause < -setBack {
		k.past = append(k.past, Span{From: k.now.From, To: k.now.To})
		k.now.From, k.now.To = now, now
		k.failed = k.replace()
		return
	}
	if !k.opt.Writes() {
		return
	}
	if now.After(k.now.To) {
		k.now.To = now
	}
	k.failed = k.write()
}

// write moves the end of the last line.
func (k *Keeper) write() error {
	if k.file == nil {
		return k.replace()
	}
	k.buf = appendLine(k.buf[:0], k.now)
	if _, err := k.file.WriteAt(k.buf, k.offset); err != nil {
		// What is mounted there later may be another file system: the next sign opens the file anew.
		return errors.Join(fmt.Errorf("give a sign of life: %w", err), k.Close())
	}
	return nil
}

// replace writes the file anew.
func (k *Keeper) replace() error {
	k.past = k.past[max(0, len(k.past)-mostSpans+1):]
	k.buf = k.buf[:0]
	for _, span := range k.past {
		k.buf = appendLine(k.buf, span)
	}
	k.offset = int64(len(k.buf))
	k.buf = appendLine(k.buf, k.now)
	file, err := durable.Replace(k.path, k.buf)
	if err != nil {
		return fmt.Errorf("keep when the daemon listens: %w", err)
	}
	err = k.Close()
	k.file = file
	return err
}
