package seal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"hbjournal/sink/journal"
)

// work is what the goroutine of a Sealer does, and what only it uses.
type work struct {
	s      *Sealer
	sync   func() error
	note   func(message []byte) error
	giveUp <-chan struct{} // closed when the end must not take longer; nil until it comes

	origin   string
	tree     edge
	ledger   *ledger
	standing standing
	number   int64 // of the standing
	tiles    [len(tileFiles)]array
	leaves   array
	tail     []byte // scratch for what is read
	from     int64  // length of the live file at the start
	killed   bool   // the last process did not close the journal, and there is a checkpoint of its tree

	running bool   // the state was found right, or made anew
	stopped error  // why this process seals nothing any more; nil: it does
	awaited []byte // the message of the note that is to be the first leaf; nil: the tree has begun

	watching []*watched
	edgeErr  error // of what was watched

	checkpoint Checkpoint // the last one
	since      since
	notes      notes
}

// since is what has happened since something was last done.
type since struct {
	all     int64     // leaves that are no notes of the seal
	lines   int64     // leaves that are no notes of the seal, since a checkpoint was last noted in the journal
	noted   time.Time // a checkpoint was noted in the journal
	logged  time.Time // a checkpoint was logged
	kept    time.Time // a checkpoint went into the file of checkpoints
	told    time.Time // the publisher was told
	looked  time.Time // files were looked for that are compressed
	closing bool      // the last leaf is the note of a close
}

// run is the worker goroutine.
func (w *work) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-w.s.closing:
			cancel()
		case <-stop:
		}
	}()
	ticker := time.NewTicker(w.s.opts.Every)
	defer ticker.Stop()
	w.settle(ctx, ticker.C)
	for {
		select {
		case <-w.s.closing:
			return
		case <-ticker.C:
			w.report(w.seal())
		case <-w.s.wake:
			if w.s.urgent() {
				w.report(w.seal())
			} else {
				w.report(w.hash())
			}
		}
	}
}

// urgent reports whether something has happened that a checkpoint is made for at once.
func (s *Sealer) urgent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turned || s.cut != "" || len(s.pruning) > 0
}

// settle finds out what becomes of the state that was found. What fails is tried again.
func (w *work) settle(ctx context.Context, again <-chan time.Time) {
	if w.killed {
		defer close(w.s.ready)
	}
	defer close(w.s.settled)
	pause := 1
	for !w.running && w.stopped == nil {
		err := w.recover(ctx)
		if ctx.Err() != nil {
			return
		}
		w.report(err)
		for range pause { // The next try may read the whole journal.
			if w.running || w.stopped != nil {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-w.s.leaving:
				return
			case <-again:
			}
		}
		pause = min(2*pause, 64)
	}
}

// stop ends the sealing for this process: what is wrong needs a person.
func (w *work) stop(why error) error {
	w.stopped = why
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	for _, f := range w.s.sources {
		_ = f.file.Close() // It was only read.
	}
	w.s.sources = nil
	for _, p := range w.s.pruning {
		close(p.done)
	}
	w.s.pruning = nil
	for _, p := range w.s.packed {
		close(p.done)
	}
	w.s.packed = nil
	return why
}

func (w *work) report(err error) {
	if w.stopped != nil {
		err = w.stopped
	}
	w.s.fail(err)
}

// seal brings everything up to date: it hashes what was written, makes it durable, signs, and publishes.
func (w *work) seal() error {
	if w.stopped != nil || !w.running {
		return w.stopped
	}
	if why := w.s.takeCut(); why != "" {
		if err := w.s.openLive(); err != nil {
			w.s.putCut(why) // It is tried again.
			return err
		}
		return w.breakOff(why)
	}
	if err := errors.Join(w.hash(), w.flush()); err != nil {
		return err
	}
	turned := w.s.takeTurned()
	err := w.sign(turned)
	if err != nil && turned {
		w.s.setTurned()
	}
	w.notes.flush(w, false)
	if now := w.s.opts.Now(); elapsed(w.since.looked, now, time.Minute) {
		w.since.looked = now
		err = errors.Join(err, w.s.dir.dropPacked(w.ledger, w.s.opts.Dir, w.tree.size))
	}
	return err
}

func (s *Sealer) takeCut() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	cut := s.cut
	s.cut = ""
	return cut
}

func (s *Sealer) putCut(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == "" {
		s.cut = why
	}
}

// openLive opens the live file, if that failed when it was turned.
func (s *Sealer) openLive() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.liveLocked() != nil {
		return nil
	}
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.sources = append(s.sources, &source{file: file, end: info.Size()})
	return nil
}

func (s *Sealer) takeTurned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	turned := s.turned
	s.turned = false
	return turned
}

func (s *Sealer) setTurned() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turned = true
}

// sign makes a checkpoint of the tree, if it has grown. What is under it is durable before, and it is durable itself before
// anybody is told.
func (w *work) sign(turned bool) error {
	if w.awaited != nil || w.tree.size == w.checkpoint.Size && !turned {
		return nil
	}
	if w.tree.size > w.checkpoint.Size {
		if err := w.signTree(); err != nil {
			return err
		}
	}
	return w.publish(occasion(turned, false))
}

