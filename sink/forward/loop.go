package forward

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime/debug"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// A Loop ships to one output. Run does the work, on one goroutine; Figures may be asked for by others.
type Loop struct {
	opt     Options
	out     Output
	state   *state
	letters letters
	cutter  *cutter
	batch   *Batch
	record  Record // as it will be written next: of what is dealt with in memory
	dirty   bool   // record is not written yet
	fresh   bool   // nothing was sent yet, ever
	pending []pendingLetter
	failing bool // the last lines were all refused for one reason
	board   board
	pace    time.Time // before it nothing more is sent, for Rate
	heard   time.Time // when archivers were listened to last
	deaf    time.Time // when the log was told last that they cannot be heard
}

// Open takes the state of an output and makes its loop, which owns the output from then on. An error may wrap ErrInUse or ErrState.
func Open(opt Options, out Output) (*Loop, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	l := &Loop{opt: opt, out: out, letters: letters{opt.StateDir, opt.DeadMax}, batch: NewBatch(opt.JournalID, 0, read.Cursor{})}
	l.board.init(opt)
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("output %s: %w", opt.Address, errors.Join(err, out.Close()))
	}
	return l, nil
}

func (l *Loop) open() error {
	s, err := openState(l.opt)
	if err != nil {
		return err
	}
	l.state, l.record = s, s.record
	if err := l.begin(s.slots != nil); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// begin finds out where to start.
func (l *Loop) begin(begun bool) error {
	if begun && l.record.Journal != l.opt.JournalID {
		return fmt.Errorf("%w: it is of the journal %s, and this one is %s: a copied directory? 'hbjournal forward --forget %s' begins anew",
			ErrState, l.record.Journal, l.opt.JournalID, l.opt.Name)
	}
	if !begun {
		at, err := l.opt.Start.position(l.opt.Journal)
		if err != nil {
			return err
		}
		l.record.Journal, l.record.Cursor, l.dirty = l.opt.JournalID, position{at}, true
	}
	if _, held := l.hears(); held != l.record.Fleet.Held {
		l.record.Fleet.Held, l.dirty = held, true
	}
	l.fresh = l.record.Number == 0 // Also of a process that ended before the receiver took anything.
	if l.record.Address != l.opt.Address {
		l.record.Address, l.dirty = l.opt.Address, true
	}
	if err := l.writeAll(); err != nil {
		return err
	}
	l.board.totals(l.record)
	// What is behind that was put aside by a process that did not come to write it down.
	_, err := l.letters.put(nil, l.record.Dead)
	return err
}

// Close gives the state free. It is called if Run is not; Run does it itself.
func (l *Loop) Close() error {
	var err error
	if l.cutter != nil {
		err = l.cutter.close()
	}
	return errors.Join(err, l.out.Close(), l.state.close())
}

// errElsewhere says that the position has changed: what was read ahead is of no use.
var errElsewhere = errors.New("the position has changed")

// Run ships until ctx ends, and then returns nil within a few seconds. Another end is an error that wraps ErrStop, or with
// Options.Once nil when all was sent.
func (l *Loop) Run(ctx context.Context) error {
	err := l.contained(ctx)
	if errors.Is(err, ErrStop) || errors.Is(err, errGivenUp) {
		l.board.stopped(err)
		l.tell()
	}
	if errors.Is(err, errBroken) {
		return fmt.Errorf("output %s: %w", l.opt.Address, errors.Join(err, l.Close())) // Nothing that is in memory counts.
	}
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		err = nil
	}
	// What was dealt with while ctx ended.
	if errSettle := l.writeAll(); err == nil {
		err = errSettle
	}
	if err = errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("output %s: %w", l.opt.Address, err)
	}
	return nil
}

// errBroken says that there is a fault in this program.
var errBroken = errors.New("it broke, which is a fault of hbjournal; please report it")

// contained is run whose panics end this output only: receivers answer what they like, and the journal is to be written whatever
// that makes of an output.
func (l *Loop) contained(ctx context.Context) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %w: %v\n%s", ErrStop, errBroken, fault, debug.Stack())
		}
	}()
	return l.run(ctx)
}

func (l *Loop) run(ctx context.Context) error {
	l.tell()
	for ctx.Err() == nil {
		err := l.ship(ctx)
		if err == nil {
			continue
		}
		if !errors.Is(err, errElsewhere) {
			if isEnd(err) || ctx.Err() != nil {
				return err
			}
			if err := l.trouble(ctx, &TroubleError{Class: Local, Err: err}); err != nil {
				return err
			}
		}
		l.leave()
	}
	return ctx.Err()
}

// isEnd reports whether err ends Run: the configuration is wrong, nobody wants to wait any longer, or all was sent.
func isEnd(err error) bool {
	return errors.Is(err, ErrStop) || errors.Is(err, errGivenUp) || errors.Is(err, io.EOF)
}

// leave lets go of what is being read. That a file, which was only read, does not close well is no reason to end.
func (l *Loop) leave() {
	if l.cutter != nil {
		_ = l.cutter.close()
		l.cutter = nil
	}
}

// ship cuts the next batch, waiting for it if need be, and sends it.
func (l *Loop) ship(ctx context.Context) error {
	if l.cutter == nil {
		if err := l.goOn(ctx); err != nil {
			return err
		}
	}
	if err := l.hear(ctx); err != nil {
		return err
	}
	until := l.record.Intent
	l.batch.reset(l.record.Number, l.cutter.at)
	err := l.cutter.fill(ctx, l.batch, until)
	if errors.Is(err, io.EOF) {
		return l.idle(ctx)
	}
	if err != nil {
		return err
	}
	if err := l.cutter.follower.Sync(); err != nil {
		return err
	}
	l.skip()
	if err := l.intend(ctx, until); err != nil {
		return err
	}
	return l.deliver(ctx)
}

