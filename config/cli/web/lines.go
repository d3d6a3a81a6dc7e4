package web

import (
	"bytes"
	"encoding/json"
	"net/url"
	"time"
	"unicode/utf8"

	"hbjournal/config/cli/chart"
	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
)

// maxText is how much of a message is shown, in bytes.
const maxText = 8 << 10

// An item is one row of the stream: an entry, how many were left out, or what is wrong with the files. As JSON it is what the
// script makes a row of. Its texts are printable.
type item struct {
	Time    string `json:"t,omitempty"` // of the day
	Date    string `json:"d,omitempty"` // the whole instant
	ID      string `json:"i,omitempty"`
	Color   string `json:"c,omitempty"` // of the ID
	Name    string `json:"n,omitempty"`
	Link    string `json:"h,omitempty"` // to the page of the host
	Source  string `json:"s,omitempty"`
	Text    string `json:"m,omitempty"` // the message
	Bytes   int    `json:"b,omitempty"` // of the message, if Text is only the beginning of it
	Skipped int64  `json:"k,omitempty"`
	At      int64  `json:"u,omitempty"` // instant of the entry, or of the first that was skipped, Unix milliseconds
	Until   int64  `json:"z,omitempty"` // that of the last
	Fault   string `json:"f,omitempty"`
}

var shown = journal.NewLookup("ID", "name")

func itemOf(e *journal.Entry, zone *time.Location) item {
	var values [2][]byte
	shown.Values(e.Message, values[:])
	at := time.UnixMilli(e.Millis).In(zone)
	id, name := string(presence.Name(values[0])), string(presence.Name(values[1]))
	it := item{
		Time: at.Format("15:04:05.000"), Date: at.Format("2006-01-02 15:04:05.000 MST"),
		At: e.Millis, ID: report.Printable(id), Color: chart.Color(id), Name: report.Printable(name), Source: e.Source.String(),
	}
	if name != "" {
		it.Link = hostLink(name)
	}
	text := e.Message
	if len(text) > maxText {
		text, it.Bytes = cutBytes(text, maxText), len(text)
	}
	it.Text = report.Printable(string(text))
	return it
}

// hostLink is the address of the page of a host.
func hostLink(name string) string { return "/host?name=" + url.QueryEscape(name) }

// Unfolded is the message with an element a line.
func (it item) Unfolded() string {
	var b bytes.Buffer
	if it.Bytes > 0 || json.Indent(&b, []byte(it.Text), "", "  ") != nil {
		return it.Text
	}
	return b.String()
}

// cutBytes shortens text to so many bytes at most, at the edge of a character.
func cutBytes(text []byte, most int) []byte {
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// cut is cutBytes for any text, with an ellipsis for the rest.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return string(cutBytes([]byte(text), most)) + "…"
}