func (w *work) signTree() error {
	if err := w.sync(); err != nil {
		return fmt.Errorf("make durable what is to be sealed: %w", err)
	}
	w.s.at(stepSynced)
	c, err := w.s.opts.Key.signCheckpoint(w.origin, &w.tree)
	if err != nil {
		return err
	}
	w.s.at(stepSigned)
	if err := w.putCheckpoint(c); err != nil {
		return err
	}
	w.checkpoint = c
	w.figures()
	return w.settleStanding()
}

// putCheckpoint makes a checkpoint the last one.
func (w *work) putCheckpoint(c Checkpoint) error {
	err := w.s.dir.replaceLater(fileCheckpoint, c.Note)
	if err == nil {
		w.s.at(stepReplaced)
		err = syncDir(string(w.s.dir))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", w.s.dir.path(fileCheckpoint), err)
	}
	w.s.at(stepDurable)
	return nil
}

// settleStanding says in the standing what the new checkpoint has settled.
func (w *work) settleStanding() error {
	changed := w.standing.Resumed != 0 || w.standing.Begin != nil || w.standing.Head != nil
	w.standing.Resumed, w.standing.Begin, w.standing.Head = 0, nil, nil
	if p := w.standing.Pruned; p != nil && !p.Noted && w.notes.prunedSealed(w.checkpoint.Size, p.Before) {
		noted := *p
		noted.Noted, changed = true, true
		w.standing.Pruned = &noted
	}
	if !changed {
		return nil
	}
	return w.putStanding()
}

func (w *work) putStanding() error {
	w.number++
	return w.s.dir.putStanding(w.s.opts.Key, w.standing, w.number)
}

func (w *work) figures() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.figures.Origin, w.s.figures.Sealed = w.origin, w.checkpoint.Size
	w.s.figures.At = journal.InstantOf(w.s.opts.Now())
}

// The occasions of a checkpoint, as the journal notes them.
const (
	atRotation = "rotation"
	atClose    = "close"
)

func occasion(turned, closing bool) string {
	switch {
	case closing:
		return atClose
	case turned:
		return atRotation
	}
	return ""
}

// publish tells of the last checkpoint whoever is to hear of it on this occasion.
func (w *work) publish(at string) error {
	now := w.s.opts.Now()
	hourly := elapsed(w.since.logged, now, time.Hour)
	var err error
	if at != "" || elapsed(w.since.kept, now, time.Hour) {
		if err = w.s.dir.add(fileCheckpoints, append(w.checkpoint.Note, '\n'), false); err == nil {
			w.since.kept = now
			w.s.at(stepKept)
		}
	}
	if at != "" || hourly {
		w.since.logged = now
		w.s.opts.Log.Info().Str("origin", w.origin).Int64("size", w.checkpoint.Size).Stringer("root", w.checkpoint.Root).
			Msg("journal sealed")
	}
	if at == atRotation && w.since.lines > 0 && elapsed(w.since.noted, now, time.Second) {
		w.since.lines, w.since.noted = 0, now
		w.notes.owe(aboutCheckpoint, journal.SealNote{Origin: w.origin, At: at, Checkpoint: string(w.checkpoint.Note)}.Append(nil))
	}
	if at != "" || w.since.kept == now || w.s.opts.Publish != nil && elapsed(w.since.told, now, time.Minute) {
		err = errors.Join(err, w.keepEdge(), w.takeEdgeErr())
	}
	if p := w.s.opts.Publish; p != nil && w.checkpoint.Note != nil && (at != "" || elapsed(w.since.told, now, time.Minute)) {
		w.since.told = now
		p.tell(w.checkpoint)
		w.s.at(stepPublished)
	}
	if err != nil {
		return fmt.Errorf("keep checkpoint: %w", err)
	}
	return nil
}

// elapsed reports whether so much time has gone since then. A clock that was set back puts nothing off.
func elapsed(then, now time.Time, least time.Duration) bool {
	gone := now.Sub(then)
	return then.IsZero() || gone >= least || gone < 0
}

// errUnfinished is why a close left lines unsealed: the next start seals them.
var errUnfinished = errors.New("journal closed before all of it was sealed; the next start goes on")

// finish is Sealer.Finish, once the goroutine has ended.
func (w *work) finish(giveUp <-chan struct{}, write func(message []byte) error) error {
	defer w.s.opts.Publish.finish(giveUp)
	if w.stopped != nil {
		return nil // That has been said.
	}
	if !w.running {
		return errUnfinished
	}
	w.note, w.giveUp = write, giveUp
	err := w.seal()
	if err == nil && w.since.lines > 0 && w.awaited == nil {
		w.notes.owe(aboutCheckpoint, journal.SealNote{Origin: w.origin, At: atClose, Checkpoint: string(w.checkpoint.Note)}.Append(nil))
	}
	// The notes are lines too, and so come under a checkpoint of their own.
	w.notes.flush(w, true)
	err = errors.Join(err, w.seal())
	if err == nil && w.tree.size == w.checkpoint.Size && w.awaited == nil {
		w.standing.Open = false
		err = errors.Join(w.putStanding(), w.publish(atClose))
	}
	return errors.Join(err, w.close())
}

// close closes what was written.
func (w *work) close() error {
	err := w.flush()
	for i := range w.tiles {
		err = errors.Join(err, w.tiles[i].close())
	}
	return errors.Join(err, w.leaves.close())
}
