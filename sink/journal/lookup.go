package journal

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/tidwall/gjson"
)

// Lookup finds the values of some fields of a message, all in one pass over it. It may be used by several goroutines.
type Lookup struct {
	paths [][]fieldName
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
		l.paths = append(l.paths, fieldNames(splitPath(p)))
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
	escapes := bytes.IndexByte(message, '\\') >= 0
	for rest := message[1:]; len(rest) > 1 && rest[0] == '"'; rest = cutComma(rest) {
		var name, value []byte
		name, value, rest = cutMember(rest)
		for i := range l.paths {
			if l.paths[i][0].is(name, escapes) {
				values[i] = value
			}
		}
	}
	for i, p := range l.paths {
		values[i] = valueAt(p[1:], values[i])
	}
}

// is reports whether quoted, a JSON string, is the name. Escapes says whether there may be any in it.
func (n *fieldName) is(quoted []byte, escapes bool) bool {
	return len(quoted) == len(n.quoted) && quoted[1] == n.quoted[1] && string(quoted) == n.quoted || escapes && n.isEscaped(quoted)
}

func (n *fieldName) isEscaped(quoted []byte) bool {
	return bytes.IndexByte(quoted, '\\') >= 0 && gjson.ParseBytes(quoted).String() == n.text
}

// valueAt returns the value that names lead to in value; nil: there is none.
func valueAt(names []fieldName, value []byte) []byte {
	for i := range names {
		switch {
		case len(value) == 0:
			return nil
		case value[0] == '{':
			value = member(value, &names[i])
		case value[0] == '[':
			value = element(value, names[i].text)
		default:
			return nil
		}
	}
	return value
}

// member returns the value of the last member of this name.
func member(object []byte, wanted *fieldName) (found []byte) {
	escapes := bytes.IndexByte(object, '\\') >= 0
	for rest := object[1:]; len(rest) > 1 && rest[0] == '"'; rest = cutComma(rest) {
		var name, value []byte
		name, value, rest = cutMember(rest)
		if wanted.is(name, escapes) {
			found = value
		}
	}
	return found
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

// cutMember cuts the name and the value off that b begins with.
func cutMember(b []byte) (name, value, rest []byte) {
	size := stringLen(b)
	name, rest = b[:size], b[size:]
	if len(rest) > 0 { // A colon.
		rest = rest[1:]
	}
	size = valueLen(rest)
	return name, rest[:size], rest[size:]
}

func cutComma(b []byte) []byte {
	if len(b) > 0 && b[0] == ',' {
		return b[1:]
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
	i := 1
	for i < len(b) {
		if i+8 <= len(b) {
			special := specialBytes(binary.LittleEndian.Uint64(b[i:]))
			if special == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(special) / 8
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
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
