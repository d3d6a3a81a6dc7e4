package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"hbjournal/config/cli/chart"
	"hbjournal/sink/journal/summary"
)

// Sizes of the text form, in columns or rows.
const (
	textWidth = 80
	barWidth  = 24
	mapWidth  = 24
	topRows   = 10
	hostRows  = 25
)

// text prints a report in the text form. Errors stay in the bufio.Writer until the end.
type text struct {
	*bufio.Writer
	r   *summary.Report
	opt Options
}

func writeText(w io.Writer, r *summary.Report, opt Options) error {
	t := text{bufio.NewWriter(w), r, opt}
	t.head()
	if r.Total.Messages > 0 {
		t.rate()
		t.traffic("By ID", rowsOf(r.IDs, func(k *summary.Kind) summary.Row { return k.Row }), "(no ID)")
		t.hosts()
		t.traffic("By plugin", rowsOf(r.Plugins, func(p *summary.Plugin) summary.Row { return p.Row }), "")
		t.fields()
		t.traffic("By source", r.Sources, "")
		t.gaps()
	}
	for _, note := range opt.Notes {
		fmt.Fprintf(t, "\n%s\n", printable(note))
	}
	return t.Flush()
}

func rowsOf[T any](in []T, row func(*T) summary.Row) []summary.Row {
	out := make([]summary.Row, len(in))
	for i := range in {
		out[i] = row(&in[i])
	}
	return out
}

// heading prints the name of a section, and beside it what it shows.
func (t *text) heading(name, about string) {
	t.WriteString("\n" + t.style(bold, name))
	if about != "" {
		t.WriteString("  " + t.style(dim, about))
	}
	t.WriteString("\n")
}

// The styles of a terminal.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	amber = "\x1b[33m"
	green = "\x1b[32m"
	reset = "\x1b[0m"
)

func (t *text) style(style, s string) string {
	if !t.opt.Color || style == "" {
		return s
	}
	return style + s + reset
}

func (t *text) head() {
	r := t.r
	fmt.Fprintf(t, "%s\n%s\n\n", t.style(bold, shorten(t.opt.title(), textWidth)), period(r, t.opt.zone()))
	each := ""
	if r.Total.Messages > 0 {
		each = count(r.Total.Bytes/r.Total.Messages) + " B each"
	}
	beats := int64(0)
	for _, h := range r.Hosts {
		beats += h.Beats
	}
	kept := ""
	if beats > 0 {
		kept = share(beats, beats+r.Missed) + " kept"
	}
	t.pair("Messages", fit(r.Total.Messages, 12), figure(r.PerSecond)+"/s", "Hosts", count(int64(len(r.Hosts))), "")
	t.pair("Bytes", size(r.Total.Bytes), each, "Beats missed", fit(r.Missed, 12), kept)
	t.pair("Sources", count(int64(len(r.Sources))), "", "Boots", fit(r.Boots, 12), "")
	t.pair("Invalid", fit(r.Invalid.Total(), 12), "", "Lost", fit(r.Gaps.Lost, 12), "in "+plural(r.Gaps.Notes, "gap", "gaps"))
	t.pair("Duplicates", fit(r.Duplicates.Count, 12), "", "Without name", fit(r.Unnamed.Messages, 12), "")
}

// pair prints two figures side by side, each with a remark.
func (t *text) pair(a, av, ar, b, bv, br string) {
	line := fmt.Sprintf("%-11s%12s  %-14s %-13s%12s  %s", a, av, ar, b, bv, br)
	t.WriteString(strings.TrimRight(line, " ") + "\n")
}

func (t *text) rate() {
	const narrow = textWidth - 2
	r := t.r
	rates := squeeze(r.Rate(r.Timeline.Counts), narrow)
	peak := slices.Max(rates)
	t.heading("Rate", fmt.Sprintf("up to %s messages a second", figure(peak)))
	t.WriteString(sparkline(rates, peak) + "\n")
	if len(rates) > 20 {
		t.WriteString(axis(chart.Ticks(r.Start(), r.End(), 5, t.opt.zone()), len(rates)) + "\n")
	}
}

// squeeze returns at most width values: the means of as many neighbours as it takes.
func squeeze(values []float64, width int) []float64 {
	per := (len(values) + width - 1) / width
	var out []float64
	for group := range slices.Chunk(values, max(per, 1)) {
		sum := 0.0
		for _, v := range group {
			sum += v
		}
		out = append(out, sum/float64(len(group)))
	}
	return out
}

// sparkline draws values as columns of eight heights; only nothing at all has none.
func sparkline(values []float64, peak float64) string {
	heights := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		if v <= 0 || peak <= 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(heights[min(int(v/peak*float64(len(heights))), len(heights)-1)])
	}
	return b.String()
}

// axis writes each tick below its column, as far as there is room.
func axis(marks []chart.Tick, width int) string {
	line := ""
	for _, m := range marks {
		at := int(m.At * float64(width))
		if used := runewidth.StringWidth(line); (used == 0 || at > used) && at+len(m.Text) <= textWidth {
			line += strings.Repeat(" ", at-used) + m.Text
		}
	}
	return line
}

