package journal

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// The keys under which the journal keeps what it cannot keep as it came:
//
//	another JSON value               {"_value":[1,2]}
//	an object that bears our marks   {"_value":{"ID":"JRN"},"_error":"reserved"}
//	other text                       {"_raw":"...","_error":"..."}
//	other bytes                      {"_raw_base64":"...","_error":"..."}
//	an object with numbers like NaN  {"ID":"PLG","cpu":null,"_raw":"...","_error":"not a JSON number: NaN or Infinity"}
//
// Only the journal writes them at the top of a message: see IsReserved.
const (
	keyValue     = "_value"
	keyRaw       = "_raw"
	keyRawBase64 = "_raw_base64"
	keyError     = "_error"
)

// The reasons that stand under _error for what was valid but for one thing.
const (
	ErrorReserved  = "reserved"
	ErrorNotNumber = "not a JSON number: NaN or Infinity"
)

// AppendValue appends the message that keeps an array or a scalar.
func AppendValue(dst, value []byte) []byte {
	dst = append(dst, `{"`+keyValue+`":`...)
	dst = append(dst, value...)
	return append(dst, '}')
}

// AppendRaw appends the message that keeps bytes which are no JSON, and says why they are none.
func AppendRaw(dst, raw []byte, why error) []byte {
	if utf8.Valid(raw) {
		dst = append(dst, `{"`+keyRaw+`":`...)
		dst = appendString(dst, raw)
	} else {
		dst = append(dst, `{"`+keyRawBase64+`":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, raw)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"`+keyError+`":`...)
	dst = appendString(dst, why.Error())
	return append(dst, '}')
}

// AppendNotNumber appends the message that keeps an object of at least one member whose numbers are not all JSON's: they
// are null in object, and raw is the text that came.
func AppendNotNumber(dst, object, raw []byte) []byte {
	dst = append(dst, object[:len(object)-1]...)
	dst = append(dst, `,"`+keyRaw+`":`...)
	dst = appendString(dst, raw)
	return append(dst, `,"`+keyError+`":"`+ErrorNotNumber+`"}`...)
}

// IsReserved reports whether message, a valid JSON object that came from outside, bears a mark of the journal's own at its
// top: the ID of its notes, or a key of what it keeps. Keys and values are compared as they read once their escapes are
// resolved, and of a key that stands twice each value counts, since readers differ in which one they take.
func IsReserved(message []byte) bool {
	if !bytes.Contains(message, []byte(noteID)) && !bytes.Contains(message, []byte(`"_`)) && bytes.IndexByte(message, '\\') < 0 {
		return false
	}
	m := membersOf(message)
	for m.step() {
		switch Text(m.name) {
		case keyValue, keyRaw, keyRawBase64:
			return true
		case "ID":
			if isText(m.value, noteID) {
				return true
			}
		}
	}
	return false
}

// AppendReserved appends the message by which an object for which IsReserved is true is kept.
func AppendReserved(dst, object []byte) []byte {
	dst = append(dst, `{"`+keyValue+`":`...)
	dst = append(dst, object...)
	return append(dst, `,"`+keyError+`":"`+ErrorReserved+`"}`...)
}

// AppendOriginal appends the datagram that a message was made from: the bytes of what was kept as _raw or _raw_base64,
// the value of a _value, and otherwise the message itself. White space between tokens, padding and compression are not
// kept by a journal, and do not come back.
func AppendOriginal(dst, message []byte) ([]byte, error) {
	var last [2]struct{ key, value string }
	n := 0
	for m := membersOf(message); m.step(); n++ {
		last[0] = last[1]
		last[1].key, last[1].value = Text(m.name), string(m.value)
	}
	kept, why := last[0], ""
	switch {
	case n == 1 && last[1].key == keyValue:
		return append(dst, last[1].value...), nil
	case n >= 2 && last[1].key == keyError:
		why = Text([]byte(last[1].value))
	default:
		return append(dst, message...), nil
	}
	switch {
	case n == 2 && kept.key == keyValue && why == ErrorReserved:
		return append(dst, kept.value...), nil
	case kept.key == keyRaw && (n == 2 || why == ErrorNotNumber):
		return append(dst, Text([]byte(kept.value))...), nil
	case n == 2 && kept.key == keyRawBase64:
		dst, err := base64.StdEncoding.AppendDecode(dst, []byte(Text([]byte(kept.value))))
		if err != nil {
			return dst, fmt.Errorf("decode %s: %w", keyRawBase64, err)
		}
		return dst, nil
	}
	return append(dst, message...), nil
}

// appendString appends valid UTF-8 as a JSON string that decodes to exactly these bytes.
func appendString[T string | []byte](dst []byte, text T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(text) {
		b := text[i]
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b == '\n':
			dst = append(dst, '\\', 'n')
		case b == '\r':
			dst = append(dst, '\\', 'r')
		case b == '\t':
			dst = append(dst, '\\', 't')
		case b < ' ' || b == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
