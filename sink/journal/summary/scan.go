package summary

import (
	"bytes"
	"slices"

	"hbjournal/sink/journal"
)

// pair is one member of a JSON object: the key as it stands between its quotes, the value as it stands.
type pair struct {
	key, value []byte
}

// appendPairs appends the top-level members of object to dst. What is not well-formed ends the scan: the members before
// it are returned. The pairs point into object.
func appendPairs(dst []pair, object []byte) []pair {
	i := spaceEnd(object, 0)
	if i == len(object) || object[i] != '{' {
		return dst
	}
	for i < len(object) && (object[i] == '{' || object[i] == ',') {
		key := spaceEnd(object, i+1)
		keyEnd := stringEnd(object, key)
		colon := spaceEnd(object, keyEnd)
		if keyEnd-key < 2 || colon == len(object) || object[colon] != ':' {
			return dst
		}
		value := spaceEnd(object, colon+1)
		end := valueEnd(object, value)
		if end <= value {
			return dst
		}
		dst = append(dst, pair{object[key+1 : keyEnd-1], object[value:end]})
		i = spaceEnd(object, end)
	}
	return dst
}

// fewPairs is up to how many pairs are looked through one by one.
const fewPairs = 64

// settle makes of pairs what they mean: their keys lose their escapes, and of those that stand twice the last one counts.
// It works in place.
func settle(pairs []pair) []pair {
	for i := range pairs {
		pairs[i].key = keyText(pairs[i].key)
	}
	if len(pairs) > fewPairs {
		return settleMany(pairs)
	}
	kept := pairs[:0]
	for i, p := range pairs {
		if !hasKey(pairs[i+1:], p.key) {
			kept = append(kept, p)
		}
	}
	return kept
}

func hasKey(pairs []pair, key []byte) bool {
	for i := range pairs {
		if string(pairs[i].key) == string(key) {
			return true
		}
	}
	return false
}

func settleMany(pairs []pair) []pair {
	last := make(map[string]int, len(pairs))
	for i, p := range pairs {
		last[string(p.key)] = i
	}
	kept := pairs[:0]
	for i, p := range pairs {
		if last[string(p.key)] == i {
			kept = append(kept, p)
		}
	}
	return kept
}

// spaceEnd returns where the white space that begins at i ends, i itself if there is none. The journal's lines have none.
func spaceEnd(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns where the JSON string that begins at i ends, its closing quote included, or i if there is none.
func stringEnd(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return i
	}
	for j := i + 1; j < len(b); j++ {
		switch b[j] {
		case '"':
			return j + 1
		case '\\':
			j++
		}
	}
	return i
}

// valueEnd returns where the JSON value that begins at i ends, or i if there is none.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return nestedEnd(b, i)
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

// nestedEnd returns where the object or array that begins at i ends, or i if it does not.
func nestedEnd(b []byte, i int) int {
	depth := 0
	for j := i; j < len(b); j++ {
		switch b[j] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(b, j)
			if end == j {
				return i
			}
			j = end - 1
		}
		if depth == 0 {
			return j + 1
		}
	}
	return i
}

// keyText returns what a key says, without escapes. Keys without a backslash are returned in place.
func keyText(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	return journal.TextBytes(slices.Concat([]byte{'"'}, key, []byte{'"'}))
}
