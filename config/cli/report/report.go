// Package report prints the figures of package summary for people and for programs: as text as wide as the terminal, as
// JSON, as CSV of one figure a row, and as one HTML page.
//
// The page stands alone: no script, no request to anywhere, held to that by its own Content-Security-Policy, whose only
// exception is the hash of its own style sheet. Its charts are those of package chart.
//
// Names come from datagrams, and anybody can send one: what could steer a terminal, reorder text or pass for a formula is
// made visible and harmless in every form but JSON, which escapes it in its own way.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"hbjournal/sink/journal/summary"
)

// Options say how a report is printed.
type Options struct {
	Title string         // what was read; "Journal report" if empty
	Zone  *time.Location // in which times are shown; nil is UTC
	Color bool           // text only: the output is a terminal that shows colour
	Width int            // text only: columns, held to 60 at least and 160 at most; 0 is 80
	Notes []string       // what the reader should know besides, a sentence each: lines that could not be read, say
}

func (o Options) zone() *time.Location {
	if o.Zone == nil {
		return time.UTC
	}
	return o.Zone
}

func (o Options) width() int {
	const least, usual, most = 60, 80, 160
	if o.Width == 0 {
		return usual
	}
	return min(max(o.Width, least), most)
}

func (o Options) title() string {
	if o.Title == "" {
		return "Journal report"
	}
	return printable(o.Title)
}

// Formats are the names that Write knows.
func Formats() []string { return []string{"text", "json", "csv", "html"} }

// Write prints r to w in one of Formats.
func Write(w io.Writer, format string, r *summary.Report, opt Options) error {
	switch format {
	case "text":
		return writeText(w, r, opt)
	case "json":
		return writeJSON(w, r)
	case "csv":
		return writeCSV(w, r)
	case "html":
		return writeHTML(w, r, opt)
	}
	return fmt.Errorf("unknown format %q: one of %s", format, strings.Join(Formats(), ", "))
}

// writeJSON prints r as one indented object.
func writeJSON(w io.Writer, r *summary.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
