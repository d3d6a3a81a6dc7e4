package summary

import (
	"bytes"
	"strconv"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
)

// The bounds of what is looked for inside of a message.
const (
	maxDepth    = 8  // levels of objects and arrays; the message itself is the first
	maxElements = 64 // of an array
)

// fieldReader finds the numbers in the messages of plugins, whatever they stand in. It keeps its scratch memory.
type fieldReader struct {
	pairs []pair // of what is nested, that of each level behind the one above
	path  []byte // to where it is: "disk.0.used_percent", with \. for a dot in a key
	found int    // numbers so far in this message
	left  int64  // values so far in it that are beyond the bounds
}

// add adds every number of a message, given by its members, to the fields of p, and returns how many values it left out
// because they are beyond the bounds; what is nested too deep counts as one value, and the rest of a long array too.
func (r *fieldReader) add(p *plugin, members []pair, budget *int) (left int64) {
	r.found, r.left = 0, 0
	for _, m := range members {
		if !isEnvelope(m.key) {
			r.path = appendKey(r.path[:0], m.key)
			r.value(p, m.value, 1, budget)
		}
	}
	return r.left
}

// value adds the number that value is, or the numbers in it.
func (r *fieldReader) value(p *plugin, value []byte, depth int, budget *int) {
	if value[0] == '{' || value[0] == '[' {
		r.nested(p, value, depth, budget)
		return
	}
	v, ok := journal.Number(value)
	if !ok {
		return
	}
	if f := p.field(presence.CutName(r.path), r.found, budget); f != nil {
		f.add(v)
	} else {
		r.left++
	}
	r.found++
}

func (r *fieldReader) nested(p *plugin, value []byte, depth int, budget *int) {
	if depth == maxDepth {
		r.left++
		return
	}
	from, stem := len(r.pairs), len(r.path)
	if value[0] == '{' {
		r.pairs = appendPairs(r.pairs, value)
		r.pairs = r.pairs[:from+len(settle(r.pairs[from:]))]
	} else {
		r.pairs = appendElements(r.pairs, value)
		if len(r.pairs)-from > maxElements {
			r.pairs = r.pairs[:from+maxElements]
			r.left++
		}
	}
	for i, to := from, len(r.pairs); i < to; i++ {
		m := r.pairs[i]
		r.path = append(r.path[:stem], '.')
		if value[0] == '{' {
			r.path = appendKey(r.path, m.key)
		} else {
			r.path = strconv.AppendInt(r.path, int64(i-from), 10)
		}
		r.value(p, m.value, depth+1, budget)
	}
	r.pairs, r.path = r.pairs[:from], r.path[:stem]
}

// appendKey appends a key as it stands in a path.
func appendKey(path, key []byte) []byte {
	for {
		dot := bytes.IndexByte(key, '.')
		if dot < 0 {
			return append(path, key...)
		}
		path = append(append(path, key[:dot]...), `\.`...)
		key = key[dot+1:]
	}
}

// appendElements appends the elements of array to dst, without keys, up to one more than maxElements. What is not well-formed ends the
// scan, as in appendPairs.
func appendElements(dst []pair, array []byte) []pair {
	i := spaceEnd(array, 0)
	for n := 0; n <= maxElements && i < len(array) && (array[i] == '[' && n == 0 || array[i] == ','); n++ {
		value := spaceEnd(array, i+1)
		end := valueEnd(array, value)
		if end <= value || array[value] == ']' {
			return dst
		}
		dst = append(dst, pair{value: array[value:end]})
		i = spaceEnd(array, end)
	}
	return dst
}
