package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
)

// tick is how often a roll that follows looks at the clock.
const tick = 200 * time.Millisecond

// followed makes the reading one of whole journals, which can be followed.
func (r *roll) followed(command string) error {
	if !follows(r.options) {
		return &usageError{
			errors.New("journals are followed, not files: name their directories or live files, or none"), "see 'hbjournal " + command + " --help'",
		}
	}
	if !r.options.Until.IsZero() {
		return &usageError{errors.New("--until ends what is followed: leave one of them out"), "see 'hbjournal " + command + " --help'"}
	}
	makeWhole(&r.options)
	r.awaitReceivers(&r.options)
	if more := r.options.More; more != nil {
		r.options.More = func() []read.Journal {
			come := more()
			r.joined = append(r.joined, come...)
			return come
		}
	}
	return nil
}

// follow has the board take what there is from some positions on, and then what comes, until ctx ends. Each time that it
// has, and at each tick, it calls step; present says that all there is was taken, or what came last is of now, so that hosts can be
// judged by it. In a busy journal there is always something more.
func (r *roll) follow(ctx context.Context, at []*read.Cursor, step func(present bool) error) error {
	r.endless = true
	if at == nil {
		if err := r.bind(ctx); err != nil {
			return err
		}
	}
	source, err := read.FollowAll(r.options, at)
	if err != nil {
		return err
	}
	defer source.Close()
	after := func(part seenBlock) error {
		if r.passed != nil {
			r.passed(part.at)
		}
		return step(r.isOfNow())
	}
	r.listen()
	ready := &readySource{Source: source, now: r.clock}
	for err == nil {
		if err = r.take(ctx, ready, after); err != nil {
			break
		}
		r.read = ready.began
		r.listen()
		err = step(true)
	}
	return err
}

// isOfNow reports whether the last entry that was read is of now: then all before it was read.
func (r *roll) isOfNow() bool {
	const near = time.Second
	now := r.clock()
	if age := now.Sub(r.ended); age < -near || age > near {
		return false
	}
	if r.ended.After(r.read) {
		r.read = r.ended
	}
	if now.Sub(r.listened) >= tick {
		r.listen()
	}
	return true
}

// A readySource gives what a source that is followed has, and io.EOF where that would wait for longer than a tick.
type readySource struct {
	read.Source
	now   func() time.Time
	began time.Time // when it was last looked for more, and there was nothing
}

// Read implements read.Source.
func (s *readySource) Read(ctx context.Context, b *read.Block) error {
	for {
		began, clock := time.Now(), s.now()
		err := s.brief(ctx, b)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return err
		}
		if time.Since(began) < 2*tick { // Else this process was stopped, or the reading takes long: there may be more.
			s.began = clock
			return io.EOF
		}
	}
}

func (s *readySource) brief(ctx context.Context, b *read.Block) error {
	brief, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	return s.Source.Read(brief, b)
}

// followOn prints the changes.
func (f *silentFlags) followOn(ctx context.Context, r *roll) error {
	if err := r.followed("silent -f"); err != nil {
		return err
	}
	c := &changes{roll: r, at: map[string]read.Cursor{}}
	r.passed = c.pass
	var at []*read.Cursor
	if f.state != "" {
		var err error
		if c.state, err = openRollState(f.state); err != nil {
			return err
		}
		defer c.state.close()
		if at, err = c.goOn(); err != nil {
			return err
		}
		if at == nil {
			c.mark(ctx)
		}
	}
	return r.run(ctx, func(ctx context.Context) error { return r.follow(ctx, at, c.step) }, nil)
}

// changes prints the changes of a roll that follows.
type changes struct {
	*roll
	state *rollState             // nil: it is not kept
	at    map[string]read.Cursor // behind what the board took, by the places of the journals
	moved bool                   // it took something since the last picture
	begun bool                   // those that were silent at the start have been told, or were before
	drawn time.Time              // when the last picture was made
}

// pass notes how far the board has come.
func (c *changes) pass(at map[string]read.Cursor) {
	for place, cursor := range at {
		c.at[absolute(place)] = cursor
		c.moved = true
	}
}

