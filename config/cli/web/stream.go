package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

const (
	flushEvery   = 200 * time.Millisecond
	figuresEvery = 400 * time.Millisecond
	pingEvery    = 5 * time.Second
	linesPerSec  = 50 // that are sent; the others are counted
)

// A viewer is one stream of events.
type viewer struct {
	s      *Server
	w      http.ResponseWriter
	filter *journal.Filter
	at     place // behind the lines that were sent or counted
	early  bool  // there was no journal yet when it began
	items  []item
	moved  bool // at is newer than the last id
	tokens int  // lines that may be sent at once
	sent   time.Time
	before *snapshot // what was sent of the figures
	figure time.Time // when
	host   *hostView // nil: the stream is that of the first page
}

// stream is /events: figures once a second as far as they have changed, and the lines that match. It goes on behind
// Last-Event-ID, or else behind from.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	q := queryOf(r.URL.Query())
	q.Host = r.URL.Query().Get("host")
	filter, err := q.filter()
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	if !s.streams.take() {
		w.Header().Set("Retry-After", "10")
		writeText(w, http.StatusServiceUnavailable, fmt.Sprintf("%d viewers look already: close another page, or wait", maxStreams))
		return
	}
	defer s.streams.giveBack()
	v := &viewer{s: s, w: w, filter: filter, tokens: linesPerSec}
	if v.at, err = s.placeOf(r); err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	v.early = !s.roster.isSettled()
	if q.Host != "" {
		v.host = s.newHostView(q.Host)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if v.write([]byte("retry: 1000\n\n")) != nil {
		return
	}
	if err := v.run(r.Context()); err != nil && r.Context().Err() == nil {
		s.opt.Log.Debug().Err(err).Msg("a stream has ended")
	}
}

// placeOf is where the stream begins.
func (s *Server) placeOf(r *http.Request) (place, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("from")
	}
	if text == "" {
		return s.newest(r.Context())
	}
	return s.roster.parse(text)
}

// run sends until ctx is done or the client has gone away.
func (v *viewer) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	blocks, done := make(chan *read.Block), make(chan error, 1)
	free := make(chan *read.Block, 1)
	free <- new(read.Block)
	reading.Go(func() { done <- v.follow(ctx, blocks, free) })
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	if err := v.tell(ctx); err != nil {
		return err
	}
	for {
		select {
		case b := <-blocks:
			v.take(b)
			free <- b
		case err := <-done:
			return err
		case <-tick.C:
			if err := v.tell(ctx); err != nil {
				return err
			}
		}
	}
}

