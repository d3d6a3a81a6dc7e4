// Package sink is the write side of the journal. Callers hand it lines; one goroutine writes them to the file.
//
//	Append, LogMessage ─copy─> queue of chunks (bounded in bytes; full = counted, and noted as a gap)
//	                               │ writer goroutine: one write a chunk, retried for ever
//	                           rotate.File ── keeper goroutine: fsync, checks of the path
//	                                       ├─ tidier goroutine: what follows a rotation
//	                                       └─ packer goroutine: compresses and encrypts backups
//	watcher goroutine: tells what hangs, and what has been lost, when all the others wait for the disk
//
// Nobody who appends waits for the disk. Once in the queue, a line reaches the file in order and once, or Close says
// how many did not. After kill -9, what was queued is gone (it waits a few milliseconds at most while the disk takes
// writes); after a power cut, so is what was written since the last fsync.
//
// While the disk is full, a loss cannot be noted in the journal. So what was lost, and how much waits in memory, is kept in
// a reserve whose room was taken earlier, and after a Close or a kill -9 the next Open notes it.
package sink

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"sync"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/rotate"
)

// ErrFull is returned for lines that were dropped because the queue had no room for them.
var ErrFull = errors.New("journal buffer is full")

// ErrNotObject is wrapped by the errors of LogMessage about messages that are not one JSON object.
var ErrNotObject = errors.New("message is not a JSON object")

// Journal is an open journal. Its methods are safe for concurrent use.
type Journal struct {
	opts   Options
	file   *rotate.File
	queue  *queue
	health *health

	rotated  chan struct{} // wakes the tidier
	packable chan struct{} // wakes the packer
	closing  chan struct{} // closed by Close
	deadline chan struct{} // closed when Close has waited long enough
	losing   chan struct{} // wakes the watcher
	closed   sync.Once
	closeErr error
	writer   sync.WaitGroup
	helpers  sync.WaitGroup // keeper, tidier, packer and watcher
	lossLog  lossLog        // the watcher's own
	gaveUp   error          // why entries were given up in closing; the writer's own
	keeping  keeping        // of what is lost, for the next start

	// The rest is guarded by queue.mu, so that the figures add up whenever someone looks.
	losses    losses
	noting    *loss         // the note about it is being written; nil: none is
	drops     []socketDrops // of sockets that outlive the process
	encoder   *journal.Encoder
	scratch   []byte
	written   written
	lastWrite time.Time
}

// Open opens the journal that o describes, and starts writing what is appended to it. The caller must Close it.
func Open(o Options) (*Journal, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	j := &Journal{
		opts:     o,
		queue:    newQueue(o.BufferBytes),
		rotated:  make(chan struct{}, 1),
		packable: make(chan struct{}, 1),
		closing:  make(chan struct{}),
		deadline: make(chan struct{}),
		losing:   make(chan struct{}, 1),
		losses:   losses{total: map[string]uint64{"queue": 0, "shutdown": 0}},
		encoder:  journal.NewEncoder(o.Location),
		lossLog:  lossLog{log: o.Log},
		keeping:  keeping{synced: true},
	}
	j.health = newHealth(o.Now, o.Log, j.lost)
	j.file, err = rotate.Open(o.Files(j.wakeHelpers))
	if err != nil {
		return nil, err
	}
	if o.Sealer != nil {
		o.Sealer.Start(j.file.Lines(), j.file.SyncAll, j.Note)
	}
	j.recall()
	j.noteLosses()
	j.writer.Go(j.write)
	j.helpers.Go(j.keep)
	j.helpers.Go(j.tidy)
	j.helpers.Go(j.pack)
	j.helpers.Go(j.watch)
	j.wakeHelpers()
	return j, nil
}

// Append takes lines, which are whole and hold this many entries. It copies them and does not wait. If they do not fit
// it drops them all, counts them, and returns ErrFull; a note about the gap comes before the next lines that fit, or a
// second after the last note. Lines without an end are refused with rotate.ErrNotWhole.
func (j *Journal) Append(lines []byte, entries int) error {
	if len(lines) == 0 || lines[len(lines)-1] != '\n' {
		return fmt.Errorf("append to journal: %w", rotate.ErrNotWhole)
	}
	q := j.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fmt.Errorf("append to journal: %w", os.ErrClosed)
	}
	j.noteLossesLocked()
	if q.putLocked(lines, entries, false) {
		return nil
	}
	j.losses.add("queue", uint64(entries), j.opts.Now(), j.opts.Now())
	select {
	case j.losing <- struct{}{}:
	default:
	}
	return ErrFull
}

// LogMessage journals one message: a JSON object, which arrived from this address at this time. Bytes of it that are not
// UTF-8 become U+FFFD, and a message that looks like a note is wrapped. It does not wait for the disk. Its errors wrap
// ErrNotObject, ErrFull or os.ErrClosed.
func (j *Journal) LogMessage(msg []byte, from netip.AddrPort, at time.Time) error {
	compact, err := journal.Compact(nil, msg)
	if errors.Is(err, journal.ErrNotUTF8) {
		compact, err = journal.Compact(nil, journal.AppendRepaired(nil, msg))
	}
	if err != nil {
		return fmt.Errorf("log message: %w: %w", ErrNotObject, err)
	}
	if compact[0] != '{' {
		return fmt.Errorf("log message: %w: it starts with %q", ErrNotObject, compact[0])
	}
	if journal.IsReserved(compact) {
		compact = journal.AppendReserved(nil, compact)
	}
	line := journal.NewEncoder(j.opts.Location).AppendLine(nil, at, from, compact)
	return j.Append(line, 1)
}