// goOn takes up the state that was kept, and returns where the journals go on; nil: there is none yet.
func (c *changes) goOn() ([]*read.Cursor, error) {
	if !c.state.saved() {
		return nil, nil
	}
	var err error
	if c.at, err = c.state.positions(); err != nil {
		return nil, err
	}
	if c.board, err = presence.Load(c.opt, c.state.picture.Board); err != nil {
		return nil, &hintedError{fmt.Errorf("state %s: %w", c.state.path, err), "name another file, or remove this one to begin anew"}
	}
	c.begun, c.drawn = true, c.clock()
	if err := c.state.write(); err != nil {
		return nil, err
	}
	if !c.state.picture.Begun {
		if err := c.tellAll(c.board.Standing()); err != nil {
			return nil, err
		}
		if err := c.state.replace(true, c.at, c.board); err != nil {
			return nil, err
		}
	}
	if c.bound {
		c.bindTo(c.board.Now()) // It is for the journals that have joined since.
	}
	return c.cursors(), nil
}

// mark notes where the journals end in which nothing is to be read yet, so that a restart goes on there.
func (c *changes) mark(ctx context.Context) {
	places := read.PlacesOf(c.options.Each())
	for _, j := range c.options.Each() {
		dir, base := j.Place()
		opt := c.options
		opt.Dir, opt.Base, opt.Paths, opt.Journals = dir, base, nil, nil
		source := read.OpenBack(opt)
		read.NewReader(ctx, source, nil, nil).Next() // Then the end is known.
		if end := source.Ends()[0]; end != nil {
			c.at[absolute(places.OfJournal(j))] = *end
		}
		_ = source.Close() // It was only read.
	}
}

// cursors are where the journals go on. One that has joined since is read from its beginning.
func (c *changes) cursors() []*read.Cursor {
	journals := c.options.Each()
	at, places := make([]*read.Cursor, len(journals)), read.PlacesOf(journals)
	for i, j := range journals {
		cursor := c.at[absolute(places.OfJournal(j))]
		at[i] = &cursor
	}
	return at
}

// step implements the step of follow.
func (c *changes) step(present bool) error {
	until := c.board.Now()
	if now := c.moment(); present && now.After(until) {
		until = now
	}
	events := c.board.Changes(until)
	if !c.begun {
		if !present {
			return nil // What changed before the start is told by how the hosts stand then.
		}
		return c.begin()
	}
	if err := c.tellAll(events); err != nil {
		return err
	}
	if due := c.moved && c.clock().Sub(c.drawn) >= pictureEvery; c.state != nil && (due || len(c.state.told) >= mostTold) {
		return c.draw(true)
	}
	return nil
}

// begin tells those that are silent at the start.
func (c *changes) begin() error {
	c.begun = true
	if err := c.draw(false); err != nil {
		return err
	}
	if err := c.tellAll(c.board.Standing()); err != nil {
		return err
	}
	return c.draw(true)
}

// draw makes a picture, if the state is kept.
func (c *changes) draw(begun bool) error {
	if c.state == nil {
		return nil
	}
	c.moved, c.drawn = false, c.clock()
	return c.state.replace(begun, c.at, c.board)
}

func (c *changes) tellAll(events []presence.Event) error {
	for _, event := range events {
		if err := c.tell(event); err != nil {
			return err
		}
	}
	return nil
}

// eventLine is an event as JSON. Times are Unix seconds, as in an entry.
type eventLine struct {
	ID       string          `json:"id"`
	Event    presence.Change `json:"event"`
	Name     string          `json:"name"`
	Due      journal.Instant `json:"due"`
	Beat     journal.Instant `json:"last_beat,omitzero"`
	Interval float64         `json:"interval_seconds"`
	Missed   int64           `json:"missed"`
	Address  string          `json:"address"`
}

// tell prints one event, and then keeps that it was.
func (c *changes) tell(e presence.Event) error {
	if c.state.has(e.ID) {
		return nil
	}
	line := eventLine{
		e.ID, e.Change, e.Name, journal.InstantOf(e.Due), journal.InstantOf(e.Last), e.Interval.Seconds(), e.Missed, e.Address,
	}
	if err := writeLineJSON(c.out.w, line); err != nil {
		return err
	}
	if err := c.out.flush(); err != nil {
		return err
	}
	if err := c.state.keep(e.ID); err != nil {
		return fmt.Errorf("keep that %s was told: %w", e.ID, err)
	}
	return nil
}
