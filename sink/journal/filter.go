package journal

import (
	"math"
	"net/netip"
	"slices"
	"time"
)

// Field asks that the value at Path is matched by one of Patterns.
type Field struct {
	Path     string   // dotted, within the message: "cpu_percent", "disk.0.used"; \. is a dot in a key
	Patterns []string // globs of *, ? and [a-z]; numbers and the like are matched by their JSON text
}

// FilterOptions are what an entry must satisfy, all of it; the zero value takes every entry.
type FilterOptions struct {
	Since, Until time.Time // of receipt, Since included and Until not
	Sources      []Network // one of these holds the sender's address
	Fields       []Field
}

// Filter chooses entries. It may be used by several goroutines.
type Filter struct {
	since, until int64 // Unix milliseconds; without a bound the least and the greatest there are
	sources      []Network
	fields       []field
	lookup       *Lookup // of the fields' values; nil without fields
	needle       []byte  // stands in each line that matches, unless the line has escapes; nil if there is no such text
}

// NewFilter compiles opt. The error shows the part that is wrong.
func NewFilter(opt FilterOptions) (*Filter, error) {
	f := &Filter{since: math.MinInt64, until: math.MaxInt64, sources: opt.Sources}
	if !opt.Since.IsZero() {
		f.since = opt.Since.UnixMilli()
	}
	if !opt.Until.IsZero() {
		f.until = opt.Until.UnixMilli()
	}
	var paths []string
	for _, o := range opt.Fields {
		field, err := compileField(o)
		if err != nil {
			return nil, err
		}
		f.fields = append(f.fields, field)
		if len(field.needle) > len(f.needle) {
			f.needle = field.needle
		}
		paths = append(paths, o.Path)
	}
	if len(paths) > 0 {
		f.lookup = NewLookup(paths...)
	}
	return f, nil
}

// Take parses line, without its newline, as ParseLine does, if it satisfies the filter; taken tells. A line outside the
// times asked for is not looked at further, and a blank one is passed over; of one that is no entry the error, which wraps
// ErrMalformed, says why. A nil Filter takes every entry.
func (f *Filter) Take(line []byte) (e Entry, taken bool, err error) {
	if f.passesOver(line) {
		return Entry{}, false, nil
	}
	if e, err = parseLayout(line); err == nil {
		matched, valid := f.match(&e)
		if valid || !matched {
			return e, matched, nil
		}
		err = errMessage
	}
	if len(trimLine(line)) == 0 {
		return Entry{}, false, nil
	}
	e, ok := parseRewritten(line)
	if !ok {
		return Entry{}, false, err
	}
	matched, _ := f.match(&e)
	return e, matched, nil
}

// Needle is a text that stands in each line that matches, unless the line has escapes, or white space between its tokens;
// nil if there is no such text.
func (f *Filter) Needle() []byte {
	if f == nil {
		return nil
	}
	return f.needle
}

// timely reports whether an entry of this time is within the bounds.
func (f *Filter) timely(millis int64) bool {
	return millis >= f.since && millis < f.until
}

// passesOver reports whether line need not be parsed, since its time is outside the bounds.
func (f *Filter) passesOver(line []byte) bool {
	if f == nil || f.since == math.MinInt64 && f.until == math.MaxInt64 {
		return false
	}
	millis, timed := LineTime(line)
	return timed && !f.timely(millis)
}

// match reports whether e satisfies the filter, and if so, whether its message is valid.
func (f *Filter) match(e *Entry) (matched, valid bool) {
	if f == nil {
		return true, isObject(e.Message)
	}
	if !f.matchEnvelope(e) {
		return false, false
	}
	return f.matchMessage(e.Message)
}

// Match reports whether e satisfies the filter.
func (f *Filter) Match(e *Entry) bool {
	if !f.matchEnvelope(e) {
		return false
	}
	if f.lookup == nil {
		return true
	}
	matched, _ := f.matchMessage(e.Message)
	return matched
}

// matchEnvelope is Match without the look into the message.
func (f *Filter) matchEnvelope(e *Entry) bool {
	return f.timely(e.Millis) && (len(f.sources) == 0 || f.fromSources(e.Source.Addr()))
}

// matchMessage is the rest of Match, which tells too whether the message is valid.
func (f *Filter) matchMessage(message []byte) (matched, valid bool) {
	if f.lookup == nil {
		return true, isObject(message)
	}
	var room [8][]byte
	values := room[:]
	if len(f.fields) > len(room) {
		values = make([][]byte, len(f.fields))
	}
	valid = f.lookup.Values(message, values[:len(f.fields)])
	for i := range f.fields {
		if !f.fields[i].match(values[i]) {
			return false, valid
		}
	}
	return true, valid
}

func (f *Filter) fromSources(addr netip.Addr) bool {
	return slices.ContainsFunc(f.sources, func(n Network) bool { return n.Contains(addr) })
}
