package ingest

import (
	"bytes"

	"hbjournal/sink/journal"
)

// withoutNaN makes an object of one that would be JSON but for numbers that JSON does not have, as Python's json module and
// C's printf write them: they become null, and the text that came follows as _raw. The sender is heard from, whatever it
// measured. False: the text is no such object.
func (d *Decoder) withoutNaN(text []byte) (m Message, ok bool) {
	replaced, found := appendWithoutNaN(nil, text)
	if !found {
		return m, false
	}
	value, err := d.compacted(replaced)
	if err != nil || len(value) < 2 || value[0] != '{' || journal.IsReserved(value) {
		return m, false
	}
	d.wrapped = journal.AppendNotNumber(kept(d.wrapped), value, text)
	return Message{JSON: d.wrapped, Wrapped: true}, true
}

// notNumbers are the words for numbers that JSON does not have, in small letters and without a sign, the longest first.
var notNumbers = []string{"infinity", "inf", "nan"}

// appendWithoutNaN appends text with null for each of notNumbers that stands where a value can, and reports whether there
// was one.
func appendWithoutNaN(dst, text []byte) (_ []byte, found bool) {
	for i := 0; i < len(text); {
		switch b := text[i]; {
		case b == '"':
			end := closingQuote(text, i)
			dst = append(dst, text[i:end]...)
			i = end
		case i > 0 && startsValue(text[i-1]) && notNumber(text[i:]) > 0:
			dst = append(dst, "null"...)
			i += notNumber(text[i:])
			found = true
		default:
			dst = append(dst, b)
			i++
		}
	}
	return dst, found
}

// closingQuote returns where the string ends that begins at i; the end of text if it does not.
func closingQuote(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}

func startsValue(before byte) bool { return bytes.IndexByte([]byte(":,[ \t\r\n"), before) >= 0 }

// notNumber is how many bytes the word has, sign included, that text begins with if it is one of notNumbers; 0: it is none.
func notNumber(text []byte) int {
	sign := 0
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		sign = 1
	}
	for _, word := range notNumbers {
		end := sign + len(word)
		if len(text) >= end && string(bytes.ToLower(text[sign:end])) == word &&
			(len(text) == end || bytes.IndexByte([]byte(",]} \t\r\n"), text[end]) >= 0) {
			return end
		}
	}
	return 0
}