// follow reads blocks until ctx is done. A journal that is not there yet is waited for.
func (v *viewer) follow(ctx context.Context, blocks chan<- *read.Block, free <-chan *read.Block) error {
	source, err := v.open(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	for {
		var b *read.Block
		select {
		case b = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := source.Read(ctx, b); err != nil {
			return err
		}
		select {
		case blocks <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (v *viewer) open(ctx context.Context) (read.Source, error) {
	for {
		if v.s.roster.isSettled() {
			if source, err := v.openSettled(); err == nil {
				return source, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(tryAgain):
		}
	}
}

func (v *viewer) openSettled() (read.Source, error) {
	roster := v.s.roster
	if v.early && !roster.single() {
		v.at = v.s.start() // What there was before is nothing; nobody else reads it before there is a block.
	}
	opt := roster.optionsOf(roster.all()[:len(v.at)])
	opt.Lean = true
	return read.FollowAll(opt, v.at.clone())
}

// take goes through a block: so many lines a second become items, and the others are counted.
func (v *viewer) take(b *read.Block) {
	scanner := read.Scanner{OnFault: v.fault}
	single := v.s.roster.single()
	if single {
		scanner.Filter = v.filter
	}
	for scanner.Reset(b); scanner.Next(); {
		e := scanner.Entry()
		v.moveTo(v.s.roster.of(e.Path), scanner.Cursor())
		if !single && v.filter != nil && !v.filter.Match(e) {
			continue
		}
		v.add(e)
	}
	if at := scanner.Cursor(); single && at != (read.Cursor{}) {
		v.moveTo(0, at)
	}
}

func (v *viewer) moveTo(journal int, at read.Cursor) {
	v.at = v.at.grown(journal + 1)
	if was := v.at[journal]; was == nil || *was != at {
		v.at[journal], v.moved = &at, true
	}
}

// add makes an item of an entry, or counts it.
func (v *viewer) add(e *journal.Entry) {
	if v.host != nil {
		v.host.add(e)
	}
	if v.tokens > 0 {
		v.tokens--
		v.items = append(v.items, itemOf(e, v.s.opt.Zone))
		return
	}
	if n := len(v.items); n == 0 || v.items[n-1].Skipped == 0 {
		v.items = append(v.items, item{})
	}
	v.items[len(v.items)-1].skip(e.Millis)
}

// skip counts an entry of an instant that is left out. Its clock may have been set back.
func (it *item) skip(at int64) {
	if it.Skipped++; it.Skipped == 1 {
		it.At, it.Until = at, at
	}
	it.At, it.Until = min(it.At, at), max(it.Until, at)
}

// fault shows what is wrong with the files. What is encrypted is said above.
func (v *viewer) fault(f *read.CorruptError) {
	if errors.Is(f, read.ErrEncrypted) || len(v.items) > 2*linesPerSec {
		return
	}
	v.items = append(v.items, item{Fault: cut(f.Error(), 300)})
}

// tell sends what there is to be sent.
func (v *viewer) tell(ctx context.Context) error {
	v.tokens = min(linesPerSec, v.tokens+int(linesPerSec*flushEvery/time.Second))
	if err := v.tellLines(); err != nil {
		return err
	}
	now := time.Now()
	if now.Sub(v.figure) >= figuresEvery {
		v.figure = now
		if err := v.tellFigures(ctx); err != nil {
			return err
		}
	}
	if now.Sub(v.sent) >= pingEvery {
		return v.event("ping", "", v.s.opt.Now().UnixMilli())
	}
	return ctx.Err()
}

func (v *viewer) tellLines() error {
	if len(v.items) == 0 && !v.moved {
		return nil
	}
	items := v.items
	v.items, v.moved = nil, false
	if items == nil {
		items = []item{} // Nothing matched, and the position goes on.
	}
	return v.event("lines", v.s.roster.text(v.at), items)
}

// event writes one event. Its data is JSON, in which no newline can stand.
func (v *viewer) event(name, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "data: %s\n\n", text)
	return v.write(b.Bytes())
}

func (v *viewer) write(text []byte) error {
	if err := extend(v.w); err != nil {
		return err
	}
	if _, err := v.w.Write(text); err != nil {
		return err
	}
	v.sent = time.Now()
	return http.NewResponseController(v.w).Flush()
}

// An update is what has changed of the figures.
type update struct {
	At    int64                    `json:"at"`
	Parts map[string]template.HTML `json:"parts,omitempty"`
	Lists map[string]listUpdate    `json:"lists,omitempty"`
}

type listUpdate struct {
	Order []string    `json:"order"`
	Rows  [][2]string `json:"rows"` // key and HTML of those that are new or have changed
}

func (v *viewer) tellFigures(ctx context.Context) error {
	if v.host != nil {
		return v.host.tell(ctx, v)
	}
	now, err := v.s.show()
	if err != nil || now == v.before {
		return err
	}
	u := now.changesSince(v.before)
	v.before = now
	return v.event("figures", "", u)
}

// changesSince is what a page needs that shows before; nil: nothing.
func (now *snapshot) changesSince(before *snapshot) update {
	if before == nil {
		before = &snapshot{}
	}
	u := update{At: now.Now, Parts: map[string]template.HTML{}, Lists: map[string]listUpdate{}}
	for id, html := range now.Parts {
		if before.Parts[id] != html {
			u.Parts[id] = html
		}
	}
	if list, changed := changesOf(before.Hosts, now.Hosts); changed {
		u.Lists["hosts"] = list
	}
	if list, changed := changesOf(before.Beats, now.Beats); changed {
		u.Lists["beats"] = list
	}
	return u
}

func changesOf(before, now []keyed) (list listUpdate, changed bool) {
	known := make(map[string]template.HTML, len(before))
	for _, row := range before {
		known[row.Key] = row.HTML
	}
	list.Order, list.Rows = make([]string, len(now)), [][2]string{}
	changed = len(before) != len(now)
	for i, row := range now {
		list.Order[i] = row.Key
		changed = changed || before[i].Key != row.Key
		if html, ok := known[row.Key]; !ok || html != row.HTML {
			list.Rows, changed = append(list.Rows, [2]string{row.Key, string(row.HTML)}), true
		}
	}
	return list, changed
}
