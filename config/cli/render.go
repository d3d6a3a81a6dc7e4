package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tidwall/pretty"

	"hbjournal/config/cli/report"
	"hbjournal/sink/forward/format"
	"hbjournal/sink/journal"
)

// A renderer is one form of output. Its functions may be called by several goroutines.
type renderer struct {
	header string                                    // printed first, if anything is
	entry  func(dst []byte, e *journal.Entry) []byte // appends an entry
	value  func(dst, json []byte) []byte             // appends another JSON value; nil: only entries have this form
}

// rendering is what a form of output depends on.
type rendering struct {
	color    bool
	width    int // columns of the terminal; 0: without end
	zone     *time.Location
	zoneName string
	fields   []string // the columns of table and csv; nil: those that every entry has
	from     bool     // the receiver is shown
}

var outputs = slices.Concat([]string{"json", "pretty", "table", "csv", "logfmt"}, format.Names())

// renderer returns that of one of outputs.
func (o rendering) renderer(output string) renderer {
	switch {
	case len(o.fields) > 0:
		return o.fieldsRenderer(output)
	case o.from:
		return o.fromRenderer(output)
	}
	switch output {
	case "pretty":
		return renderer{
			entry: func(dst []byte, e *journal.Entry) []byte { return o.appendPretty(dst, e.Line) },
			value: o.appendPretty,
		}
	case "table":
		return o.table()
	case "csv":
		return renderer{header: "timestamp,datetime,source_ip,source_port,id,name,plugin,message\n", entry: csvRenderer()}
	case "logfmt":
		return renderer{entry: o.appendLogfmt}
	case "json":
	default:
		return formRenderer(output, nil)
	}
	return renderer{entry: appendJournal, value: appendLine}
}

// formRenderer is one of the forms in which outputs send entries, a line each. Without a journal's id, entries have none.
func formRenderer(name string, receiver func(*journal.Entry) string) renderer {
	var kept sync.Pool // A form is for one goroutine.
	return renderer{entry: func(dst []byte, e *journal.Entry) []byte {
		form, ok := kept.Get().(format.Form)
		if !ok {
			made, err := format.New(name, format.Options{Receiver: receiver})
			if err != nil { // Never: the name is one of format.Names, and the options are right.
				return dst
			}
			form = made
		}
		defer kept.Put(form)
		return append(form.Append(dst, e, ""), '\n')
	}}
}

// appendJournal appends the journal's own line, byte for byte.
func appendJournal(dst []byte, e *journal.Entry) []byte { return appendLine(dst, e.Line) }

func appendLine(dst, line []byte) []byte { return append(append(dst, line...), '\n') }

// appendPretty appends a value with a line for each field, as jq does.
func (o rendering) appendPretty(dst, value []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, value, "", "  "); err != nil {
		return appendLine(dst, []byte(visible(string(value))))
	}
	text := escapeControls(b.Bytes())
	if o.color {
		text = pretty.Color(text, nil)
	}
	return appendLine(dst, text)
}

// escapeControls writes what steers a terminal, which in valid JSON can only stand in strings, as JSON escapes.
func escapeControls(text []byte) []byte {
	if bytes.IndexFunc(text, steersInJSON) < 0 {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if steersInJSON(r) {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func steersInJSON(r rune) bool { return r != '\n' && r != utf8.RuneError && steers(r) }

// csvRenderer appends records of RFC 4180. Texts from outside do nothing in a spreadsheet.
func csvRenderer() func(dst []byte, e *journal.Entry) []byte {
	entry, message := journal.NewLookup("timestamp", "datetime"), journal.NewLookup("ID", "name", "plugin")
	return func(dst []byte, e *journal.Entry) []byte {
		var own [2][]byte
		var fields [3][]byte
		entry.Values(e.Line, own[:])
		message.Values(e.Message, fields[:])
		cells := []string{
			journal.Text(own[0]), journal.Text(own[1]), e.Source.Addr().String(), strconv.Itoa(int(e.Source.Port())),
		}
		for _, field := range fields {
			cells = append(cells, report.CSVCell(journal.Text(field)))
		}
		return appendRecord(dst, append(cells, report.CSVCell(string(e.Message))))
	}
}

// appendLogfmt appends key=value pairs: time, source, and each field of the message by its dotted path.
func (o rendering) appendLogfmt(dst []byte, e *journal.Entry) []byte {
	dst = append(dst, "time="...)
	dst = time.UnixMilli(e.Millis).In(o.zone).AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	dst = append(dst, " source="...)
	dst = e.Source.AppendTo(dst)
	return append(appendPairs(dst, "", e.Message), '\n')
}

func appendPairs(dst []byte, prefix string, object []byte) []byte {
	for _, m := range journal.AppendMembers(nil, object) {
		if path := prefix + m.Name; m.Value[0] == '{' {
			dst = appendPairs(dst, path+".", m.Value)
		} else {
			dst = appendPair(dst, path, m.Value)
		}
	}
	return dst
}

// appendPair appends key=value behind a space, if anything stands before it. Texts that would be misread are quoted.
func appendPair(dst []byte, key string, value []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ' ')
	}
	dst = append(append(dst, quoted(key)...), '=')
	if value[0] == '"' {
		return append(dst, quoted(journal.Text(value))...)
	}
	return append(dst, visible(string(value))...)
}

func quoted(text string) string {
	if text == "" || strings.ContainsAny(text, ` "=\`) || strings.IndexFunc(text, steers) >= 0 {
		return strconv.QuoteToGraphic(text)
	}
	return text
}
