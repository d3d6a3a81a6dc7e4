package read

import "bytes"

// A finder jumps to the lines of data that may hold needle as JSON text: those with its bytes, and those with a
// backslash, since an escape may stand for any of them. The zero value finds every line.
type finder struct {
	data, needle []byte
	rare         int // index in needle of the byte that is least frequent in data
	hit, escape  int // the next needle and the next backslash at or after the position last asked for
}

func newFinder(data, needle []byte) finder {
	f := finder{data: data, needle: needle, hit: -1, escape: -1}
	if len(needle) > 0 {
		f.rare = rarest(needle, data[:min(len(data), 1<<10)])
	}
	return f
}

// rarest returns the index of the byte of needle that sample holds least often. Looking for that one byte is several
// times faster than for the whole needle, whose first one is a quote, as every other thing in JSON.
func rarest(needle, sample []byte) int {
	var counts [256]int
	for _, c := range sample {
		counts[c]++
	}
	best := 0
	for i, c := range needle {
		if counts[c] < counts[needle[best]] {
			best = i
		}
	}
	return best
}

// lineFrom returns the start of the first line that may hold the needle, at or after pos, where a line starts; or
// len(data) if there is none.
func (f *finder) lineFrom(pos int) int {
	if len(f.needle) == 0 {
		return pos
	}
	if f.hit < pos {
		f.hit = f.find(pos)
	}
	if f.escape < pos {
		f.escape = indexFrom(f.data, pos, '\\')
	}
	at := min(f.hit, f.escape)
	if at == len(f.data) {
		return at
	}
	return pos + bytes.LastIndexByte(f.data[pos:at], '\n') + 1
}

// find returns the index of needle in data at or after pos, or len(data).
func (f *finder) find(pos int) int {
	rare, last := f.needle[f.rare], len(f.data)-len(f.needle)
	for pos <= last {
		start := indexFrom(f.data, pos+f.rare, rare) - f.rare
		if start > last {
			break
		}
		if string(f.data[start:start+len(f.needle)]) == string(f.needle) {
			return start
		}
		pos = start + 1
	}
	return len(f.data)
}

// indexFrom returns the index of c in data at or after pos, or len(data).
func indexFrom(data []byte, pos int, c byte) int {
	if i := bytes.IndexByte(data[pos:], c); i >= 0 {
		return pos + i
	}
	return len(data)
}

// maybe reports whether line may hold the needle.
func (f *finder) maybe(line []byte) bool {
	return bytes.Contains(line, f.needle) || bytes.IndexByte(line, '\\') >= 0
}

// isSpaced reports whether some line of data has white space between a key and its value, so that it may match without
// holding the needle. The journal writes none, but other programs do that rewrite it.
func isSpaced(data []byte) bool {
	for _, spaced := range [...]string{`": `, "\":\t", `" :`, "\"\t:"} {
		if bytes.Contains(data, []byte(spaced)) {
			return true
		}
	}
	return false
}
