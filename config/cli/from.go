package cli

import (
	"bytes"
	"encoding/json"

	"github.com/mattn/go-runewidth"

	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
)

// fromField is the name of the field, or column, that shows the receiver of an entry.
const fromField = "receiver"

// fromWidth is that of the column in a table.
const fromWidth = 12

// fromRenderer is renderer with the receiver of each entry: behind the fields of JSON, and in front of columns.
func (o rendering) fromRenderer(output string) renderer {
	o.from = false
	switch output {
	case "json":
		return renderer{entry: func(dst []byte, e *journal.Entry) []byte { return append(appendFrom(dst, e), '\n') }, value: appendLine}
	case "pretty":
		return renderer{
			entry: func(dst []byte, e *journal.Entry) []byte { return o.appendPretty(dst, appendFrom(nil, e)) },
			value: o.appendPretty,
		}
	case "table":
		return o.tableFrom()
	case "csv":
		return o.renderer(output).behind(fromField+",", func(dst []byte, name string) []byte {
			dst = appendRecord(dst, []string{report.CSVCell(name)})
			dst[len(dst)-1] = ','
			return dst
		})
	case "logfmt":
		return o.renderer(output).behind("", func(dst []byte, name string) []byte {
			return append(append(append(dst, fromField+"="...), quoted(name)...), ' ')
		})
	}
	return formRenderer(output, func(e *journal.Entry) string { return receiverOf(e.Path) })
}

// tableFrom is a table whose first column is the receiver.
func (o rendering) tableFrom() renderer {
	cell := func(text string) string {
		if o.width > 0 {
			text = runewidth.Truncate(text, fromWidth, "…")
		}
		return runewidth.FillRight(text, fromWidth) + columnGap
	}
	rest := o
	if o.width > 0 {
		rest.width = max(1, o.width-fromWidth-len(columnGap))
	}
	header := cell("RECEIVER")
	if o.color {
		header = bold + header + reset
	}
	return rest.table().behind(header, func(dst []byte, name string) []byte { return append(dst, cell(visible(name))...) })
}

// behind is r behind what front appends for the receiver of an entry, and behind header.
func (r renderer) behind(header string, front func(dst []byte, receiver string) []byte) renderer {
	if r.header != "" {
		r.header = header + r.header
	}
	entry := r.entry
	r.entry = func(dst []byte, e *journal.Entry) []byte { return entry(front(dst, receiverOf(e.Path)), e) }
	return r
}

// appendFrom appends the line of an entry with the receiver as its last field, without a newline.
func appendFrom(dst []byte, e *journal.Entry) []byte {
	dst = append(dst, bytes.TrimSuffix(e.Line, []byte("}"))...)
	dst = append(dst, `,"`+fromField+`":`...)
	return append(append(dst, textJSON(receiverOf(e.Path))...), '}')
}

// textJSON is text as JSON.
func textJSON(text string) []byte {
	encoded, _ := json.Marshal(text) // A text can always be encoded.
	return encoded
}
