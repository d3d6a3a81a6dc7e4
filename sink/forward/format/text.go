package format

import (
	"time"

	"github.com/tidwall/gjson"
)

// endOfTime is the year 10000, in Unix milliseconds.
const endOfTime = 253_402_300_800_000

// appendTime appends the receipt of an entry as RFC 3339 has it, in UTC, with milliseconds.
func appendTime(dst []byte, millis int64) []byte {
	at := time.UnixMilli(millis).UTC()
	if millis < 0 || millis >= endOfTime {
		return at.AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
	}
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	dst = appendTwo(appendTwo(dst, year/100), year%100)
	dst = appendTwo(append(dst, '-'), int(month))
	dst = appendTwo(append(dst, '-'), day)
	dst = appendTwo(append(dst, 'T'), hour)
	dst = appendTwo(append(dst, ':'), minute)
	dst = appendTwo(append(dst, ':'), second)
	fraction := int(millis % 1000)
	return append(appendTwo(append(dst, '.'), fraction/10), byte('0'+fraction%10), 'Z')
}

// appendTwo appends a number below 100 in two digits.
func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return gjson.AppendJSONString(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// appendText appends the bytes of a message, which is UTF-8 without control characters, as a JSON string.
func appendText(dst, text []byte) []byte {
	dst = append(dst, '"')
	done := 0
	for i, c := range text {
		if c == '"' || c == '\\' {
			dst = append(append(dst, text[done:i]...), '\\', c)
			done = i + 1
		}
	}
	return append(append(dst, text[done:]...), '"')
}