// NoteLoss counts entries that were lost before they could be appended, between first and last, and notes it in the
// journal. The reason is a word of the caller's, such as "kernel".
func (j *Journal) NoteLoss(reason string, lost uint64, first, last time.Time) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.losses.add(reason, lost, first, last)
	j.noteLossesLocked()
}

// NoteDrops counts datagrams that the kernel dropped for lack of room in a socket's buffer, between first and last, and
// notes it in the journal. The socket has the name that WatchDrops was told, or "".
func (j *Journal) NoteDrops(socket string, lost uint64, first, last time.Time) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.countDropsLocked(socket, lost, last)
	if lost > 0 {
		j.losses.add("kernel", lost, first, last)
		j.noteLossesLocked()
	}
}

// Note journals a message of the journal's own, which must be a compact JSON object, as from Options.Source. It is not
// counted as an entry. It returns ErrFull, having done nothing, if there is no room.
func (j *Journal) Note(message []byte) error {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.scratch = j.encoder.AppendLine(j.scratch[:0], j.opts.Now(), j.opts.Source, message)
	if !j.queue.putLocked(j.scratch, 1, true) {
		return ErrFull
	}
	return nil
}

func (j *Journal) noteLosses() {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.noteLossesLocked()
}

// noteLossesLocked appends a note for each loss that is pending, as long as there is room and the last note is not
// too recent. queue.mu must be held.
func (j *Journal) noteLossesLocked() {
	if len(j.losses.pending) == 0 || !j.losses.due(j.opts.Now()) {
		return
	}
	for len(j.losses.pending) > 0 {
		gap := j.losses.pending[0]
		message := gap.appendMessage(nil)
		j.scratch = j.encoder.AppendLine(j.scratch[:0], j.opts.Now(), j.opts.Source, message)
		if !j.queue.putGapLocked(j.scratch, gap) {
			return
		}
		j.losses.noted(j.opts.Now())
	}
}

// Rotate makes the live file a backup now, as SIGUSR1 does.
func (j *Journal) Rotate() error { return j.file.Rotate("request") }

// Reopen closes the live file and opens its path anew, as SIGHUP does.
func (j *Journal) Reopen() error { return j.file.Reopen() }

// Degraded returns why entries do not reach the disk as they should; nil: they do.
func (j *Journal) Degraded() error { return j.health.err() }

// Close writes what was accepted, syncs it, and closes the journal. On a disk that refuses it keeps trying for
// CloseTimeout; then it returns an error that wraps an *UnwrittenError. Only the first call does anything.
//
// A disk that does not even answer keeps its callers in the kernel, and nothing can call them back: then Close returns
// such an error after CloseTimeout and a fifth of it, and they end with the process.
func (j *Journal) Close() error {
	j.closed.Do(func() { j.closeErr = j.close() })
	return j.closeErr
}

func (j *Journal) close() error {
	j.shut()
	abandon := time.AfterFunc(j.opts.CloseTimeout, func() { close(j.deadline) })
	defer abandon.Stop()
	hung := time.NewTimer(j.opts.CloseTimeout + j.opts.CloseTimeout/comingBack)
	defer hung.Stop()
	finished := make(chan error, 1)
	go func() { finished <- j.finish() }()
	select {
	case err := <-finished:
		return err
	case <-hung.C:
		why := j.Degraded()
		if why == nil {
			why = errNoAnswer
		}
		return fmt.Errorf("close journal: %w", &UnwrittenError{j.Stats().Queued, why})
	}
}

// comingBack is the part of CloseTimeout that Close waits longer, for a try that is under way to come back.
const comingBack = 5

var errNoAnswer = errors.New("no answer from the disk")

// UnwrittenError says that Close gave up writing entries that the journal had accepted.
type UnwrittenError struct {
	Entries uint64
	Err     error // why they could not be written
}

func (e *UnwrittenError) Error() string {
	return fmt.Sprintf("%d entries could not be written: %v", e.Entries, e.Err)
}
func (e *UnwrittenError) Unwrap() error { return e.Err }

// shut lets nothing more in, after the notes about what has been lost; for these there is always room.
func (j *Journal) shut() {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.losses.lastNote = time.Time{}
	j.queue.limit = math.MaxInt64
	j.noteLossesLocked()
	j.queue.closed = true
	close(j.closing)
}

// finish waits for the goroutines, and closes the file.
func (j *Journal) finish() error {
	j.writer.Wait()
	j.helpers.Wait()
	j.health.finish()
	j.lossLog.finish(j.opts.Now(), j.dropped())
	var lost error
	if n := j.Stats().Dropped["shutdown"]; n > 0 {
		lost = fmt.Errorf("close journal: %w", &UnwrittenError{n, j.gaveUp})
	}
	j.finishSeal()
	return errors.Join(lost, j.keepOwed(true), j.file.Close())
}
