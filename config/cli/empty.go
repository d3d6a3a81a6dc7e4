package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"hbjournal/config"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// sayEmpty tells, on standard error, what is said of no entry that was found, and what there is of that which was asked for.
func (r *reading) sayEmpty(ctx context.Context, said string) {
	var hints []string
	if !r.options.ReadsStdin() { // It cannot be read once more.
		parts := []string{said}
		all := r.options
		all.Since, all.Until = time.Time{}, time.Time{}
		for _, q := range qualities {
			if asked := r.asked(q); len(asked) > 0 {
				values := q.values(ctx, all, func(string) bool { return true })
				parts = append(parts, q.here(values))
				hints = append(hints, q.meant(asked, values)...)
			}
		}
		if r.options.Since != (time.Time{}) || r.options.Until != (time.Time{}) || len(parts) == 1 {
			parts = append(parts, r.span(ctx, all))
		}
		said = strings.Join(parts, "; ")
	}
	fmt.Fprintf(r.env.Stderr, "hbjournal: %s\n", said)
	for _, match := range r.matches {
		if strings.HasPrefix(match, inMessage) {
			hints = append(hints, fmt.Sprintf("paths begin within the message: --match %s", strings.TrimPrefix(match, inMessage)))
		}
	}
	for _, hint := range hints {
		fmt.Fprintf(r.env.Stderr, "hbjournal: hint: %s\n", visible(hint))
	}
}

// asked are the values that the flag of q was given.
func (s *selection) asked(q quality) []string {
	return map[string][]string{"id": s.ids, "name": s.names, "plugin": s.plugins, "source": s.sources}[q.flag]
}

// here lists values: as many as fit a line or two, since they come from the network.
func (q quality) here(values []string) string {
	const most, widest = 8, 40
	if len(values) == 0 {
		return "no " + q.plural + " here"
	}
	var shown []string
	for _, v := range values[:min(most, len(values))] {
		shown = append(shown, runewidth.Truncate(visible(v), widest, "…"))
	}
	text := q.plural + " here: " + strings.Join(shown, ", ")
	if more := len(values) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// meant are hints at values that were nearly asked for: values are matched as they are.
func (q quality) meant(asked, values []string) (hints []string) {
	for _, a := range asked {
		if slices.Contains(values, a) {
			continue
		}
		near := config.Nearest(a, values)
		if i := slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, a) }); i >= 0 {
			near = values[i]
		}
		if near != "" {
			hints = append(hints, fmt.Sprintf("did you mean --%s %s?", q.flag, near))
		}
	}
	return hints
}

// span says from when to when the entries are.
func (r *reading) span(ctx context.Context, opt read.Options) string {
	first, errFirst := r.firstOf(ctx, opt)
	opt.Reverse = true
	last, errLast := r.firstOf(ctx, opt)
	if errFirst != nil || errLast != nil || first == nil || last == nil {
		return "the journal is empty"
	}
	show := func(e *journal.Entry) string {
		return time.UnixMilli(e.Millis).In(r.zone()).Format(time.RFC3339)
	}
	return fmt.Sprintf("entries here are from %s to %s", show(first), show(last))
}

// firstOf is the first entry of a reading; nil: there is none.
func (r *reading) firstOf(ctx context.Context, opt read.Options) (*journal.Entry, error) {
	source, err := read.Open(opt)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	entries := read.NewReader(ctx, source, nil, nil)
	if !entries.Next() {
		return nil, entries.Err()
	}
	first := entries.Entry().Clone()
	return &first, nil
}
