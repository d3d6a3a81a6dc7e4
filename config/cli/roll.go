package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/life"
	"hbjournal/sink/rotate"
)

// rollFlags are the flags by which hosts are judged.
type rollFlags struct {
	grace              float64
	silentFor, forget  time.Duration
	forText, forgetFor string
}

func (f *rollFlags) add(flags *pflag.FlagSet) {
	flags.Float64Var(&f.grace, "grace", presence.DefaultGrace, "how many `intervals` after a beat the next must have come; more than 1")
	flags.Var(&oneText{&f.forText}, "for", "a host counts as silent once it was for this `duration`")
	flags.Var(&oneText{&f.forgetFor}, "forget", "a host is forgotten this `duration` after it fell silent (default 24h)")
}

// options are what the flags come to.
func (f *rollFlags) options() (opt presence.Options, err error) {
	const mostGrace = 1000
	var faults []error
	if !(f.grace > 1 && f.grace <= mostGrace) {
		faults = append(faults, fmt.Errorf("--grace %v: give more than 1 and at most %d, such as 1.5", f.grace, mostGrace))
	}
	span := func(flag, text string, fallback time.Duration) time.Duration {
		if text == "" {
			return fallback
		}
		d, err := parseSpan(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s %q: %w", flag, text, err))
		}
		return d
	}
	f.silentFor, f.forget = span("for", f.forText, 0), span("forget", f.forgetFor, 24*time.Hour)
	if f.forget <= 0 && len(faults) == 0 {
		faults = append(faults, errors.New("--forget 0: every host would be forgotten at once; give a duration, such as 24h"))
	}
	if len(faults) > 0 {
		return opt, &usageError{errors.Join(faults...), "for example --grace 1.5 --for 5m --forget 24h"}
	}
	return presence.Options{Grace: f.grace, For: f.silentFor, Forget: f.forget}, nil
}

// A roll is a reading that finds out which hosts are there.
type roll struct {
	*reading
	opt   presence.Options
	board *presence.Board
	// passed, if not nil, is told of the positions behind what the board took, by the places of the journals.
	passed func(map[string]read.Cursor)

	bound bool // --since was not given: what is too old to matter is not read
	told  bool // that the spans of life could not be read was said

	missed time.Time // since when entries were removed before they were read; zero: none were

	read     time.Time // up to when what is followed was read; zero: it is not followed
	ended    time.Time // instant of the last entry
	listened time.Time // when the spans of life were last looked at

	joined []read.Journal // those of receivers that came while it was followed; only for who does not read at the moment
}

func newRoll(r *reading, opt presence.Options) *roll {
	return &roll{reading: r, opt: opt, board: presence.New(opt), bound: r.options.Since.IsZero()}
}

// longestPause is how long before the latest entry those begin that matter, beside what --forget adds: a host with an
// interval of a day is judged by its last beat still.
const longestPause = 36 * time.Hour

// bind leaves out what is too old to matter.
func (r *roll) bind(ctx context.Context) error {
	if !r.bound || r.options.ReadsStdin() {
		return nil
	}
	source := read.OpenBack(r.options)
	defer source.Close()
	newest := read.NewReader(ctx, source, nil, nil)
	if newest.Next() {
		latest := time.UnixMilli(newest.Entry().Millis)
		if now := r.clock(); now.Before(latest) {
			latest = now
		}
		r.bindTo(latest)
	}
	return nil // What is wrong with the files is found when they are read.
}

// bindTo leaves out what is too old to matter at this time.
func (r *roll) bindTo(latest time.Time) { r.options.Since = latest.Add(-r.opt.Forget - longestPause) }

// call reads all there is, on all cores.
func (r *roll) call(ctx context.Context) error {
	if err := r.bind(ctx); err != nil {
		return err
	}
	r.listen()
	source, err := read.Open(r.options)
	if err != nil {
		return err
	}
	defer source.Close()
	return r.take(ctx, source, nil)
}

// seenBlock is what one block of a journal comes to.
type seenBlock struct {
	seen   *presence.Sightings
	at     map[string]read.Cursor // by the place of the journal, behind its last entry
	faults []*read.CorruptError
}

