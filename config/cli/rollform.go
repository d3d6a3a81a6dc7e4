package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
)

// rollForm is how hosts are printed.
type rollForm struct {
	output      string
	color       bool
	width       int // of the terminal; 0: there is none
	zone        *time.Location
	several     bool // journals: it is shown which receiver heard a host last
	more        int  // hosts that there is no room for
	interrupted bool
}

func (f rollForm) write(w io.Writer, v presence.Verdict, hosts []presence.Host) error {
	switch f.output {
	case "json":
		return writeHostsJSON(w, hosts)
	case "csv":
		return f.writeCSV(w, hosts)
	}
	return f.writeText(w, v, hosts)
}

// hostLine is a host as JSON. Times are Unix seconds, as in an entry.
type hostLine struct {
	Name      string          `json:"name"`
	State     presence.State  `json:"state"`
	Since     journal.Instant `json:"since,omitzero"`
	Last      journal.Instant `json:"last_seen"`
	Beat      journal.Instant `json:"last_beat,omitzero"`
	Due       journal.Instant `json:"due,omitzero"`
	Interval  float64         `json:"interval_seconds"`
	Missed    int64           `json:"missed"`
	Returning bool            `json:"returning,omitempty"`
	Beats     int64           `json:"beats"`
	Booted    journal.Instant `json:"booted_at,omitzero"`
	Address   string          `json:"address"`
	Journal   string          `json:"journal"`
}

func lineOf(h *presence.Host) hostLine {
	return hostLine{
		Name: h.Name, State: h.State, Since: journal.InstantOf(h.Since), Last: journal.InstantOf(h.Last), Beat: journal.InstantOf(h.Beat),
		Due: journal.InstantOf(h.Due), Interval: h.Interval.Seconds(), Missed: h.Missed, Returning: h.Returning, Beats: h.Beats,
		Booted: journal.InstantOf(h.Booted), Address: h.Address, Journal: h.Journal,
	}
}

// writeHostsJSON writes an object a line.
func writeHostsJSON(w io.Writer, hosts []presence.Host) error {
	for i := range hosts {
		if err := writeLineJSON(w, lineOf(&hosts[i])); err != nil {
			return err
		}
	}
	return nil
}

// writeLineJSON writes a value on a line of its own. What could steer a terminal is escaped: names come from the network.
func writeLineJSON(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, visibleJSON(string(text))+"\n")
	return err
}