// goOn asks the receiver where it stands, if it knows, and opens the journal there.
func (l *Loop) goOn(ctx context.Context) error {
	if err := l.ask(ctx); err != nil && !errors.Is(err, errElsewhere) {
		return err
	}
	c, err := newCutter(l.opt, l.record.Cursor.Cursor, l.fault)
	if err != nil {
		return err
	}
	c.follower.KeepDurable()
	l.cutter = c
	return nil
}

// idle is called when there is nothing to send. It makes what is known durable, and waits for more.
func (l *Loop) idle(ctx context.Context) error {
	if l.record.Intent != nil {
		l.record.Intent, l.dirty = nil, true
	}
	var soon time.Duration
	if l.moved() {
		if soon = moveEvery - l.opt.Now().Sub(l.record.Time); l.opt.Once || soon <= 0 || soon > moveEvery {
			l.record.Cursor, l.dirty, soon = position{l.cutter.at}, true, 0
		}
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	l.board.idle()
	l.look()
	if !l.failing {
		l.works() // Whatever the trouble was, it is over: all is sent.
	}
	if l.opt.Once {
		l.heard = time.Time{} // Once more, with what was sent meanwhile.
		if err := l.hear(ctx); err != nil {
			return err
		}
		return io.EOF
	}
	if _, hears := l.hears(); hears && (soon == 0 || soon > hearEvery) {
		soon = hearEvery
	}
	if soon == 0 {
		return l.cutter.wait(ctx)
	}
	within, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	if err := l.cutter.wait(within); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	return nil
}

// moveEvery is how often it is written down, at a disk's cost, how far a filter has left out everything.
const moveEvery = time.Second

// moved reports whether lines were passed over that a filter left out.
func (l *Loop) moved() bool {
	at, known := l.cutter.at, l.record.Cursor
	return at.First != known.First || at.Offset != known.Offset
}

// settle makes durable what was dealt with: first dead.jsonl, then the record. It does not give up as long as ctx lasts, since
// what is not written down would be sent again.
func (l *Loop) settle(ctx context.Context) error {
	for {
		err := l.writeAll()
		if err == nil {
			return nil
		}
		if err := l.trouble(ctx, &TroubleError{Class: Local, Err: err}); err != nil {
			return err
		}
	}
}

func (l *Loop) writeAll() error {
	if err := l.putAside(); err != nil || !l.dirty {
		return err
	}
	l.narrow()
	l.record.Time = l.opt.Now().UTC()
	if err := l.state.write(l.record); err != nil {
		return err
	}
	l.dirty = false
	l.board.totals(l.record)
	return nil
}

// narrow makes the intent that of the lines that are left of the batch.
func (l *Loop) narrow() {
	done := int(l.record.Number - l.batch.Number)
	if l.record.Intent == nil || done <= 0 || done >= l.batch.Len() || l.record.Intent.Lines == l.batch.Len()-done {
		return
	}
	l.record.Intent = intentOf(l.batch.Slice(done, l.batch.Len()))
}

func intentOf(b *Batch) *Intent {
	return &Intent{To: position{b.To}, Lines: b.Len(), Sum: crc32.Checksum(b.Text(), castagnoli)}
}

// intend notes what will be sent, together with how far all before it has come. A batch that was noted already is not noted again.
func (l *Loop) intend(ctx context.Context, noted *Intent) error {
	b := l.batch
	intent := intentOf(b)
	if noted != nil {
		if intent.To.Offset == noted.To.Offset && intent.To.First == noted.To.First && intent.Sum == noted.Sum {
			return nil
		}
		l.opt.Log.Warn().Str("output", l.opt.Name).Stringer("cursor", b.From).
			Msg("forward: the batch that was in flight at the last end is not to be had again as it was: some of its lines may be sent twice")
	}
	l.record.Intent, l.dirty = intent, true
	return l.settle(ctx)
}

// fault is told of what the follower could not read.
func (l *Loop) fault(f *read.CorruptError) {
	if !errors.Is(f, read.ErrTruncated) {
		l.record.Figures.Missed++
		l.dirty = true
	}
	l.opt.Log.Warn().Str("output", l.opt.Name).Err(f).Msg("forward: part of the journal could not be read, and is not sent")
}

// position is where an output begins.
func (s Start) position(from read.Options) (read.Cursor, error) {
	switch {
	case s.Now:
		return newest(from)
	case s.Cursor != read.Cursor{}:
		return s.Cursor, nil
	case !s.Since.IsZero():
		return since(from, s.Since)
	}
	return read.Cursor{}, nil
}

// since is the position before the first line that was received then or later; without one, that behind all lines.
func since(from read.Options, t time.Time) (read.Cursor, error) {
	from.Since = t
	f, err := read.Follow(from, read.Cursor{})
	if err != nil {
		return read.Cursor{}, err
	}
	defer f.Close()
	for {
		var b read.Block
		err := f.Poll(context.Background(), &b)
		if errors.Is(err, io.EOF) {
			return f.Position(), nil
		}
		if err != nil {
			return read.Cursor{}, err
		}
		for pos := 0; pos < len(b.Data); {
			line, next := lineAt(b.Data, pos)
			if millis, timed := journal.LineTime(line); timed && millis >= t.UnixMilli() {
				return b.At(pos), nil
			}
			pos = next
		}
	}
}

// newest is the position behind the last entry.
func newest(from read.Options) (at read.Cursor, err error) {
	back := read.OpenBack(from)
	defer back.Close()
	var b read.Block
	for err == nil && len(b.Data) == 0 {
		err = back.Read(context.Background(), &b)
	}
	if errors.Is(err, io.EOF) {
		return at, nil
	}
	return b.End(), err
}
