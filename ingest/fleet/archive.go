package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/forward/stream"
)

// An Archiver writes the journals of a fleet's receivers.
type Archiver struct {
	opts      Options
	lock      *os.File
	receivers map[string]*receiver
	reading   *reading
	turn      uint64 // of the items that count
	unpack    stream.Unpacker
	talk      *talk // nil: there is nobody to talk with
	aside     *aside
	log       saying

	position  Position    // dealt with, as far as it waits in the receivers' buffers too
	saved     Position    // on the disk
	recalled  []*receiver // whose newest lines are known, as their places are lost
	buffered  int64
	dirty     map[*receiver]struct{}
	lastRound time.Time
	lastTick  time.Time
	full      bool // the disk is: nothing is read

	figures  figures
	controls chan control
	ended    chan struct{} // closed when the work is
}

// Open opens the archive in o.Dir, which is made if it is missing. Its error wraps durable.ErrInUse if another process writes it.
func Open(o Options) (*Archiver, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := durable.MakeDirectory(o.stateDir(), o.DirMode); err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	lock, err := durable.Lock(filepath.Join(o.stateDir(), "lock"))
	if err != nil {
		return nil, fmt.Errorf("open archive in %s: %w", o.Dir, err)
	}
	a := &Archiver{
		opts: o, lock: lock, receivers: make(map[string]*receiver), dirty: make(map[*receiver]struct{}),
		log:   saying{log: o.Log, now: o.Now},
		aside: &aside{path: filepath.Join(o.stateDir(), "aside.jsonl"), limit: o.AsideBytes},
	}
	a.controls, a.ended = make(chan control), make(chan struct{})
	a.figures.init(o.Now)
	a.position = a.loadPosition()
	if err := a.loadReceivers(); err != nil {
		return nil, errors.Join(fmt.Errorf("open archive in %s: %w", o.Dir, err), lock.Close())
	}
	a.saved = a.position.clone()
	a.reading = newReading(o.Engine, a.position)
	if o.Bucket != nil {
		a.talk = newTalk(o)
	}
	return a, nil
}

// loadReceivers finds the receivers that the archive holds already.
func (a *Archiver) loadReceivers() error {
	entries, err := os.ReadDir(a.opts.Dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if stream.CheckName(entry.Name()) != nil {
			continue
		}
		r := newReceiver(entry.Name(), &a.opts)
		if _, err := os.Stat(r.placeFile().path); err != nil {
			continue // It is known once it sends.
		}
		a.receivers[r.name] = r
		if err := r.load(); err != nil {
			r.log.warn("place", err, "the position of this receiver's journal cannot be read")
		}
	}
	return nil
}

func (a *Archiver) positionFile() string { return filepath.Join(a.opts.stateDir(), "position") }

// loadPosition reads how far the engine's messages are dealt with. One that is lost costs a second look at all that the
// engine holds: the receivers' own places tell what is there.
func (a *Archiver) loadPosition() (p Position) {
	text, err := durable.ReadSlots(a.positionFile())
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		a.opts.Log.Warn().Err(err).Msg("the archive's position cannot be read; looking at all messages again")
	}
	if err != nil {
		return Position{}.clone()
	}
	return p.clone()
}

// savePosition makes the position durable, unless it is.
func (a *Archiver) savePosition() error {
	p := a.dealtWith()
	if p.equal(a.saved) {
		return nil
	}
	text, err := json.Marshal(p)
	if err == nil {
		err = replaceSlots(a.positionFile(), text)
	}
	if err != nil {
		return fmt.Errorf("write the archive's position: %w", err)
	}
	a.saved = p
	return nil
}

// Run archives until ctx ends; what was read by then is on the disk when it returns nil.
func (a *Archiver) Run(ctx context.Context) error {
	helpers, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { a.reading.run(helpers) })
	if a.talk != nil {
		wg.Go(func() { a.talk.run(helpers) })
	}
	a.work(ctx)
	close(a.ended)
	cancel()
	for range a.reading.items { // It ends when it sees that nobody takes them.
	}
	wg.Wait()
	err := a.round(context.WithoutCancel(ctx))
	if a.talk != nil {
		a.talk.last(context.WithoutCancel(ctx))
	}
	return errors.Join(err, a.Close())
}

// Close frees what the archive holds.
func (a *Archiver) Close() error {
	var errs []error
	for _, r := range a.receivers {
		errs = append(errs, r.close())
	}
	a.unpack.Close()
	errs = append(errs, a.opts.Engine.Close())
	if a.opts.Bucket != nil {
		errs = append(errs, a.opts.Bucket.Close())
	}
	return errors.Join(append(errs, a.lock.Close())...)
}

// tickEvery is how often what waits for a time is looked after.
const tickEvery = 100 * time.Millisecond

// work takes what is read until ctx ends.
func (a *Archiver) work(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		items := a.reading.items
		if a.full {
			items = nil
		}
		select {
		case <-ctx.Done():
			return
		case i, ok := <-items:
			if !ok {
				return
			}
			if i.turn == a.turn {
				a.take(i)
			}
		case c := <-a.controls:
			a.obey(c)
		case <-tick.C:
			a.tick()
		}
		a.figures.moves()
		if a.isDue() {
			if err := a.round(ctx); err != nil && ctx.Err() == nil {
				a.log.warn("round", err, "what was received cannot be made durable; trying again")
			}
		}
	}
}

// isDue reports whether what waits is to be written.
func (a *Archiver) isDue() bool {
	since := a.opts.Now().Sub(a.lastRound)
	if a.full {
		return since >= fullPause || since < 0
	}
	return a.buffered >= a.opts.BufferBytes/4 || len(a.dirty) > 0 && (since >= a.opts.Round || since < 0)
}

// fullPause is how long a full disk is left alone.
const fullPause = time.Second
