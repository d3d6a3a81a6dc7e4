package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
)

// envelope are the names in --fields that stand for the entry's own fields, and how wide they are in a table. All others
// are paths into the message; message. in front says so of one that would be taken for the entry's.
var envelope = map[string]int{"timestamp": 14, "datetime": 19, "source_ip": 15, "source_port": 11, "message": 0}

const inMessage = "message."

// checkFields reports what --fields cannot be.
func checkFields(fields []string, output string) error {
	var faults []error
	if len(fields) > 0 && output != "table" && output != "csv" {
		faults = append(faults, fmt.Errorf("--fields makes columns, and -o %s has none: give -o table or csv, or --jq '{name: .message.name}'", output))
	}
	for _, field := range fields {
		if err := journal.CheckCondition(strings.TrimPrefix(field, inMessage), ""); err != nil {
			faults = append(faults, fmt.Errorf("--fields %q: %w", field, err))
		}
	}
	return errors.Join(faults...)
}

// fieldReader finds the values of --fields. It may be used by several goroutines.
type fieldReader struct {
	from   bool // the first of fields is the receiver
	fields []string
	lookup *journal.Lookup // of each field in the message; of one of the entry it finds nothing that is used
	own    *journal.Lookup // of each field in the entry
}

func newFieldReader(fields []string, from bool) *fieldReader {
	paths := slices.Clone(fields)
	for i, field := range paths {
		paths[i] = strings.TrimPrefix(field, inMessage)
	}
	return &fieldReader{from, fields, journal.NewLookup(paths...), journal.NewLookup(fields...)}
}

// values are the fields' values in e, each as JSON; nil for those that it does not have.
func (r *fieldReader) values(e *journal.Entry) [][]byte {
	values := make([][]byte, len(r.fields))
	r.lookup.Values(e.Message, values)
	own := make([][]byte, len(r.fields))
	r.own.Values(e.Line, own)
	for i, field := range r.fields {
		if _, ok := envelope[field]; ok {
			values[i] = own[i]
		}
	}
	if r.from {
		values[0] = textJSON(receiverOf(e.Path))
	}
	return values
}

// fieldsRenderer is the form of a column a field.
func (o rendering) fieldsRenderer(output string) renderer {
	if o.from {
		o.fields = slices.Insert(slices.Clone(o.fields), 0, fromField)
	}
	r := newFieldReader(o.fields, o.from)
	if output == "csv" {
		header := make([]string, len(o.fields))
		for i, field := range o.fields {
			header[i] = report.CSVCell(field)
		}
		return renderer{header: string(appendRecord(nil, header)), entry: r.appendCSV}
	}
	header := o.fieldsRow(o.fields, o.fields)
	if o.color {
		header = bold + header + reset
	}
	return renderer{header: header + "\n", entry: func(dst []byte, e *journal.Entry) []byte {
		cells := make([]string, len(o.fields))
		for i, value := range r.values(e) {
			cells[i] = visible(journal.Text(value))
		}
		return append(append(dst, o.fieldsRow(o.fields, cells)...), '\n')
	}}
}

func (r *fieldReader) appendCSV(dst []byte, e *journal.Entry) []byte {
	cells := make([]string, len(r.fields))
	for i, value := range r.values(e) {
		cells[i] = journal.Text(value)
		if !journal.IsNumber(value) {
			cells[i] = report.CSVCell(cells[i])
		}
	}
	return appendRecord(dst, cells)
}

// fieldsRow is a row of a table. Its columns are as wide as their names, or as what usually stands in them; the last one
// takes the rest.
func (o rendering) fieldsRow(fields, cells []string) string {
	const least = 10
	var row strings.Builder
	for i, field := range fields {
		width := max(least, envelope[field], runewidth.StringWidth(field))
		if field == "name" {
			width = layouts[0].name
		}
		if i == len(fields)-1 {
			row.WriteString(cells[i])
		} else {
			o.addCell(&row, cells[i], width)
		}
	}
	return o.cut(row.String())
}

// appendRecord appends a record of RFC 4180.
func appendRecord(dst []byte, cells []string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(cells) // Writing into memory does not fail.
	w.Flush()
	return append(dst, b.Bytes()...)
}
