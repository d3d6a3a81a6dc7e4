package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

const (
	rangeLines  = 1000    // that are shown of a range
	rangeBytes  = 2 << 20 // of them
	rangeWithin = 3 * time.Second
)

// rangePage is the messages of a range, all of them: those that a stream skipped are among them.
type rangePage struct {
	frame
	Heading string
	About   string
	Command string // that prints them; "": it is not known
	Lines   []item
}

// showRange is /messages: those from an instant to another, both included, in Unix milliseconds, that match.
func (s *Server) showRange(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	q := queryOf(values)
	q.Host = values.Get("host")
	from, errFrom := instantOf(values.Get("from"))
	to, errTo := instantOf(values.Get("to"))
	filter, err := q.filter()
	if err := errors.Join(errFrom, errTo, err); err != nil {
		s.sorry(w, http.StatusBadRequest, "No such range", report.Printable(cut(err.Error(), 500)))
		return
	}
	if !s.readings.take() {
		w.Header().Set("Retry-After", "5")
		s.sorry(w, http.StatusServiceUnavailable, "Others are being served", "Load this page again in a moment.")
		return
	}
	giveBack := sync.OnceFunc(s.readings.giveBack)
	defer giveBack()
	page := rangePage{frame: s.frame("Messages of a range"), Heading: s.rangeText(from, to)}
	if s.opt.Command != nil {
		page.Command = s.opt.Command(q.flags(from, to.Add(time.Millisecond))...)
	}
	page.Lines, page.About = s.linesOf(r.Context(), filter, from, to.Add(time.Millisecond))
	giveBack() // The rest is the client's time.
	s.showPage(w, http.StatusOK, "range.html", page)
}

// instantOf reads Unix milliseconds.
func instantOf(text string) (time.Time, error) {
	const latest = 253_402_300_799_000 // the end of the year 9999
	millis, err := strconv.ParseInt(text, 10, 64)
	if err != nil || millis <= 0 || millis > latest {
		return time.Time{}, fmt.Errorf("from and to are Unix milliseconds, not %q", cut(text, 50))
	}
	return time.UnixMilli(millis), nil
}

func (s *Server) rangeText(from, to time.Time) string {
	from, to = from.In(s.opt.Zone), to.In(s.opt.Zone)
	end := "15:04:05.000"
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		end = "2006-01-02 15:04:05.000"
	}
	return from.Format("2006-01-02 15:04:05.000") + " to " + to.Format(end)
}

// linesOf are the first entries of a range, and what is to be said of them.
func (s *Server) linesOf(ctx context.Context, filter *journal.Filter, from, until time.Time) (lines []item, about string) {
	ctx, cancel := context.WithTimeout(ctx, rangeWithin)
	defer cancel()
	opt := s.lean()
	opt.Since, opt.Until, opt.More = from, until, nil
	timely, err := journal.NewFilter(journal.FilterOptions{Since: from, Until: until})
	if err != nil {
		return nil, report.Printable(err.Error())
	}
	source, err := read.Open(opt)
	if err != nil {
		return nil, "They cannot be read: " + report.Printable(err.Error())
	}
	defer source.Close()
	found, size, more := read.NewReader(ctx, source, timely, nil), 0, false
	for found.Next() {
		if filter != nil && !filter.Match(found.Entry()) {
			continue
		}
		if more = len(lines) == rangeLines || size > rangeBytes; more {
			break
		}
		lines = append(lines, itemOf(found.Entry(), s.opt.Zone))
		size += len(lines[len(lines)-1].Text)
	}
	shown := report.Count(int64(len(lines)))
	switch err := found.Err(); {
	case more:
		return lines, fmt.Sprintf("The first %s are shown; the command prints all.", shown)
	case errors.Is(err, context.DeadlineExceeded):
		return lines, fmt.Sprintf("The search was ended after a moment, with %s found; the command prints all.", shown)
	case err != nil:
		return lines, fmt.Sprintf("There are %s, and more that cannot be read: %s", shown, report.Printable(err.Error()))
	case len(lines) == 0:
		return nil, "There are none: the files that held them may have been pruned since."
	}
	return lines, fmt.Sprintf("There are %s.", shown)
}

// flags are those of `query` that ask for the same.
func (q query) flags(from, until time.Time) []string {
	flags := []string{"--since", secondsText(from), "--until", secondsText(until)}
	for _, name := range strings.Fields(q.Name) {
		flags = append(flags, "--name", name)
	}
	if q.Host != "" {
		flags = append(flags, "--name", exactly(q.Host))
	}
	for _, match := range strings.Fields(q.Match) {
		flags = append(flags, "--match", match)
	}
	return flags
}

func secondsText(t time.Time) string {
	return fmt.Sprintf("%d.%03d", t.Unix(), t.UnixMilli()%1000)
}
