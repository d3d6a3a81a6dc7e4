package journal

import (
	"bytes"
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
	Since, Until time.Time      // of receipt, Since included and Until not
	Sources      []netip.Prefix // one of these holds the sender's address
	Fields       []Field
}

// Filter chooses entries. It may be used by several goroutines.
type Filter struct {
	bounds
	sources []netip.Prefix
	fields  []field
	lookup  *Lookup // of the fields' values; nil without fields
	needle  []byte  // stands in each line that matches, unless the line has escapes; nil if there is no such text
}

// NewFilter compiles opt. The error shows the part that is wrong.
func NewFilter(opt FilterOptions) (*Filter, error) {
	f := &Filter{bounds: boundsOf(Options{Since: opt.Since, Until: opt.Until}), sources: opt.Sources}
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

// timely reports whether an entry of this time is within the bounds.
func (f *Filter) timely(millis int64) bool {
	return (f.since == 0 || millis >= f.since) && (f.until == 0 || millis < f.until)
}

// passesOver reports whether line need not be parsed, since its time is outside the bounds.
func (f *Filter) passesOver(line []byte) bool {
	if f.bounds == (bounds{}) {
		return false
	}
	millis, _, timed := cutTimestamp(line)
	return timed && !f.timely(millis)
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
	return slices.ContainsFunc(f.sources, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// A Scanner takes the lines of one block after another, gives the entries that match, and passes over the others as
// cheaply as it can: those outside the time asked for, or without a text that each match holds, are not parsed, so a
// fault in them is not seen either. The zero value takes every line.
type Scanner struct {
	Filter  *Filter             // nil takes every entry
	OnFault func(*CorruptError) // called for lines that are no entries, and for the faults of blocks; may be nil

	block  *Block
	pos    int // in block.Data, where the next line starts; or ends, in reverse
	number int64
	entry  Entry
	finder finder
}

// Reset goes on with the lines of b, which must stay as it is until the last Next.
func (s *Scanner) Reset(b *Block) {
	s.block, s.pos, s.number = b, 0, b.Number
	if b.Reverse {
		s.pos = len(b.Data)
	}
	s.finder = finder{}
	if s.Filter != nil {
		s.finder = newFinder(b.Data, s.Filter.needle)
	}
}

// Next goes to the next entry that matches. It returns false at the end of the block, once.
func (s *Scanner) Next() bool {
	for {
		line, offset, ok := s.line()
		if !ok {
			break
		}
		if s.take(line, offset) {
			return true
		}
	}
	if fault := s.block.Fault; fault != nil && s.OnFault != nil {
		s.OnFault(fault)
	}
	return false
}

// Entry returns the entry that Next went to. It is valid until the next Next or Reset.
func (s *Scanner) Entry() *Entry { return &s.entry }

// line returns the next line that may match and where it starts in the block.
func (s *Scanner) line() (line []byte, start int, ok bool) {
	if s.block.Reverse {
		return s.lineBack()
	}
	start = s.finder.lineFrom(s.pos)
	if s.number > 0 {
		s.number += int64(bytes.Count(s.block.Data[s.pos:start], newline))
	}
	if s.pos = start; start == len(s.block.Data) {
		return nil, 0, false
	}
	line, s.pos = s.block.lineAt(start)
	return line, start, true
}

func (s *Scanner) lineBack() (line []byte, start int, ok bool) {
	for s.pos > 0 {
		if line, s.pos = s.block.lineBefore(s.pos); s.finder.maybe(line) {
			return line, s.pos, true
		}
	}
	return nil, 0, false
}

// take makes line the current entry if it is one that matches.
func (s *Scanner) take(line []byte, start int) bool {
	number := s.number
	if number > 0 {
		s.number++
	}
	if s.Filter != nil && s.Filter.passesOver(line) {
		return false
	}
	e, err := parseLayout(line)
	if err == nil {
		matched, valid := s.match(&e)
		if !matched {
			return false
		}
		if !valid {
			err = errMessage
		}
	}
	e.Path, e.Number, e.Offset = s.block.Path, number, s.block.Offset+int64(start)
	if err != nil {
		s.fault(&e, err)
		return false
	}
	s.entry = e
	return true
}

// match reports whether e satisfies the filter, and if so, whether its message is valid.
func (s *Scanner) match(e *Entry) (matched, valid bool) {
	if s.Filter == nil {
		return true, isObject(e.Message)
	}
	if !s.Filter.matchEnvelope(e) {
		return false, false
	}
	return s.Filter.matchMessage(e.Message)
}

func (s *Scanner) fault(at *Entry, err error) {
	if s.OnFault != nil {
		s.OnFault(&CorruptError{Path: at.Path, Line: at.Number, Offset: at.Offset, Err: err})
	}
}