// visibleJSON escapes in valid JSON what steers a terminal. It means the same.
func visibleJSON(text string) string {
	if strings.IndexFunc(text, steers) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if steers(r) {
			fmt.Fprintf(&b, `\u%04x`, r) // None of them is beyond U+FFFF.
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

var hostColumns = []string{
	"name", "state", "since", "last_seen", "last_beat", "due", "interval_seconds", "missed", "returning", "beats", "booted_at", "address", "journal",
}

func (f rollForm) writeCSV(w io.Writer, hosts []presence.Host) error {
	rows := csv.NewWriter(w)
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(f.zone).Format("2006-01-02T15:04:05.000Z07:00")
	}
	rows.Write(hostColumns)
	for _, h := range hosts {
		rows.Write([]string{
			report.CSVCell(h.Name), string(h.State), at(h.Since), at(h.Last), at(h.Beat), at(h.Due),
			strconv.FormatFloat(h.Interval.Seconds(), 'f', -1, 64), strconv.FormatInt(h.Missed, 10), strconv.FormatBool(h.Returning),
			strconv.FormatInt(h.Beats, 10), at(h.Booted), h.Address, report.CSVCell(h.Journal),
		})
	}
	rows.Flush()
	return rows.Error()
}

// rollColumn is a column of the text. Those at the end are left out first where there is no room.
type rollColumn struct {
	title string
	cell  func(*presence.Host) string
}

func (f rollForm) columns(v presence.Verdict) []rollColumn {
	clock := func(t time.Time) string { return t.In(f.zone).Format("2006-01-02 15:04:05") }
	age := func(t time.Time) string {
		if since := v.Now.Sub(t).Truncate(time.Second); since > 0 {
			return report.Briefly(since)
		}
		return "now"
	}
	columns := []rollColumn{
		{"HOST", func(h *presence.Host) string { return runewidth.Truncate(visible(h.Name), 40, "…") }},
		{"STATE", func(h *presence.Host) string {
			if h.Returning {
				return "SILENT, returning"
			}
			return strings.ToUpper(string(h.State))
		}},
		{"SINCE", func(h *presence.Host) string { return clock(h.Since) }},
		{"LAST SEEN", func(h *presence.Host) string { return clock(h.Last) }},
		{"AGE", func(h *presence.Host) string { return age(h.Last) }},
		{"EVERY", func(h *presence.Host) string { return report.Briefly(h.Interval) }},
		{"MISSED", func(h *presence.Host) string { return dashForNone(h.Missed) }},
		{"BEATS", func(h *presence.Host) string { return dashForNone(h.Beats) }},
		{"BOOTED", func(h *presence.Host) string {
			if h.Booted.IsZero() {
				return "–"
			}
			return clock(h.Booted)
		}},
		{"ADDRESS", func(h *presence.Host) string { return h.Address }},
	}
	if f.several {
		receiver := rollColumn{"RECEIVER", func(h *presence.Host) string { return runewidth.Truncate(visible(filepath.Base(h.Journal)), 24, "…") }}
		columns = append(columns[:1], append([]rollColumn{receiver}, columns[1:]...)...)
	}
	return columns
}

func dashForNone(n int64) string {
	if n == 0 {
		return "–"
	}
	return strconv.FormatInt(n, 10)
}

func (f rollForm) writeText(w io.Writer, v presence.Verdict, hosts []presence.Host) error {
	if f.interrupted {
		fmt.Fprintln(w, "Interrupted: this is only what was read until then.")
	}
	head := f.headline(v)
	if f.width > 0 {
		head = runewidth.Truncate(head, f.width, "…")
	}
	fmt.Fprintln(w, head)
	columns := f.columns(v)
	cells := make([][]string, len(hosts))
	widths := make([]int, len(columns))
	for i, column := range columns {
		widths[i] = len(column.title)
	}
	for n := range hosts {
		for i, column := range columns {
			text := column.cell(&hosts[n])
			cells[n] = append(cells[n], text)
			widths[i] = max(widths[i], runewidth.StringWidth(text))
		}
	}
	room := fitting(widths, f.width)
	titles := make([]string, len(columns))
	for i, column := range columns {
		titles[i] = column.title
	}
	if len(hosts) > 0 {
		fmt.Fprintln(w, f.style(bold, rollRow(titles[:room], widths, f.width)))
	}
	for n, row := range cells {
		fmt.Fprintln(w, f.style(stateColor[hosts[n].State], rollRow(row[:room], widths, f.width)))
	}
	if f.more > 0 {
		fmt.Fprintf(w, "and %d more\n", f.more)
	}
	return nil
}

// fitting is how many of the columns fit a width: the name, its state and since when do always.
func fitting(widths []int, width int) int {
	const least = 3
	room, used := 0, 0
	for _, column := range widths {
		if used += column; room >= least && width > 0 && used > width {
			break
		}
		used += len(columnGap)
		room++
	}
	return room
}

func rollRow(cells []string, widths []int, width int) string {
	var b strings.Builder
	for i, text := range cells {
		b.WriteString(runewidth.FillRight(text, widths[i]) + columnGap)
	}
	row := strings.TrimRight(b.String(), " ")
	if width > 0 {
		row = runewidth.Truncate(row, width, "…")
	}
	return row
}

// stateColor are the colours of rows.
var stateColor = map[presence.State]string{
	presence.Silent: "\x1b[31m", presence.Unknown: "\x1b[35m", presence.Late: "\x1b[33m", presence.Unpromised: dim,
}

func (f rollForm) style(code, text string) string {
	if !f.color || code == "" {
		return text
	}
	return code + text + reset
}

// headline says how many hosts there are of each state, and when.
func (f rollForm) headline(v presence.Verdict) string {
	var counts []string
	for _, state := range presence.States() {
		if n := v.Counts[state]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
		}
	}
	text := plural(int64(len(v.Hosts)), "host")
	if len(counts) > 0 {
		text += ": " + strings.Join(counts, ", ")
	}
	return text + ", at " + v.Now.In(f.zone).Format("2006-01-02 15:04:05 MST")
}
