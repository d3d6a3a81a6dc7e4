package cli

import (
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"hbjournal/sink/journal"
)

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// layout is what the columns in front of the message are, and how wide. A column of no width is left out.
type layout struct {
	time     string // its form
	source   int
	port     bool // of the source
	id, name int
}

// layouts are all that there are, the widest first: what a narrow terminal can spare goes first.
var layouts = []layout{
	{"2006-01-02 15:04:05.000", 21, true, 5, 16},
	{"2006-01-02 15:04:05.000", 15, false, 5, 16},
	{"15:04:05.000", 15, false, 5, 16},
	{"15:04:05", 15, false, 5, 16},
	{"15:04:05", 0, false, 5, 16},
	{"15:04:05", 0, false, 5, 10},
	{"15:04:05", 0, false, 3, 8},
	{"15:04:05", 0, false, 0, 8},
	{"", 0, false, 0, 8},
	{},
}

// layoutFor is the widest layout that leaves the message half of the width; 0 is a width without end.
func layoutFor(width int) layout {
	for _, l := range layouts {
		if width == 0 || 2*l.width() <= width {
			return l
		}
	}
	return layouts[len(layouts)-1]
}

const columnGap = "  "

func (l layout) width() (width int) {
	for _, column := range []int{len(l.time), l.source, l.id, l.name} {
		if column > 0 {
			width += column + len(columnGap)
		}
	}
	return width
}

// table is the form of a row an entry: the time, who sent it, and the message's fields after ID and name.
func (o rendering) table() renderer {
	l := layoutFor(o.width)
	title := "TIME (" + o.zoneName + ")"
	if len(title) > len(l.time) {
		title = o.zoneName
	}
	header := o.row(l, title, "SOURCE", "ID", "NAME", "MESSAGE")
	if o.color {
		header = bold + header + reset
	}
	return renderer{header: header + "\n", entry: func(dst []byte, e *journal.Entry) []byte {
		return append(append(dst, o.entryRow(l, e)...), '\n')
	}}
}

func (o rendering) entryRow(l layout, e *journal.Entry) string {
	at := time.UnixMilli(e.Millis).In(o.zone).Format(l.time)
	source := e.Source.Addr().String()
	if l.port {
		source = e.Source.String()
	}
	id, name, rest := partsOf(e.Message)
	row := o.row(l, at, source, visible(id), visible(name), rest)
	if o.color {
		row = dim + at + reset + strings.TrimPrefix(row, at)
	}
	return row
}

func (o rendering) row(l layout, at, source, id, name, message string) string {
	var row strings.Builder
	o.addCell(&row, at, len(l.time))
	o.addCell(&row, source, l.source)
	o.addCell(&row, id, l.id)
	o.addCell(&row, name, l.name)
	row.WriteString(message)
	return o.cut(row.String())
}

// addCell adds a column of this width to the row. A terminal cuts what is longer.
func (o rendering) addCell(row *strings.Builder, text string, width int) {
	if width == 0 {
		return
	}
	if o.width > 0 {
		text = runewidth.Truncate(text, width, "…")
	}
	row.WriteString(runewidth.FillRight(text, width))
	row.WriteString(columnGap)
}

// cut makes a row fit the terminal.
func (o rendering) cut(row string) string {
	if o.width > 0 {
		row = runewidth.Truncate(row, o.width, "…")
	}
	return strings.TrimRight(row, " ")
}

// zoneName is the name of a zone for people: what TZ says, since the short names of a zone change over the year.
func zoneName(zone *time.Location, environ map[string]string, now time.Time) string {
	if name := strings.TrimPrefix(environ["TZ"], ":"); zone == time.Local && name != "" && !strings.HasPrefix(name, "/") {
		return visible(name)
	}
	name, _ := now.In(zone).Zone()
	return name
}

// partsOf are the ID and name of a message, and the rest of it.
func partsOf(message []byte) (id, name, rest string) {
	var b []byte
	for _, m := range journal.AppendMembers(nil, message) {
		switch m.Name {
		case "ID":
			id = journal.Text(m.Value)
		case "name":
			name = journal.Text(m.Value)
		default:
			b = appendPair(b, m.Name, m.Value)
		}
	}
	return id, name, string(b)
}
