package format

import (
	"bytes"
	"fmt"
	"strings"

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

	Receiver func(*journal.Entry) string // in whose journal an entry is; nil: that is not shown
}

// receiver is in whose journal an entry is; "": that is not shown.
func (o Options) receiver(e *journal.Entry) string {
	if o.Receiver == nil {
		return ""
	}
	return o.Receiver(e)
}

// Names are the names that New takes.
func Names() []string { return []string{"cef", "ecs", "gelf", "syslog"} }

// New returns the form of this name, one of Names.
func New(name string, opt Options) (Form, error) {
	switch name {
	case "cef":
		return newCEF(opt)
	case "ecs":
		return &ecs{facts: newFacts(), opt: opt}, nil
	case "gelf":
		return &gelf{facts: newFacts(), opt: opt}, nil
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
	setWord(&f.kind, f.values[0])
	setWord(&f.name, f.values[1])
	setWord(&f.plugin, f.values[2])
	f.note = journal.IsNote(e.Message)
	if f.host = f.name; f.host == "" {
		f.host = e.Source.Addr().WithZone("").String()
	}
}

// setWord sets word to the text of a string or a number, and to "" of anything else. It allocates nothing if that is what it is.
func setWord(word *string, value []byte) {
	var text []byte
	switch {
	case len(value) == 0 || value[0] != '"' && value[0] != '-' && (value[0] < '0' || value[0] > '9'):
	case value[0] == '"' && bytes.IndexByte(value, '\\') < 0:
		text = value[1 : len(value)-1]
	default:
		*word = gjson.ParseBytes(value).String()
		return
	}
	if *word != string(text) {
		*word = string(text)
	}
}

// title is what a list of messages shows of one: PLG cpu_monitor webserver1.
func (f *facts) title() string {
	var room [128]byte
	words := room[:0]
	for _, word := range [...]string{f.kind, f.plugin, f.name} {
		if word == "" {
			continue
		}
		if len(words) > 0 {
			words = append(words, ' ')
		}
		words = append(words, word...)
	}
	if len(words) == 0 {
		return "message from " + f.host
	}
	return string(words)
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
