package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"hbjournal/sink/journal/summary"
)

const (
	mapRows    = 150 // hosts in the heartbeat map, those with the most beats missed
	mapColumns = 288 // columns at most: five minutes of a day each
	mapHeight  = 10  // of a row's drawing, which is stretched to the row's size
)

// beatRow is one host of the heartbeat map.
type beatRow struct {
	Name   string
	Kept   string // share of beats that came, "" if none were promised
	Missed string
	Class  string // "calm" or "trouble"
	Strip  template.HTML
}

// heartMap returns the rows of the map in the order of the names.
func heartMap(r *summary.Report, zone *time.Location) []beatRow {
	hosts := slices.SortedFunc(slices.Values(r.Hosts), byTrouble)
	hosts = hosts[:min(mapRows, len(hosts))]
	slices.SortFunc(hosts, func(a, b summary.Host) int { return byNumber(a.Name, b.Name) })
	var rows []beatRow
	for i := range hosts {
		h := &hosts[i]
		row := beatRow{Name: label(h.Row, ""), Class: "calm", Strip: strip(r, h, zone)}
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

// strip draws when h was heard: a rectangle for each run of columns that are alike, and a mark for each boot. Silence is
// told by shape as well as by colour, as a line instead of a full bar.
func strip(r *summary.Report, h *summary.Host, zone *time.Location) template.HTML {
	columns, what := r.Columns(h, mapColumns), "message"
	if h.Beats > 0 {
		what = "beat"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`,
		len(columns), mapHeight, template.HTMLEscapeString(presenceText(h)))
	for from := 0; from < len(columns); {
		to := from + 1
		for to < len(columns) && columns[to].Presence == columns[from].Presence {
			to++
		}
		writeRun(&b, columns[from:to], from, what, zone)
		from = to
	}
	for _, at := range h.BootedAt {
		x := float64(len(columns)) * float64(at.Sub(r.Timeline.Start)) / float64(timelineEnd(r).Sub(r.Timeline.Start))
		fmt.Fprintf(&b, `<path class="boot" d="M %.2f 0 V %d"><title>boot %s</title></path>`, x, mapHeight, moment(at, zone))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
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

func writeRun(b *strings.Builder, run []summary.Column, at int, what string, zone *time.Location) {
	class, word := presenceWords(run[0].Presence)
	if run[0].Presence == summary.Absent {
		return
	}
	heard := int64(0)
	for _, c := range run {
		heard += c.Count
	}
	fmt.Fprintf(b, `<rect class="%s" x="%d" width="%d" height="%d"><title>%s
%s – %s, %s</title></rect>`, class, at, len(run), mapHeight, word,
		moment(run[0].From, zone), moment(run[len(run)-1].To, zone), plural(heard, what, what+"s"))
	if run[0].Presence == summary.Silent {
		fmt.Fprintf(b, `<path class="silence" d="M %d %d h %d"/>`, at, mapHeight/2, len(run))
	}
}

// presenceText says in words what a strip shows.
func presenceText(h *summary.Host) string {
	text := fmt.Sprintf("%s missed, %s", plural(h.Missed, "beat", "beats"), plural(h.Boots, "boot", "boots"))
	if d := h.Silence.To.Sub(h.Silence.From); d > 0 {
		text += ", silent for up to " + span(d)
	}
	return text
}
