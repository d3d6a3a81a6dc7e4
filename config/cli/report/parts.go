package report

import (
	"time"

	"hbjournal/config/cli/chart"
	"hbjournal/sink/journal/summary"
)

// The parts of the page, for the live page, which is made of the same.

// Beats is one row of a heartbeat map.
type Beats = beatRow

// HeartMap returns the rows of the heartbeat map, in the order of the names.
func HeartMap(r *summary.Report, zone *time.Location) []Beats { return heartMap(r, zone) }

// RateChart is the chart of messages a second, by ID.
func RateChart(r *summary.Report, zone *time.Location) chart.Area { return rateChart(r, zone) }

// Printable returns s with every character that does not print spelled out, as \u202e.
func Printable(s string) string { return printable(s) }

// Count returns n with commas between thousands.
func Count(n int64) string { return count(n) }

// Fit is Count in at most width columns, with the prefix of a power of a thousand if need be.
func Fit(n int64, width int) string { return fit(n, width) }

// Figure returns a measured value in about four digits.
func Figure(v float64) string { return figure(v) }

// Span returns d in its two largest units.
func Span(d time.Duration) string { return span(d) }

// Size returns n bytes in a suitable unit.
func Size(n int64) string { return size(n) }

// Plural returns n and the word for that many.
func Plural(n int64, one, many string) string { return plural(n, one, many) }
