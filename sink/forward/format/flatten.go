package format

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"hbjournal/sink/journal"
)

// maxFields bounds the fields that a form gives of one message: Elasticsearch takes 1,000 in a whole index. The message
// itself is there whole, whatever is left out here.
const maxFields = 256

// maxFieldName bounds the length of a field's name.
const maxFieldName = 128

// few is up to how many looking through them is faster than a map.
const few = 16

// flat is one field of a message.
type flat struct {
	path  string // with dots: disk.0.used
	name  string // path, of letters, digits and _ . - only
	value []byte // JSON text of a number, a string, true or false; of the message
	huge  bool   // a number too large for the usual 64 bits, which is to be said as a string
}

// appendValue appends the value of a field.
func (f *flat) appendValue(dst []byte) []byte {
	if f.huge {
		return append(append(append(dst, '"'), f.value...), '"')
	}
	return append(dst, f.value...)
}

// A flattener takes messages apart, one after another in the same memory. The zero value is ready.
type flattener struct {
	fields   []flat
	members  []journal.Member
	elements [][]byte
	at       map[string]int  // path -> index in fields; of more than few only
	used     map[string]bool // names given; of more than few only
	taken    []string
}

// flatten gives the fields of a message by their paths, in the order in which they first stand there. Null and empty
// containers are left out; of a key that stands twice the last value counts. Two paths that look the same once they are
// made safe, or like one of taken, get a number behind them. The fields are valid until the next call.
func (f *flattener) flatten(message []byte, taken ...string) []flat {
	clear(f.fields)
	f.fields, f.members, f.elements, f.taken = f.fields[:0], f.members[:0], f.elements[:0], taken
	if len(f.at) > 0 {
		clear(f.at)
		clear(f.used)
	}
	f.walk("", message)
	return f.fields
}

// walk walks an object or an array. What it puts into members and elements it takes out of them again.
func (f *flattener) walk(path string, value []byte) {
	if value[0] == '{' {
		from := len(f.members)
		f.members = journal.AppendMembers(f.members, value)
		for i := from; i < len(f.members) && f.step(path, f.members[i].Name, f.members[i].Value); i++ {
		}
		clear(f.members[from:])
		f.members = f.members[:from]
		return
	}
	from := len(f.elements)
	f.elements = journal.AppendElements(f.elements, value)
	for i := from; i < len(f.elements) && f.step(path, strconv.Itoa(i-from), f.elements[i]); i++ {
	}
	clear(f.elements[from:])
	f.elements = f.elements[:from]
}

// step walks what stands under name in path, and reports whether there is room for more.
func (f *flattener) step(path, name string, value []byte) bool {
	if path != "" {
		name = path + "." + name
	}
	switch value[0] {
	case '{', '[':
		f.walk(name, value)
	case 'n':
	default:
		f.add(name, value)
	}
	return len(f.fields) < maxFields
}

func (f *flattener) add(path string, value []byte) {
	field := flat{path: path, value: value, huge: isHuge(value)}
	if i := f.find(path); i >= 0 {
		field.name = f.fields[i].name
		f.fields[i] = field
		return
	}
	field.name = f.unused(safeName(path))
	f.fields = append(f.fields, field)
	switch n := len(f.fields); {
	case n == few+1:
		f.remember(f.fields)
	case n > few:
		f.remember(f.fields[n-1:])
	}
}

// remember puts the newest fields into the maps.
func (f *flattener) remember(fields []flat) {
	if f.at == nil {
		f.at, f.used = make(map[string]int), make(map[string]bool)
	}
	first := len(f.fields) - len(fields)
	for i, field := range fields {
		f.at[field.path], f.used[field.name] = first+i, true
	}
}

// find is the index of the field with this path; -1: there is none.
func (f *flattener) find(path string) int {
	if len(f.fields) <= few {
		return slices.IndexFunc(f.fields, func(other flat) bool { return other.path == path })
	}
	if i, ok := f.at[path]; ok {
		return i
	}
	return -1
}

// unused returns name, with a number behind it if another path has that name already.
func (f *flattener) unused(name string) string {
	free := name
	for n := 2; f.isUsed(free); n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	return free
}

func (f *flattener) isUsed(name string) bool {
	if slices.Contains(f.taken, name) {
		return true
	}
	if len(f.fields) <= few {
		return slices.ContainsFunc(f.fields, func(other flat) bool { return other.name == name })
	}
	return f.used[name]
}

// isHuge reports whether a value is a number beyond what 64 bits of floating point hold, which receivers take for an error.
func isHuge(value []byte) bool {
	if !journal.IsNumber(value) || len(value) < 300 && bytes.IndexByte(value, 'e') < 0 && bytes.IndexByte(value, 'E') < 0 {
		return false
	}
	n, _ := strconv.ParseFloat(string(value), 64) // What is out of range is infinite.
	return math.IsInf(n, 0)
}

// safeName replaces what is no letter, digit, _ . or - in ASCII, and cuts what is too long.
func safeName(path string) string {
	safe := path
	if strings.ContainsFunc(path, isUnsafe) {
		safe = strings.Map(func(r rune) rune {
			if isUnsafe(r) {
				return '_'
			}
			return r
		}, path)
	}
	if safe == "" {
		return "_"
	}
	return safe[:min(len(safe), maxFieldName)]
}

func isUnsafe(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
		return false
	}
	return true
}
