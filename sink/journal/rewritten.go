package journal

import (
	"bytes"
	"math"
)

// Other programs write entries anew: jq -c with fewer decimals, Python with white space between the tokens, editors with a
// byte order mark and CRLF, scripts with the fields in another order or with some of their own. Such a line is an entry
// still, if it has the five fields.

// parseRewritten takes a line apart that is an entry in another layout than the journal's.
func parseRewritten(line []byte) (e Entry, ok bool) {
	line = trimLine(line)
	var fields [5][]byte
	if !entryFields.Values(line, fields[:]) {
		return e, false
	}
	e.Line = line
	if e.Millis, ok = parseSeconds(fields[0]); !ok {
		return e, false
	}
	if e.datetime, ok = unquoted(fields[1]); !ok || len(e.datetime) != len(DatetimeLayout) || !isDatetime(e.datetime) {
		return e, false
	}
	ip, ok := unquoted(fields[2])
	if !ok {
		return e, false
	}
	addr, ok := parseAddr(ip)
	if !ok {
		return e, false
	}
	port, rest, ok := cutDigits(fields[3])
	if !ok || len(rest) > 0 || port > math.MaxUint16 || len(fields[4]) == 0 || fields[4][0] != '{' {
		return e, false
	}
	e.Source = addrPort(addr, port)
	message, err := Compact(nil, fields[4])
	e.Message = message
	return e, err == nil
}

var entryFields = NewLookup("timestamp", "datetime", "source_ip", "source_port", "message")

// unquoted is what a string without escapes says.
func unquoted(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 {
		return nil, false
	}
	return value[1 : len(value)-1], true
}

// trimLine takes off what stands around an entry: white space, and a byte order mark at the start of a file.
func trimLine(line []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")))
}

// rewrittenTime is LineTime for a line in another layout, as far as its timestamp stands first.
func rewrittenTime(line []byte) (millis int64, ok bool) {
	line = trimLine(line[:min(len(line), MaxTimePrefix)])
	for _, token := range []string{"{", `"timestamp"`, ":"} {
		if line, ok = cutPrefix(line, token); !ok {
			return 0, false
		}
		line = line[skipSpace(line, 0):]
	}
	if len(line) == 0 || !isDigit(line[0]) && line[0] != '-' {
		return 0, false
	}
	end := numberEnd(line, 0)
	if end == none || end == len(line) { // It may go on.
		return 0, false
	}
	return parseSeconds(line[:end])
}
