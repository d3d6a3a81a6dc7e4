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
// nowhere. Of several members of one name the last one counts, as for jq and other parsers. It reports whether message
// is a valid object: of anything else it finds some part or nothing. It allocates nothing unless a name has escapes.
func (l *Lookup) Values(message []byte, values [][]byte) (valid bool) {
	clear(values)
	valid = setMembers(message, l.first, values)
	for i, names := range l.rest {
		if len(names) > 0 {
			values[i] = valueAt(names, values[i])
		}
	}
	return valid
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

// setMembers sets values to those of the members of object with these names, and reports whether object is valid.
func setMembers(object []byte, names []fieldName, values [][]byte) (valid bool) {
	escapes := bytes.IndexByte(object, '\\') >= 0
	m := membersOf(object)
	for m.step() {
		for n := range names {
			if quoted := names[n].quoted; len(m.name) == len(quoted) && m.name[1] == quoted[1] && string(m.name) == quoted {
				values[n] = m.value
			}
		}
		if escapes {
			setEscaped(m.name, m.value, names, values)
		}
	}
	return m.whole()
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
	for i := skipSpace(array, 1); ; n-- {
		end := valueEnd(array, i, 1)
		if end == none {
			return nil
		}
		if n == 0 {
			return array[i:end]
		}
		if i = skipSpace(array, end); i >= len(array) || array[i] != ',' {
			return nil
		}
		i = skipSpace(array, i+1)
	}
}

// Text is what a value says: a string without its quotes and escapes, nothing for null and for a value that is missing,
// and any other value as its JSON text.
func Text(value []byte) string {
	switch {
	case isNull(value):
		return ""
	case len(value) > 1 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0:
		return string(value[1 : len(value)-1])
	case len(value) > 0 && value[0] == '"':
		return gjson.ParseBytes(value).String()
	}
	return string(value)
}

func isNull(value []byte) bool { return string(value) == "null" }

// IsName reports whether the field at path names what the message is about. Null is no name: there it counts as missing.
func IsName(path string) bool { return path == "ID" || path == "name" || path == "plugin" }

// IsNumber reports whether a valid JSON value is a number.
func IsNumber(value []byte) bool { return len(value) > 0 && (value[0] == '-' || isDigit(value[0])) }

// isText reports whether value is a string that says text.
func isText(value []byte, text string) bool {
	return len(value) > 1 && value[0] == '"' && Text(value) == text
}
