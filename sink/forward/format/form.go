package format

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"hbjournal/sink/journal"
)

// Form appends an entry in one form to dst. The id is the entry's, or "" if it has none. A Form is for one goroutine.
type Form interface {
	Append(dst []byte, e *journal.Entry, id string) []byte
}

// Options are what the standards want to be told; the zero value is the documented default.
type Options struct {
	Facility Facility // of syslog; zero: local0
	Severity Severity // of syslog, of messages; zero: info. The journal's own notes have 4, warning, unless this weighs more
	App      string   // APP-NAME of syslog; "": hbjournal
	SDID     string   // name of the structured data element of syslog; "": hbj@32473
	BOM      bool     // a byte order mark before the MSG of syslog, as RFC 5424 6.4 asks, and many receivers show

	Bare bool // gelf and ecs without the message's fields one by one; it is there whole anyway

	Vendor, Product, Version string // of CEF's header; "": hbjournal, hbjournal, 1
	Header                   Header // before each event of CEF; "": none
}

// Names are the names that New takes.
func Names() []string { return []string{"cef", "ecs", "gelf", "syslog"} }

// New returns the form of this name, one of Names.
func New(name string, opt Options) (Form, error) {
	switch name {
	case "cef":
		return newCEF(opt)
	case "ecs":
		return &ecs{facts: newFacts(), bare: opt.Bare}, nil
	case "gelf":
		return &gelf{facts: newFacts(), bare: opt.Bare}, nil
	case "syslog":
		return newSyslog(opt)
	}
	return nil, fmt.Errorf("no form %q; there are %s", name, strings.Join(Names(), ", "))
}

// facts are what every form wants to know of a message.
type facts struct {
	lookup *journal.Lookup
	values [3][]byte

	kind, name, plugin string // ID, name and plugin of the message; "": none
	host               string // name, or the address of the sender
	note               bool   // the entry is the journal's own
}

func newFacts() facts { return facts{lookup: journal.NewLookup("ID", "name", "plugin")} }

func (f *facts) learn(e *journal.Entry) {
	f.lookup.Values(e.Message, f.values[:])
	f.kind, f.name, f.plugin = word(f.values[0]), word(f.values[1]), word(f.values[2])
	f.note = journal.IsNote(e.Message)
	if f.host = f.name; f.host == "" {
		f.host = e.Source.Addr().WithZone("").String()
	}
}

// word is the text of a string or a number, and "" of anything else.
func word(value []byte) string {
	if len(value) == 0 || value[0] != '"' && value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return ""
	}
	return gjson.ParseBytes(value).String()
}

// title is what a list of messages shows of one: PLG cpu_monitor webserver1.
func (f *facts) title() string {
	words := slices.DeleteFunc([]string{f.kind, f.plugin, f.name}, func(w string) bool { return w == "" })
	if len(words) == 0 {
		return "message from " + f.host
	}
	return strings.Join(words, " ")
}

// The weights of an entry, as syslog numbers them.
const (
	severityInfo    = 6
	severityWarning = 4
)

func (f *facts) severity() int { return f.weigh(severityInfo) }

// weigh is the severity of an entry, where that of messages is given.
func (f *facts) weigh(message int) int {
	if f.note {
		return min(message, severityWarning)
	}
	return message
}

// appendTime appends the receipt of an entry as RFC 3339 has it, in UTC, with milliseconds.
func appendTime(dst []byte, millis int64) []byte {
	return time.UnixMilli(millis).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	return gjson.AppendJSONString(dst, s)
}

// appendText appends the bytes of a message, which is UTF-8, as a JSON string.
func appendText(dst, text []byte) []byte {
	dst = append(dst, '"')
	for {
		i := bytes.IndexAny(text, `"\`)
		if i < 0 {
			return append(append(dst, text...), '"')
		}
		dst = append(append(dst, text[:i]...), '\\', text[i])
		text = text[i+1:]
	}
}
