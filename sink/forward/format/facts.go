package format

import "hbjournal/sink/journal"

// Facts are what is known of an entry without a form: for outputs whose receivers have forms of their own. They are those
// of the last entry that was learnt, and for one goroutine.
type Facts struct{ of facts }

// NewFacts returns facts of nothing yet.
func NewFacts() *Facts { return &Facts{newFacts()} }

// Learn takes an entry in.
func (f *Facts) Learn(e *journal.Entry) { f.of.learn(e) }

// Host is what the message names, else the address that sent it.
func (f *Facts) Host() string { return f.of.host }

// Title is what a list of messages shows of one: PLG cpu_monitor webserver1.
func (f *Facts) Title() string { return f.of.title() }

// Kind is the ID of the message; "": it has none.
func (f *Facts) Kind() string { return f.of.kind }

// IsNote reports whether the entry is the journal's own, which is worth a warning.
func (f *Facts) IsNote() bool { return f.of.note }

// AppendTime appends a time in Unix milliseconds as RFC 3339 has it, in UTC: 2026-03-28T12:00:00.007Z.
func AppendTime(dst []byte, millis int64) []byte { return appendTime(dst, millis) }

// AppendText appends the bytes of a message as a JSON string.
func AppendText(dst, message []byte) []byte { return appendText(dst, message) }

// AppendString appends s as a JSON string.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }
