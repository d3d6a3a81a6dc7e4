package presence

import (
	"bytes"
	"math"
	"unicode/utf8"

	"hbjournal/sink/journal"
)

// DefaultGrace is how many intervals after a beat the next one is missed, if it has not come.
const DefaultGrace = 1.5

// maxNameBytes bounds the names that are kept.
const maxNameBytes = 200

// Missed returns how many beats are missing of a host whose last came gap milliseconds ago: none as long as the next is late
// by less than what grace, in intervals, allows beyond the first.
func Missed(gap, interval int64, grace float64) int64 {
	if interval <= 0 {
		return 0
	}
	return max(0, (gap-allowance(interval, grace))/interval)
}

// allowance is how many milliseconds late a beat may be.
func allowance(interval int64, grace float64) int64 {
	const hair = 1e-6 // that a product such as 0.1 × 30000 may be beyond what it should be
	return int64(math.Ceil((grace-1)*float64(interval) - hair))
}

// Interval returns the milliseconds that the value of an interval promises, 0 if it makes no sense (more than nothing, at
// most some thirty years).
func Interval(value []byte) int64 {
	const longest = 1e9
	seconds, ok := journal.Number(value)
	if !ok || seconds <= 0 || seconds > longest {
		return 0
	}
	return max(1, int64(seconds*1000))
}

// Booted reports whether the value of a boot says that its host did: it is neither false, null, zero nor empty, the way a
// script language asks.
func Booted(value []byte) bool {
	switch string(value) {
	case "", "false", "null", `""`, "[]", "{}":
		return false
	}
	f, ok := journal.Number(value)
	return !ok || f != 0
}

// Name returns the name that a value gives, cut if it is long; nothing for null, which gives none.
func Name(value []byte) []byte { return CutName(journal.TextBytes(value)) }

// CutName shortens a name to 200 bytes at most, at the edge of a character, with an ellipsis for the rest.
func CutName(name []byte) []byte {
	if len(name) <= maxNameBytes {
		return name
	}
	const ellipsis = "…"
	end := maxNameBytes - len(ellipsis)
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return append(bytes.Clone(name[:end]), ellipsis...)
}