// take has the board take all that source gives. After may be nil; it is called after each block.
func (r *roll) take(ctx context.Context, source read.Source, after func(seenBlock) error) error {
	timely, err := journal.NewFilter(journal.FilterOptions{Since: r.options.Since, Until: r.options.Until})
	if err != nil {
		return err
	}
	places := read.PlacesOf(r.options.Each())
	spare := sync.Pool{New: func() any { return &presence.Sightings{Place: places.Of} }}
	return read.Ordered(ctx, source, func(b *read.Block) seenBlock {
		part := seenBlock{seen: spare.Get().(*presence.Sightings)}
		part.read(b, timely, r.filter, after != nil, places)
		return part
	}, func(part seenBlock) error {
		for _, fault := range part.faults {
			r.fault(fault)
		}
		if at, ok := part.seen.Begin(); ok && !r.missed.IsZero() {
			r.board.Down(r.missed, at)
			r.missed = time.Time{}
		}
		if at, ok := part.seen.End(); ok {
			r.ended = at
		}
		r.board.Take(part.seen)
		part.seen.Reset()
		spare.Put(part.seen)
		r.bar.show()
		if after != nil {
			return after(part)
		}
		return nil
	})
}

// read adds the entries of b. It runs on several goroutines.
func (p *seenBlock) read(b *read.Block, timely, filter *journal.Filter, positions bool, places read.Places) {
	lines := read.Scanner{Filter: timely, OnFault: func(f *read.CorruptError) { p.faults = append(p.faults, f) }}
	path, place := "", ""
	for lines.Reset(b); lines.Next(); {
		e := lines.Entry()
		if filter.Match(e) {
			p.seen.Add(e)
		} else {
			p.seen.Skip(e)
		}
		if !positions {
			continue
		}
		if p.at == nil || e.Path != path {
			path, place = e.Path, places.Of(e.Path)
		}
		if p.at == nil {
			p.at = map[string]read.Cursor{}
		}
		p.at[place] = lines.Cursor()
	}
}

// fault takes what is wrong with the files. Where entries are missing, nothing could be heard.
func (r *roll) fault(fault *read.CorruptError) {
	if errors.Is(fault, read.ErrMissed) && r.missed.IsZero() {
		r.missed = r.board.Now()
	}
	r.faults.report(fault)
}

// listen has the board know when each daemon listened, as far as it is kept.
func (r *roll) listen() {
	r.listened = r.clock()
	all, err := livesOf(r.journals())
	if err != nil && !r.told {
		r.told = true
		fmt.Fprintf(r.env.Stderr, "hbjournal: warning: %v: when nothing came from any host, its daemon is taken to have been down\n", err)
	}
	for place, lives := range all {
		r.board.Alive(place, lives)
	}
}

// journals are all that are read.
func (r *roll) journals() []read.Journal { return slices.Concat(r.options.Each(), r.joined) }

// livesOf are the spans in which the daemons of the journals listened, by the place of each. With an error, those that could be
// read.
func livesOf(journals []read.Journal) (map[string][]presence.Span, error) {
	places := read.PlacesOf(journals)
	all, faults := map[string][]presence.Span{}, []error(nil)
	for _, j := range journals {
		if j.ReadsStdin() {
			continue
		}
		spans, err := life.Read(rotate.StateDir(j.Place()))
		faults = append(faults, err)
		lives := make([]presence.Span, len(spans))
		for i, span := range spans {
			lives[i] = presence.Span{From: span.From, To: span.To}
		}
		all[places.OfJournal(j)] = lives
	}
	return all, errors.Join(faults...)
}

// moment is the instant that hosts are judged by: now, or the end of the selection if that was before. Of what is followed, it is not
// later than what was read.
func (r *roll) moment() time.Time {
	now := r.clock()
	if until := r.options.Until; !until.IsZero() && until.Before(now) {
		return until
	}
	if !r.read.IsZero() && r.read.Before(now) {
		now = r.read
	}
	return now.Add(-presence.Settle)
}
