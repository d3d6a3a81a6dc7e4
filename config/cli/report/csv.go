package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hbjournal/sink/journal/summary"
)

// csvTime is the form of times in CSV, which are UTC.
const csvTime = "2006-01-02T15:04:05.000Z"

// table writes the CSV form: a row for each figure, so that one file holds tables of every shape.
type table struct {
	w *csv.Writer
}

// writeCSV prints r as rows of section, name, field, figure, value. Section is what name is the name of; field is set for
// the figures of plugin fields only.
func writeCSV(w io.Writer, r *summary.Report) error {
	t := table{csv.NewWriter(w)}
	t.w.Write([]string{"section", "name", "field", "figure", "value"})
	t.total(r)
	for i, n := range r.Timeline.Counts {
		at := r.Start().Add(time.Duration(i) * r.Timeline.Step)
		t.row("time", at.Format(csvTime), "", "messages", strconv.FormatUint(uint64(n), 10))
	}
	for _, k := range r.IDs {
		t.traffic("id", k.Row)
	}
	for _, h := range r.Hosts {
		t.host(h)
	}
	for _, p := range r.Plugins {
		t.plugin(p)
	}
	for _, s := range r.Sources {
		t.traffic("source", s)
	}
	t.w.Flush()
	return t.w.Error()
}

func (t *table) row(section, name, field, figure, value string) {
	t.w.Write([]string{section, CSVCell(name), CSVCell(field), figure, value})
}

// CSVCell returns text from outside so that it can do nothing in a spreadsheet: controls and invisible characters are
// spelled out, and a ' stands before what would be taken for a formula. It is not for numbers.
func CSVCell(text string) string {
	text = printable(text)
	first, _ := utf8.DecodeRuneInString(text)
	if strings.ContainsRune(formulaStarts, first) {
		return "'" + text
	}
	return text
}

// formulaStarts are what a formula begins with; some spreadsheets take the full-width forms too.
const formulaStarts = "=+-@＝＋－＠"

func (t *table) count(section, name, figure string, n int64) {
	t.row(section, name, "", figure, strconv.FormatInt(n, 10))
}

func (t *table) moment(section, name, figure string, at time.Time) {
	if !at.IsZero() {
		t.row(section, name, "", figure, at.Format(csvTime))
	}
}

func (t *table) number(section, name, field, figure string, v float64) {
	t.row(section, name, field, figure, strconv.FormatFloat(v, 'f', -1, 64))
}

func (t *table) total(r *summary.Report) {
	const section = "total"
	t.moment(section, "", "from", r.From.Time())
	t.moment(section, "", "to", r.To.Time())
	t.count(section, "", "messages", r.Total.Messages)
	t.count(section, "", "bytes", r.Total.Bytes)
	t.number(section, "", "", "messages_per_second", r.PerSecond)
	t.count(section, "", "messages_without_name", r.Unnamed.Messages)
	t.count(section, "", "missed_beats", r.Missed)
	t.count(section, "", "boots", r.Boots)
	t.count(section, "", "invalid_value", r.Invalid.Value)
	t.count(section, "", "invalid_raw", r.Invalid.Raw)
	t.count(section, "", "invalid_base64", r.Invalid.Base64)
	t.count(section, "", "invalid_reserved", r.Invalid.Reserved)
	t.count(section, "", "gaps", r.Gaps.Notes)
	t.count(section, "", "lost", r.Gaps.Lost)
	t.count(section, "", "duplicates", r.Duplicates.Count)
	t.count(section, "", "values_not_followed", r.Unfollowed)
}

func (t *table) traffic(section string, row summary.Row) {
	name := label(row, "")
	t.count(section, name, "messages", row.Messages)
	t.count(section, name, "bytes", row.Bytes)
}

func (t *table) host(h summary.Host) {
	const section = "host"
	name := label(h.Row, "")
	t.traffic(section, h.Row)
	t.moment(section, name, "first_seen", h.First.Time())
	t.moment(section, name, "last_seen", h.Last.Time())
	t.moment(section, name, "last_beat", h.LastBeat.Time())
	t.count(section, name, "beats", h.Beats)
	t.count(section, name, "missed", h.Missed)
	t.number(section, name, "", "interval_seconds", h.Interval)
	t.number(section, name, "", "kept", h.Kept)
	t.number(section, name, "", "longest_silence_seconds", h.Silence.Length().Seconds())
	t.count(section, name, "silent_at_end", boolean(h.Silent))
	t.count(section, name, "boots", h.Boots)
}

// boolean is 1 for true, as the sums of spreadsheets have it.
func boolean(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (t *table) plugin(p summary.Plugin) {
	const section = "plugin"
	name := label(p.Row, "")
	t.traffic(section, p.Row)
	for _, f := range p.Fields {
		t.number(section, name, f.Name, "count", float64(f.Count))
		t.number(section, name, f.Name, "min", f.Min)
		t.number(section, name, f.Name, "median", f.Median)
		t.number(section, name, f.Name, "p95", f.P95)
		t.number(section, name, f.Name, "max", f.Max)
	}
}
