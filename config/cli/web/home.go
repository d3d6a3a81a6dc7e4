package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

const (
	firstLines  = 50
	linesWithin = 400 * time.Millisecond // to look for them, before the page is shown without more
	refreshing  = 10                     // seconds
)

// home is the first page.
type home struct {
	frame
	*snapshot
	Filter      query
	FilterFault string
	Paused      bool
	Lines       []item
	LinesFault  string
}

func (s *Server) showHome(w http.ResponseWriter, r *http.Request) {
	shown, err := s.show()
	if err != nil {
		s.opt.Log.Error().Err(err).Msg("a page cannot be made")
		writeText(w, http.StatusInternalServerError, "the page cannot be made: the log of 'hbjournal web' has the reason")
		return
	}
	values := r.URL.Query()
	page := home{frame: s.frame(s.opt.Title), snapshot: shown, Filter: queryOf(values), Paused: values.Has("pause")}
	if !page.Paused {
		page.Refresh = refreshing
	}
	filter, err := page.Filter.filter()
	code := http.StatusOK
	if err != nil {
		page.FilterFault, code = err.Error(), http.StatusBadRequest
	} else {
		var at place
		page.Lines, at, page.LinesFault = s.lastLines(r.Context(), filter, firstLines)
		page.At, page.Query = s.roster.text(at), page.Filter.Text()
	}
	s.showPage(w, code, "home.html", page)
}

// lastLines are the newest entries, the oldest of them first, and the position behind them. fault is why there may be more.
func (s *Server) lastLines(ctx context.Context, filter *journal.Filter, most int) (lines []item, at place, fault string) {
	if !s.readings.take() {
		return nil, s.start(), "Others are being served: load again for the last entries."
	}
	defer s.readings.giveBack()
	ctx, cancel := context.WithTimeout(ctx, linesWithin)
	defer cancel()
	opt := s.lean()
	source := read.OpenBack(opt)
	defer source.Close()
	found := read.NewReader(ctx, source, filter, nil)
	for len(lines) < most && found.Next() {
		lines = append(lines, itemOf(found.Entry(), s.opt.Zone))
	}
	slices.Reverse(lines)
	switch err := found.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		fault = "The search for older entries was ended after a moment; hbjournal query finds them all."
	case err != nil:
		fault = "The last entries cannot be read: " + err.Error()
	}
	at = source.Ends()
	if len(at) != len(opt.Each()) {
		at = s.start()
	}
	return lines, at, fault
}

// lean is the reading of the journals for one of many who look.
func (s *Server) lean() read.Options {
	opt := s.roster.options()
	opt.Lean = true
	return opt
}

// start is the beginning of all journals.
func (s *Server) start() place {
	return place{}.grown(len(s.roster.all()))
}

// newest is the position behind all that there is.
func (s *Server) newest(ctx context.Context) (place, error) {
	opt := s.lean()
	source := read.OpenBack(opt)
	defer source.Close()
	var block read.Block
	if err := source.Read(ctx, &block); err != nil && err != io.EOF {
		return nil, err
	}
	if at := source.Ends(); len(at) == len(opt.Each()) {
		return at, nil
	}
	return s.start(), nil
}
