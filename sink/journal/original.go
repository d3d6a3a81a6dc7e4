package journal

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// The keys of what the journal keeps though it was no JSON object.
const (
	keyValue     = "_value"
	keyRaw       = "_raw"
	keyRawBase64 = "_raw_base64"
	keyError     = "_error"
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

// AppendOriginal appends the datagram that a message was made from: the bytes of what was kept as _raw or _raw_base64,
// the array or scalar of a _value, and otherwise the message itself. White space between tokens, and compression, are
// not kept by a journal, and do not come back.
func AppendOriginal(dst, message []byte) ([]byte, error) {
	var kept [2]struct{ key, value gjson.Result }
	n := 0
	gjson.ParseBytes(message).ForEach(func(key, value gjson.Result) bool {
		if n < len(kept) {
			kept[n].key, kept[n].value = key, value
		}
		n++
		return n <= len(kept)
	})
	first := kept[0]
	switch {
	case n == 1 && first.key.Str == keyValue:
		return append(dst, first.value.Raw...), nil
	case n == 2 && first.key.Str == keyRaw && kept[1].key.Str == keyError:
		return append(dst, first.value.String()...), nil
	case n == 2 && first.key.Str == keyRawBase64 && kept[1].key.Str == keyError:
		dst, err := base64.StdEncoding.AppendDecode(dst, []byte(first.value.String()))
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
