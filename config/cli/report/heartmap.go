package report

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"hbjournal/config/cli/chart"
	"hbjournal/sink/journal/summary"
)

const (
	mapRows    = 150 // hosts in the heartbeat map, those with the most beats missed
	mapColumns = 288 // columns at most: five minutes of a day each
)

// beatRow is one host of the heartbeat map.
type beatRow struct {
	Host   string // as it calls itself
	Name   string // as it is shown
	Kept   string // share of beats that came, "" if none were promised
	Missed string
	Class  string // "calm" or "trouble"
	Strip  template.HTML
}

// heartMap returns the rows of the map in the order of the names.
func heartMap(r *summary.Report, zone *time.Location) []beatRow {
	hosts := troubled(r.Hosts, mapRows)
	slices.SortFunc(hosts, func(a, b summary.Host) int { return byNumber(a.Name, b.Name) })
	var rows []beatRow
	for i := range hosts {
		h := &hosts[i]
		row := beatRow{Host: h.Name, Name: label(h.Row, ""), Class: "calm", Strip: strip(r, h, zone)}
		if h.Interval > 0 {
			row.Kept = percent(h.Kept)
		}
		if h.Missed > 0 {
			row.Class, row.Missed = "trouble", count(h.Missed)
		}
		rows = append(rows, row)
	}
	return rows
}

// strip draws when h was heard: a run for columns that are alike, and a mark for each boot.
func strip(r *summary.Report, h *summary.Host, zone *time.Location) template.HTML {
	columns, what := r.Columns(h, mapColumns), "message"
	if h.Beats > 0 {
		what = "beat"
	}
	s := chart.Strip{Label: presenceText(h), Columns: len(columns)}
	for from := 0; from < len(columns); {
		to := from + 1
		for to < len(columns) && columns[to].Presence == columns[from].Presence {
			to++
		}
		if columns[from].Presence != summary.Absent {
			s.Runs = append(s.Runs, runOf(columns[from:to], from, what, zone))
		}
		from = to
	}
	length := float64(r.End().Sub(r.Start()))
	for _, booted := range h.BootedAt {
		at := booted.Time()
		s.Marks = append(s.Marks, chart.Mark{At: float64(at.Sub(r.Start())) / length, Text: "boot " + moment(at, zone)})
	}
	return s.SVG()
}

// presenceWords name each Presence, as a CSS class and as a word.
func presenceWords(p summary.Presence) (class, word string) {
	switch p {
	case summary.Silent:
		return "silent", "silent"
	case summary.Broken:
		return "broken", "silent in part"
	case summary.Thin:
		return "thin", "fewer than usual"
	case summary.Present:
		return "present", "heard"
	}
	return "absent", "not seen yet"
}

// runOf makes one run of columns that are alike, of which the first stands at at. What is what is counted.
func runOf(columns []summary.Column, at int, what string, zone *time.Location) chart.Run {
	class, word := presenceWords(columns[0].Presence)
	heard := int64(0)
	for _, c := range columns {
		heard += c.Count
	}
	return chart.Run{
		Kind: class, At: at, Len: len(columns), Headline: word,
		Text: fmt.Sprintf("%s – %s, %s", moment(columns[0].From, zone), moment(columns[len(columns)-1].To, zone),
			plural(heard, what, what+"s")),
	}
}

// presenceText says in words what a strip shows.
func presenceText(h *summary.Host) string {
	text := fmt.Sprintf("%s missed, %s", plural(h.Missed, "beat", "beats"), plural(h.Boots, "boot", "boots"))
	if d := h.Silence.Length(); d > 0 {
		text += ", silent for up to " + span(d)
	}
	return text
}