// bar draws value as a share of peak, in eighths of a column.
func bar(value, peak int64) string {
	eighths := int(math.Ceil(float64(value) / float64(max(peak, 1)) * barWidth * 8))
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return text
}

// traffic prints the table of one kind of name, most messages first.
func (t *text) traffic(name string, rows []summary.Row, none string) {
	if len(rows) == 0 {
		return
	}
	t.heading(name, "")
	const nameWidth = 22
	peak := slices.MaxFunc(rows, func(a, b summary.Row) int { return cmp.Compare(a.Messages, b.Messages) }).Messages
	for _, row := range rows[:min(topRows, len(rows))] {
		fmt.Fprintf(t, "%s %13s %7s %8s  %s\n", pad(label(row, none), nameWidth), fit(row.Messages, 13),
			share(row.Messages, t.r.Total.Messages), size(row.Bytes), t.style(green, bar(row.Messages, peak)))
	}
	t.more(len(rows)-topRows, "")
}

// more says how many rows were left out.
func (t *text) more(n int, order string) {
	if n > 0 {
		t.WriteString(t.style(dim, fmt.Sprintf("and %s more%s: -o csv has them all", count(int64(n)), order)) + "\n")
	}
}

// pad returns s in exactly width columns.
func pad(s string, width int) string {
	return runewidth.FillRight(shorten(s, width), width)
}

// byTrouble orders hosts by what needs a look: beats missed, then boots, then the name.
func byTrouble(a, b summary.Host) int {
	return cmp.Or(cmp.Compare(b.Missed, a.Missed), cmp.Compare(b.Boots, a.Boots), cmp.Compare(a.Name, b.Name))
}

func (t *text) hosts() {
	if len(t.r.Hosts) == 0 {
		return
	}
	hosts := slices.SortedFunc(slices.Values(t.r.Hosts), byTrouble)
	t.heading("Hosts", "█ heard  ▓ less than usual  ▒ in part  · silent  ↑ boot")
	const nameWidth = 18
	t.WriteString(t.style(dim, fmt.Sprintf("%s %9s %6s %6s %6s %5s", pad("most beats missed", nameWidth),
		"messages", "missed", "kept", "every", "boots")) + "\n")
	for i := range hosts[:min(hostRows, len(hosts))] {
		h := &hosts[i]
		kept, every := "", ""
		if h.Interval > 0 {
			kept, every = strings.ReplaceAll(percent(h.Kept), " ", ""), span(seconds(h.Interval))
		}
		missed := fmt.Sprintf("%6s", fit(h.Missed, 6))
		if h.Missed > 0 {
			missed = t.style(red, missed)
		}
		fmt.Fprintf(t, "%s %9s %s %6s %6s %5s %s\n", pad(label(h.Row, ""), nameWidth),
			fit(h.Messages, 9), missed, kept, shorten(every, 6), fit(h.Boots, 5), t.strip(h))
	}
	t.more(len(hosts)-hostRows, " that missed fewer")
}

// strip draws when h was heard.
func (t *text) strip(h *summary.Host) string {
	var b strings.Builder
	for _, c := range t.r.Columns(h, mapWidth) {
		if c.Boots > 0 {
			b.WriteString(t.style(amber, "↑"))
			continue
		}
		switch c.Presence {
		case summary.Absent:
			b.WriteString(" ")
		case summary.Silent:
			b.WriteString(t.style(red, "·"))
		case summary.Broken:
			b.WriteString(t.style(amber, "▒"))
		case summary.Thin:
			b.WriteString(t.style(green, "▓"))
		case summary.Present:
			b.WriteString(t.style(green, "█"))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func (t *text) fields() {
	var lines []string
	for _, p := range t.r.Plugins {
		for _, f := range p.Fields {
			lines = append(lines, fmt.Sprintf("%s %s %10s %9s %9s %9s %9s", pad(label(p.Row, ""), 16),
				pad(printable(f.Name), 12), fit(f.Count, 10), figure(f.Min), figure(f.Median), figure(f.P95), figure(f.Max)))
		}
	}
	if len(lines) == 0 {
		return
	}
	t.heading("Plugin fields", "median and 95th percentile within 1 %")
	t.WriteString(t.style(dim, fmt.Sprintf("%s %s %10s %9s %9s %9s %9s", pad("plugin", 16), pad("field", 12),
		"values", "min", "median", "95th", "max")) + "\n")
	const most = 4 * topRows
	for _, line := range lines[:min(most, len(lines))] {
		t.WriteString(line + "\n")
	}
	t.more(len(lines)-most, "")
}

func (t *text) gaps() {
	g := t.r.Gaps
	if len(g.List) == 0 {
		return
	}
	t.heading("Gaps", "what the journal says was lost")
	for _, gap := range g.List[:min(topRows, len(g.List))] {
		fmt.Fprintf(t, "%s  %s lost  %s\n", moment(gap.At.Time(), t.opt.zone()), fit(gap.Lost, 12), shorten(printable(gap.Reason), 40))
	}
	t.more(int(g.Notes)-topRows, "")
}
