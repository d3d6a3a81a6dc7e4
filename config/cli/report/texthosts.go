package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hbjournal/sink/journal/summary"
)

// byTrouble orders hosts by what needs a look: beats missed, then boots, then the name.
func byTrouble(a, b summary.Host) int {
	return cmp.Or(cmp.Compare(b.Missed, a.Missed), cmp.Compare(b.Boots, a.Boots), cmp.Compare(a.Name, b.Name))
}

// troubled returns at most most hosts, those that need a look first.
func troubled(hosts []summary.Host, most int) []summary.Host {
	sorted := slices.SortedFunc(slices.Values(hosts), byTrouble)
	return sorted[:min(most, len(sorted))]
}

// heartbeats prints when each host was heard.
func (t *text) heartbeats() {
	if len(t.r.Hosts) == 0 {
		return
	}
	const leastName, keptWidth = 8, 6
	hosts := troubled(t.r.Hosts, hostRows)
	nameWidth := leastName
	for _, h := range hosts {
		nameWidth = max(nameWidth, min(columnsOf(label(h.Row, "")), t.width/3))
	}
	columns := t.width - nameWidth - keptWidth - 2
	t.heading("Heartbeats", "█ heard  ▓ less  ▒ in part  · silent  ↑ boot  ! both")
	drawn := 0
	for i := range hosts {
		h := &hosts[i]
		kept := ""
		if h.Interval > 0 {
			kept = strings.ReplaceAll(percent(h.Kept), " ", "")
		}
		strip, n := t.strip(h, columns)
		drawn = max(drawn, n)
		t.line("%s %s%s %*s", pad(label(h.Row, ""), nameWidth), strip, strings.Repeat(" ", columns-n), keptWidth, kept)
	}
	t.axis(nameWidth+1, drawn)
	t.more(len(t.r.Hosts)-hostRows, " that missed fewer")
}

// strip draws when h was heard, in at most width columns, and returns how many it took. A boot is only drawn where no
// silence is.
func (t *text) strip(h *summary.Host, width int) (drawing string, columns int) {
	var b strings.Builder
	all := t.r.Columns(h, width)
	for _, c := range all {
		mark, style := stripMark(c)
		b.WriteString(t.style(style, mark))
	}
	return b.String(), len(all)
}

// stripMark is how one column of a heartbeat map is drawn.
func stripMark(c summary.Column) (mark, style string) {
	switch {
	case c.Presence == summary.Silent:
		return "·", red
	case c.Presence == summary.Broken && c.Boots > 0:
		return "!", red
	case c.Presence == summary.Broken:
		return "▒", amber
	case c.Presence == summary.Absent:
		return " ", ""
	case c.Boots > 0:
		return "↑", amber
	case c.Presence == summary.Thin:
		return "▓", green
	}
	return "█", green
}

// hosts prints the figures of each host.
func (t *text) hosts() {
	if len(t.r.Hosts) == 0 {
		return
	}
	t.heading("Hosts", fmt.Sprintf("most missed first; the longest silence; times in %s", t.r.From.Time().In(t.opt.zone()).Format("MST")))
	table := textTable{least: 14, columns: []column{
		{head: ""},
		{head: "messages", width: 9, rank: 2},
		{head: "missed", width: 7},
		{head: "every", width: 7, rank: 1},
		{head: "boots", width: 5, rank: 3},
		{head: "silence", width: 7},
		{head: "first seen", width: len(t.stamp)},
		{head: "last seen", width: len(t.stamp)},
	}}
	for _, h := range troubled(t.r.Hosts, hostRows) {
		missed, every := cell{text: fit(h.Missed, 7)}, ""
		if h.Missed > 0 {
			missed.style = red
		}
		if h.Interval > 0 {
			every = span(seconds(h.Interval))
		}
		table.add(cell{text: label(h.Row, "")}, cell{text: fit(h.Messages, 9)}, missed, cell{text: every}, cell{text: fit(h.Boots, 5)},
			cell{text: briefly(h.Silence.Length())}, t.at(h.First.Time()), t.at(h.Last.Time()))
	}
	t.table(&table)
	t.more(len(t.r.Hosts)-hostRows, " that missed fewer")
}

// at is a time in a table.
func (t *text) at(at time.Time) cell { return cell{text: at.In(t.opt.zone()).Format(t.stamp)} }

// stampLayout returns how times are written in tables: with no more of the date than it takes.
func stampLayout(r *summary.Report, zone *time.Location) string {
	from, to := r.From.Time().In(zone), r.To.Time().In(zone)
	switch {
	case from.Year() != to.Year():
		return "2006-01-02 15:04"
	case from.YearDay() != to.YearDay():
		return "01-02 15:04:05"
	}
	return "15:04:05"
}

// briefly is span for a table: nothing for no time at all, and no thousandths.
func briefly(d time.Duration) string {
	switch {
	case d <= 0:
		return "–"
	case d >= time.Second:
		d = d.Truncate(time.Second)
	}
	return strings.ReplaceAll(span(d), " ", "")
}

// Briefly returns d in its two largest units: "1d6h", "12m", "30s"; a dash for none.
func Briefly(d time.Duration) string { return briefly(d) }
