package seal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// Options of a Sealer. Those without a default are required.
type Options struct {
	Dir, Base string // the journal
	State     string // its state directory, in which ours is
	Key       *Key

	Purpose Purpose
	// Decrypter is for backups that are encrypted, if the state is to be made anew from them; nil: they cannot be read.
	Decrypter read.Decrypter
	Every     time.Duration    // between two checkpoints at the least, but for those of rotations and the end; 0: 1 s
	Publish   *Publisher       // who is told of checkpoints outside of the journal; nil: nobody
	Now       func() time.Time // nil: time.Now
	Log       zerolog.Logger
}

// Purpose is what a Sealer is started for.
type Purpose int

// The purposes.
const (
	Seal    Purpose = iota // to seal what is written
	Begin                  // to begin a tree at the present end, whatever there is
	Rebuild                // to make all state anew; a journal that does not come to its checkpoint is left alone
)

// DirOf is the directory of the seal in the state directory of a journal.
func DirOf(stateDir string) string { return filepath.Join(stateDir, "seal") }

// A Sealer seals the journal that one process writes. It is told what was written, and does all else on a goroutine of
// its own: whatever goes wrong with it, the journal goes on.
type Sealer struct {
	opts    Options
	dir     dir
	path    string // of the live file
	wake    chan struct{}
	leaving chan struct{} // closed when Finish is called: what fails now is not tried again
	closing chan struct{} // closed when the worker is to end
	settled chan struct{} // closed once it is clear what becomes of the state that was found
	ready   chan struct{} // closed once the journal may be written: see Ready
	step    func(string)  // nil but in tests
	worker  sync.WaitGroup
	work    work

	mu      sync.Mutex
	sources []*source // what is not hashed yet, in order; the last one is the live file
	turned  bool      // a file was rotated since the last checkpoint
	cut     string    // how lines that are in the tree were taken away; "": they were not
	pruning []pruning // that could not be noted yet
	packed  []packed  // that are not in the ledger yet
	ended   bool      // Finish has returned
	figures Figures
	err     error // why lines are not sealed at present; the log knows of it
}

// Figures say how a seal stands.
type Figures struct {
	Origin string          `json:"origin"`          // of the tree
	Sealed int64           `json:"sealed"`          // lines under the last checkpoint
	Behind int64           `json:"behind"`          // bytes written that are not hashed yet
	At     journal.Instant `json:"at,omitzero"`     // of the last checkpoint
	Error  string          `json:"error,omitempty"` // why lines are not sealed at present
	// Witnessed are the lines under the last checkpoint that the policy's quorum has cosigned.
	Witnessed int64 `json:"witnessed,omitempty"`
	// Unpublished are the places that the last checkpoint could not be taken to.
	Unpublished int `json:"unpublished,omitempty"`
}

// source is a file of which something is not hashed yet.
type source struct {
	file   *os.File
	spans  []span
	end    int64  // of the last span
	done   bool   // it is not the live file any more
	name   string // that it was rotated to
	record *fileRecord
}

// span is a stretch of a file.
type span struct {
	from, to int64
	foreign  bool // someone else wrote it
}

// New makes a Sealer. It does nothing until Start.
func New(o Options) (*Sealer, error) {
	if o.Key == nil || o.Dir == "" || o.Base == "" || o.State == "" {
		return nil, errors.New("seal journal: Dir, Base, State and Key are required")
	}
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sealer{
		opts: o, dir: dir(DirOf(o.State)), path: filepath.Join(o.Dir, o.Base),
		wake: make(chan struct{}, 1), leaving: make(chan struct{}), closing: make(chan struct{}), settled: make(chan struct{}),
		ready: make(chan struct{}),
	}
	s.work.s = s
	return s, nil
}

// Publish has checkpoints taken to outside of the journal; it is called before Start. The Sealer ends the Publisher with itself.
func (s *Sealer) Publish(p *Publisher) { s.opts.Publish = p }

// Abandon ends a Sealer that was not started. It may be nil.
func (s *Sealer) Abandon() {
	if s == nil {
		return
	}
	never := make(chan struct{})
	close(never)
	s.opts.Publish.finish(never)
}

// Start begins to seal a journal whose live file has this size, before anything is written. sync makes all that was written
// before it durable, and note appends one of the journal's own notes; both may be called at any time until Finish.
func (s *Sealer) Start(size int64, sync func() error, note func(message []byte) error) {
	w := &s.work
	w.sync, w.note = sync, note
	file, err := os.Open(s.path)
	if err != nil {
		s.fail(fmt.Errorf("seal journal: %w", err))
		close(s.settled)
		close(s.ready)
		return
	}
	s.sources = []*source{{file: file, end: size}}
	w.prepare(size)
	if !w.killed {
		close(s.ready)
	}
	s.worker.Go(w.run)
}

