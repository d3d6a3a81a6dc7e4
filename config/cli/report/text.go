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

// Rows of the text form's sections.
const (
	topRows  = 10
	hostRows = 25
)

// text prints a report in the text form. Errors stay in the bufio.Writer until the end.
type text struct {
	*bufio.Writer
	r     *summary.Report
	opt   Options
	width int    // in columns
	stamp string // layout of the times in tables
}

func writeText(w io.Writer, r *summary.Report, opt Options) error {
	t := text{bufio.NewWriter(w), r, opt, opt.width(), stampLayout(r, opt.zone())}
	t.head()
	if r.Total.Messages > 0 {
		t.silent()
		t.rate()
		t.heartbeats()
		t.hosts()
		t.traffic("By ID", rowsOf(r.IDs, func(k *summary.Kind) summary.Row { return k.Row }), "(no ID)")
		t.traffic("By plugin", rowsOf(r.Plugins, func(p *summary.Plugin) summary.Row { return p.Row }), "")
		t.fields()
		t.traffic("By source", r.Sources, "")
		t.gaps()
	}
	if r.Total.Messages == 0 {
		t.WriteString("\nNo message is in this range.\n")
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

// heading prints the name of a section and what it shows, beside it if there is room.
func (t *text) heading(name, about string) {
	between := "  "
	if runewidth.StringWidth(name)+len(between)+runewidth.StringWidth(about) > t.width {
		between = "\n"
	}
	t.WriteString("\n" + t.style(bold, name))
	if about != "" {
		t.WriteString(between + t.style(dim, about))
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
	if !t.opt.Color || style == "" || s == "" {
		return s
	}
	return style + s + reset
}

// total is one of the figures at the top, with a remark.
type total struct{ name, value, remark string }

func (t *text) head() {
	r := t.r
	fmt.Fprintf(t, "%s\n%s\n\n", t.style(bold, shorten(t.opt.title(), t.width)), shorten(period(r, t.opt.zone()), t.width))
	each := ""
	if r.Total.Messages > 0 {
		each = count(r.Total.Bytes/r.Total.Messages) + " B each"
	}
	left := []total{
		{"Messages", fit(r.Total.Messages, 12), figure(r.PerSecond) + "/s"},
		{"Bytes", size(r.Total.Bytes), each},
		{"Sources", count(int64(len(r.Sources))), ""},
		{"Invalid", fit(r.Invalid.Total(), 12), reservedRemark(r)},
		{"Duplicates", fit(r.Duplicates.Count, 12), ""},
	}
	right := []total{
		{"Hosts", count(int64(len(r.Hosts))), strings.TrimSuffix(silentRemark(r), " at the end")},
		{"Beats missed", fit(r.Missed, 12), keptRemark(r)},
		{"Boots", fit(r.Boots, 12), ""},
		{"Lost", fit(r.Gaps.Lost, 12), "in " + plural(r.Gaps.Notes, "gap", "gaps")},
		{"Without name", fit(r.Unnamed.Messages, 12), ""},
	}
	const besides = 80 // from this width on they stand side by side
	for i := range left {
		a, b := left[i], right[i]
		if t.width >= besides {
			t.line("%-11s%12s  %-14s %-13s%12s  %s", a.name, a.value, a.remark, b.name, b.value, b.remark)
			continue
		}
		left[i].name = pad(a.name, 13)
		t.line("%s%12s  %s", left[i].name, a.value, a.remark)
	}
	if t.width < besides {
		for _, b := range right {
			t.line("%-13s%12s  %s", b.name, b.value, b.remark)
		}
	}
}

// line prints a line without spaces at its end.
func (t *text) line(format string, args ...any) {
	t.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// silent prints who is silent at the end of the report.
func (t *text) silent() {
	if len(t.r.Hosts) == 0 {
		return
	}
	silent := t.r.SilentHosts()
	if len(silent) == 0 {
		t.heading("Silent at the end", fmt.Sprintf("none of %s", plural(int64(len(t.r.Hosts)), "host", "hosts")))
		return
	}
	t.heading("Silent at the end", fmt.Sprintf("%s of %s, the longest first", count(int64(len(silent))),
		plural(int64(len(t.r.Hosts)), "host", "hosts")))
	table := textTable{least: 14, columns: []column{
		{head: ""}, {head: "last beat", width: len(t.stamp)}, {head: "for", width: 8}, {head: "missed", width: 8}, {head: "every", width: 7},
	}}
	for _, h := range silent[:min(hostRows, len(silent))] {
		now := h.Standing(t.r.To.Time())
		table.add(cell{label(h.Row, ""), red}, t.at(now.LastBeat.Time()), cell{text: briefly(t.r.To.Sub(now.LastBeat))},
			cell{text: fit(now.Missed, 8)}, cell{text: span(seconds(h.Interval))})
	}
	t.table(&table)
	t.more(len(silent)-hostRows, "")
}

func (t *text) rate() {
	rates := squeeze(t.r.Rate(t.r.Timeline.Counts), t.width)
	peak := slices.Max(rates)
	t.heading("Rate", fmt.Sprintf("up to %s messages a second", figure(peak)))
	t.WriteString(sparkline(rates, peak) + "\n")
	t.axis(0, len(rates))
}

// axis writes the times below a drawing of that many columns, behind some that are indented.
func (t *text) axis(indent, columns int) {
	const fewest = 20
	if columns <= fewest {
		return
	}
	line := ""
	for _, m := range chart.Ticks(t.r.Start(), t.r.End(), columns/12, t.opt.zone()) {
		at := indent + int(m.At*float64(columns))
		if used := runewidth.StringWidth(line); (used == 0 || at > used) && at+len(m.Text) <= t.width {
			line += strings.Repeat(" ", at-used) + m.Text
		}
	}
	t.WriteString(t.style(dim, line) + "\n")
}

// squeeze returns at most width values: the means of as many neighbours as it takes, which may be one more or less.
func squeeze(values []float64, width int) []float64 {
	width = min(width, len(values))
	var out []float64
	for i := range width {
		group, sum := values[i*len(values)/width:(i+1)*len(values)/width], 0.0
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

// bar draws value as a share of peak in at most width columns, in eighths of a column.
func bar(value, peak int64, width int) string {
	eighths := int(math.Ceil(float64(value) / float64(max(peak, 1)) * float64(width) * 8))
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
	const figures, longest = 33, 60 // columns of the figures with the spaces around them, and of a bar
	barWidth := min((t.width-figures)/2, longest)
	nameWidth := t.width - figures - barWidth
	peak := slices.MaxFunc(rows, func(a, b summary.Row) int { return cmp.Compare(a.Messages, b.Messages) }).Messages
	for _, row := range rows[:min(topRows, len(rows))] {
		fmt.Fprintf(t, "%s %13s %7s %8s  %s\n", pad(label(row, none), nameWidth), fit(row.Messages, 13),
			share(row.Messages, t.r.Total.Messages), size(row.Bytes), t.style(green, bar(row.Messages, peak, barWidth)))
	}
	t.more(len(rows)-topRows, "")
}

// more says how many rows were left out.
func (t *text) more(n int, order string) {
	if n > 0 {
		t.WriteString(t.style(dim, fmt.Sprintf("and %s more%s: -o csv has them all", count(int64(n)), order)) + "\n")
	}
}

// fields prints the numeric fields of each plugin below its name.
func (t *text) fields() {
	table := textTable{least: 18, columns: []column{
		{head: ""},
		{head: "values", width: 10, rank: 1},
		{head: "min", width: 9},
		{head: "median", width: 9},
		{head: "95th", width: 9},
		{head: "max", width: 9},
	}}
	const most = 4 * topRows
	shown := 0
	left := 0
	for _, p := range t.r.Plugins {
		for i, f := range p.Fields {
			if shown == most {
				left++
				continue
			}
			if i == 0 {
				table.add(cell{label(p.Row, ""), bold})
			}
			shown++
			table.add(cell{text: "  " + printable(f.Name)}, cell{text: fit(f.Count, 10)}, cell{text: figure(f.Min)},
				cell{text: figure(f.Median)}, cell{text: figure(f.P95)}, cell{text: figure(f.Max)})
		}
	}
	if shown > 0 {
		t.heading("Plugin fields", "median and 95th percentile within 1 %")
		t.table(&table)
		t.more(left, "")
	}
	if remark := unfollowedRemark(t.r); remark != "" {
		t.WriteString(t.style(dim, shorten(remark, t.width)) + "\n")
	}
}

func (t *text) gaps() {
	g := t.r.Gaps
	if len(g.List) == 0 {
		return
	}
	t.heading("Gaps", "what the journal says was lost")
	const figures = 40 // columns
	for _, gap := range g.List[:min(topRows, len(g.List))] {
		fmt.Fprintf(t, "%s  %s lost  %s\n", moment(gap.At.Time(), t.opt.zone()), fit(gap.Lost, 12),
			shorten(printable(gap.Reason), t.width-figures))
	}
	t.more(int(g.Notes)-topRows, "")
}
