package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"hbjournal/config/cli/report"
)

const (
	reportWithin = 30 * time.Second
	chunk        = 64 << 10
)

// report is /report: the report of a range. One is made at a time, and none for a client that has gone away.
func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	since, until := r.URL.Query().Get("since"), r.URL.Query().Get("until")
	if since == "" {
		since = "1h"
	}
	if !s.reports.take() {
		w.Header().Set("Retry-After", "5")
		s.sorry(w, http.StatusServiceUnavailable, "Another report is being made", "One is made at a time. Load this page again in a moment.")
		return
	}
	giveBack := sync.OnceFunc(s.reports.giveBack)
	defer giveBack()
	ctx, cancel := context.WithTimeout(r.Context(), reportWithin)
	defer cancel()
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(reportWithin + writeWithin)); err != nil {
		return // The client has gone away.
	}
	var page bytes.Buffer
	switch err := s.opt.Report(ctx, &page, since, until); {
	case errors.Is(err, ErrRange):
		s.sorry(w, http.StatusBadRequest, "No such range", report.Printable(cut(err.Error(), 500)))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		s.sorry(w, http.StatusGatewayTimeout, "The report took too long",
			"It was given up after 30 seconds. Ask for less time, or let 'hbjournal report -o html' make it, which takes as long as it needs.")
	case r.Context().Err() != nil: // Nobody waits for it.
	case err != nil:
		s.opt.Log.Warn().Err(err).Msg("a report cannot be made")
		s.sorry(w, http.StatusInternalServerError, "The report cannot be made", report.Printable(cut(err.Error(), 500)))
	default:
		giveBack() // It is made, however slow the client is.
		w.Header().Set("Content-Security-Policy", report.Policy())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		writeSlowly(w, page.Bytes())
	}
}

// writeSlowly writes what is long to a client that may be slow, as long as it goes on reading.
func writeSlowly(w http.ResponseWriter, text []byte) {
	for len(text) > 0 {
		n := min(chunk, len(text))
		if extend(w) != nil {
			return
		}
		if _, err := w.Write(text[:n]); err != nil {
			return
		}
		text = text[n:]
	}
}

// stats is /stats: what the daemon says of itself, and how the hosts stand.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	g, whole, fault := s.watch.current()
	out := struct {
		Hosts    map[string]int  `json:"hosts"`
		Complete bool            `json:"complete"` // the last 24 hours were read
		Fault    string          `json:"fault,omitempty"`
		Streams  int             `json:"streams"`
		Daemon   json.RawMessage `json:"daemon,omitempty"`
		NoDaemon string          `json:"daemon_error,omitempty"`
	}{Hosts: s.countStates(), Complete: g != nil && whole == nil && !g.part, Fault: fault, Streams: s.streams.used()}
	if s.opt.Ask != nil {
		ctx, cancel := context.WithTimeout(r.Context(), askEvery)
		defer cancel()
		code, text, err := s.opt.Ask(ctx, "/stats")
		switch {
		case err != nil:
			out.NoDaemon = err.Error()
		case code != http.StatusOK || !json.Valid([]byte(text)):
			out.NoDaemon = "what answers there is no daemon of this version"
		default:
			out.Daemon = json.RawMessage(text)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(out) // The client may have gone away.
}
