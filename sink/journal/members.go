package journal

import "encoding/binary"

// members walks the members of a JSON object in their order, and checks the text as RFC 8259 has it on the way, UTF-8
// included. White space between tokens is passed over; what nests deeper than MaxDepth is a fault. It allocates nothing.
type members struct {
	// name and value are of the member that step went to, as they stand in the text: the name has its quotes.
	name, value []byte

	text []byte
	next int // where the next member begins; none: there is no other
	end  int // behind the object's closing bracket; none: not come to, or never
}

// none stands where there is no place in the text.
const none = -1

// membersOf starts a walk over the members of object.
func membersOf(object []byte) members {
	m := members{text: object, next: none, end: none}
	i := skipSpace(object, 0)
	if i == len(object) || object[i] != '{' {
		return m
	}
	if i = skipSpace(object, i+1); i < len(object) && object[i] == '}' {
		m.end = i + 1
	} else {
		m.next = i
	}
	return m
}

// step goes to the next member. It returns false behind the last one, and at a fault.
func (m *members) step() bool {
	if m.next == none {
		return false
	}
	nameEnd, value, end := member(m.text, m.next, 1)
	if end == none {
		m.next = none
		return false
	}
	m.name, m.value = m.text[m.next:nameEnd], m.text[value:end]
	m.next, m.end = afterMember(m.text, end)
	return true
}

// member finds the parts of the member that begins at i: the name up to nameEnd, and its value from value to end; none:
// there is no valid one.
func member(text []byte, i, depth int) (nameEnd, value, end int) {
	nameEnd = stringEnd(text, i)
	if nameEnd == none {
		return none, none, none
	}
	if i = skipSpace(text, nameEnd); i >= len(text) || text[i] != ':' {
		return none, none, none
	}
	value = skipSpace(text, i+1)
	return nameEnd, value, valueEnd(text, value, depth)
}

// afterMember returns where the member begins that follows the one that ends at i, or where its object ends.
func afterMember(text []byte, i int) (next, end int) {
	i = skipSpace(text, i)
	switch {
	case i < len(text) && text[i] == ',':
		return skipSpace(text, i+1), none
	case i < len(text) && text[i] == '}':
		return none, i + 1
	}
	return none, none
}

// whole reports, once step has returned false, whether the text is a valid object and nothing else.
func (m *members) whole() bool { return m.end != none && skipSpace(m.text, m.end) == len(m.text) }

// isObject reports whether text is a valid JSON object.
func isObject(text []byte) bool {
	i := skipSpace(text, 0)
	if i == len(text) || text[i] != '{' {
		return false
	}
	end := objectEnd(text, i, 1)
	return end != none && skipSpace(text, end) == len(text)
}

// objectEnd returns where the object ends that begins at i.
func objectEnd(text []byte, i, depth int) int {
	if depth > MaxDepth {
		return none
	}
	if i = skipSpace(text, i+1); i < len(text) && text[i] == '}' {
		return i + 1
	}
	for {
		_, _, end := member(text, i, depth)
		if end == none {
			return none
		}
		if i, end = afterMember(text, end); i == none {
			return end
		}
	}
}

// valueEnd returns where the value ends that begins at i within depth arrays and objects; none: there is no valid one.
func valueEnd(text []byte, i, depth int) int {
	if i >= len(text) {
		return none
	}
	switch b := text[i]; {
	case b == '"':
		return stringEnd(text, i)
	case isDigit(b) || b == '-':
		return numberEnd(text, i)
	case b == '{':
		return objectEnd(text, i, depth+1)
	case b == '[':
		return arrayEnd(text, i, depth+1)
	}
	return wordEnd(text, i)
}

// arrayEnd returns where the array ends that begins at i.
func arrayEnd(text []byte, i, depth int) int {
	if depth > MaxDepth {
		return none
	}
	if i = skipSpace(text, i+1); i < len(text) && text[i] == ']' {
		return i + 1
	}
	for {
		end := valueEnd(text, i, depth)
		if end == none {
			return none
		}
		if i = skipSpace(text, end); i >= len(text) || text[i] != ',' && text[i] != ']' {
			return none
		}
		if text[i] == ']' {
			return i + 1
		}
		i = skipSpace(text, i+1)
	}
}

// stringEnd returns where the string ends that begins at i, behind its closing quote. It goes eight by eight, as
// copyString does.
func stringEnd(text []byte, i int) int {
	if i >= len(text) || text[i] != '"' {
		return none
	}
	for i++; len(text)-i >= 8; {
		n := plainBytes(binary.LittleEndian.Uint64(text[i:]))
		if i += n; n == 8 {
			continue
		}
		if text[i] == '"' {
			return i + 1
		}
		if n = special(text[i:]); n == 0 {
			return none
		}
		i += n
	}
	return stringTail(text, i)
}

// stringTail is the rest of stringEnd where fewer than eight bytes are left, byte by byte.
func stringTail(text []byte, i int) int {
	for i < len(text) && text[i] != '"' {
		n := 1
		if !isPlain[text[i]] {
			n = special(text[i:])
		}
		if n == 0 {
			return none
		}
		i += n
	}
	if i >= len(text) {
		return none
	}
	return i + 1
}

// numberEnd returns where the number ends that begins at i. A number is -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func numberEnd(text []byte, i int) int {
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' { // A digit after a leading zero is for the caller to stumble over.
		i++
	} else if i = digitsEnd(text, i); i == none {
		return none
	}
	if i < len(text) && text[i] == '.' {
		if i = digitsEnd(text, i+1); i == none {
			return none
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return digitsEnd(text, i)
	}
	return i
}

// digitsEnd returns where the digits end that begin at i; none: there is not one.
func digitsEnd(text []byte, i int) int {
	from := i
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	if i == from {
		return none
	}
	return i
}

// wordEnd returns where the literal ends that begins at i.
func wordEnd(text []byte, i int) int {
	for _, word := range words {
		if rest := text[i:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return i + len(word)
		}
	}
	return none
}