// Ready is closed, after Start, once the journal may be written: after a kill when there is a checkpoint of what the last process
// left unsealed, or it is clear that there will be none.
func (s *Sealer) Ready() <-chan struct{} { return s.ready }

// Settled waits until it is clear what becomes of the state that was found. Its error says why nothing is sealed.
func (s *Sealer) Settled(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.settled:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	}
}

// Wrote is told that all of the live file up to size, from where it was, are whole lines of our own.
func (s *Sealer) Wrote(size int64) {
	s.at(stepWritten)
	s.mu.Lock()
	defer s.mu.Unlock()
	if live := s.liveLocked(); live != nil && size > live.end {
		live.add(span{live.end, size, false})
		s.wakeLocked(wakeBytes)
	}
}

// wakeBytes is how much is hashed at once at the least, but for what is there when a checkpoint is due.
const wakeBytes = 256 << 10

// Changed is told that someone else has changed the size of the live file.
func (s *Sealer) Changed(from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.liveLocked()
	switch {
	case live == nil:
	case to > live.end:
		live.add(span{live.end, to, true})
	case to < live.end:
		s.cut = fmt.Sprintf("%s was cut from %d bytes to %d", filepath.Base(s.path), from, to)
		live.end = to
		live.spans = nil
		s.wakeLocked(0)
	}
}

// Turned is told that the live file is another one now, of this size; the one before has the name backup, or "" if
// someone else has given it another.
func (s *Sealer) Turned(backup string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := s.liveLocked()
	if live == nil {
		return
	}
	file, err := os.Open(s.path)
	if err != nil {
		live.name, live.done = backup, true
		s.cut = fmt.Sprintf("%s cannot be read: %v", filepath.Base(s.path), err)
		s.wakeLocked(0)
		return
	}
	if isSame(live.file, file) {
		_ = file.Close() // It was only looked at.
		return
	}
	live.name, live.done = backup, true
	next := &source{file: file}
	if size > 0 {
		next.add(span{0, size, true})
	}
	s.sources = append(s.sources, next)
	s.turned = true
	s.at(stepTurned)
	s.wakeLocked(0)
}

func isSame(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func (s *Sealer) liveLocked() *source {
	if len(s.sources) == 0 || s.sources[len(s.sources)-1].done {
		return nil
	}
	return s.sources[len(s.sources)-1]
}

// add adds a span at the end.
func (f *source) add(more span) {
	if n := len(f.spans); n > 0 && f.spans[n-1].foreign == more.foreign {
		f.spans[n-1].to = more.to
	} else {
		f.spans = append(f.spans, more)
	}
	f.end = more.to
}

// wakeLocked wakes the worker if so many bytes wait to be hashed.
func (s *Sealer) wakeLocked(least int64) {
	if s.behindLocked() < least {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sealer) behindLocked() int64 {
	var n int64
	for _, f := range s.sources {
		for _, one := range f.spans {
			n += one.to - one.from
		}
	}
	return n
}

// Figures are how it stands at this moment.
func (s *Sealer) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.figures
	f.Behind = s.behindLocked()
	var alarm error
	f.Unpublished, f.Witnessed, alarm = s.opts.Publish.state()
	if err := errors.Join(s.err, alarm); err != nil {
		f.Error = err.Error()
	}
	return f
}

// fail says why lines are not sealed at present; nil: they are.
func (s *Sealer) fail(err error) {
	s.mu.Lock()
	before := s.err
	s.err = err
	s.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		s.opts.Log.Error().Err(err).Msg("journal is not sealed at present; it goes on")
	case err == nil && before != nil:
		s.opts.Log.Info().Msg("journal is sealed again")
	}
}

// Finish seals what was written to the end. write appends one of the journal's own notes, which is in the file when it
// returns. Once giveUp is closed, what is not sealed yet is left to the next start.
func (s *Sealer) Finish(giveUp <-chan struct{}, write func(message []byte) error) error {
	close(s.leaving)
	select {
	case <-s.settled:
	case <-giveUp:
	}
	close(s.closing)
	s.worker.Wait()
	err := s.work.finish(giveUp, write)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.sources {
		_ = f.file.Close() // It was only read.
	}
	s.sources = nil
	s.ended = true
	return err
}
