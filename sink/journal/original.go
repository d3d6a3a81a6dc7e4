package journal

import (
	"encoding/base64"
	"fmt"

	"github.com/tidwall/gjson"
)

// The keys of what the journal keeps though it was no JSON object.
const (
	keyValue     = "_value"
	keyRaw       = "_raw"
	keyRawBase64 = "_raw_base64"
	keyError     = "_error"
)

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

// IsNote reports whether a message is the journal's own, about a gap for instance, and came from no sender.
func IsNote(message []byte) bool { return gjson.GetBytes(message, "ID").Str == "JRN" }
