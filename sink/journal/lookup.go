package journal

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"
)

// Lookup finds the values of some fields of a message, all in one pass over it. It may be used by several goroutines.
type Lookup struct {
	first []fieldName   // of each path
	rest  [][]fieldName // of each path
}

// fieldName is one step of a path: the name of a member, or the index of an element.
type fieldName struct {
	text   string
	quoted string // as it stands in JSON without escapes, with its quotes
}

// NewLookup takes dotted paths, as Field does.
func NewLookup(paths ...string) *Lookup {
	l := new(Lookup)
	for _, p := range paths {
		names := fieldNames(splitPath(p))
		l.first = append(l.first, names[0])
		l.rest = append(l.rest, names[1:])
	}
	return l
}

func fieldNames(keys []string) []fieldName {
	names := make([]fieldName, len(keys))
	for i, key := range keys {
		names[i] = fieldName{key, `"` + key + `"`}
	}
	return names
}

// Values sets values, which has an element for each path, to the JSON texts that the paths lead to in message; nil:
// nowhere. Of several members of one name the last one counts, as for jq and other parsers. Message should be a valid and
// compact object: of anything else it finds some part or nothing. It allocates nothing unless a name has escapes.
func (l *Lookup) Values(message []byte, values [][]byte) {
	clear(values)
	if len(message) == 0 || message[0] != '{' {
		return
	}
	setMembers(message, l.first, values)
	for i, names := range l.rest {
		if len(names) > 0 {
			values[i] = valueAt(names, values[i])
		}
	}
}

// valueAt returns the value that names lead to in value; nil: there is none.
func valueAt(names []fieldName, value []byte) []byte {
	for i := range names {
		switch {
		case len(value) == 0:
			return nil
		case value[0] == '{':
			var found [1][]byte
			setMembers(value, names[i:i+1], found[:])
			value = found[0]
		case value[0] == '[':
			value = element(value, names[i].text)
		default:
			return nil
		}
	}
	return value
}

// setMembers sets values to those of the members of object with these names.
func setMembers(object []byte, names []fieldName, values [][]byte) {
	escapes := bytes.IndexByte(object, '\\') >= 0
	for i := 1; i < len(object) && object[i] == '"'; i++ {
		start := i
		i += stringLen(object[i:])
		name := object[start:i]
		i = min(i+1, len(object)) // A colon.
		start = i
		i += valueLen(object[i:])
		value := object[start:i]
		for n := range names {
			if quoted := names[n].quoted; len(name) == len(quoted) && name[1] == quoted[1] && string(name) == quoted {
				values[n] = value
			}
		}
		if escapes {
			setEscaped(name, value, names, values)
		}
	}
}

// setEscaped sets the value of a member whose name, a JSON string, is one of names once its escapes are resolved.
func setEscaped(name, value []byte, names []fieldName, values [][]byte) {
	if bytes.IndexByte(name, '\\') < 0 {
		return
	}
	text := gjson.ParseBytes(name).String()
	for n := range names {
		if names[n].text == text {
			values[n] = value
		}
	}
}

// element returns the value whose place in the array is key, from 0.
func element(array []byte, key string) []byte {
	n, err := strconv.Atoi(key)
	if err != nil || n < 0 {
		return nil
	}
	for rest := array[1:]; len(rest) > 0 && rest[0] != ']'; n-- {
		size := valueLen(rest)
		if n == 0 {
			return rest[:size]
		}
		if rest = rest[size:]; len(rest) == 0 || rest[0] != ',' {
			return nil
		}
		rest = rest[1:]
	}
	return nil
}

// valueLen is the length of the value that b begins with.
func valueLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return stringLen(b)
	case '{', '[':
		return nestedLen(b)
	}
	for i, c := range b {
		if c == ',' || c == '}' || c == ']' {
			return i
		}
	}
	return len(b)
}

// stringLen is the length of the string that b begins with, quotes included.
func stringLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case isPlain[c]:
		case c == '"':
			return i + 1
		case c == '\\':
			i++
		}
	}
	return len(b)
}

// nestedLen is the length of the object or array that b begins with.
func nestedLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringLen(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}
