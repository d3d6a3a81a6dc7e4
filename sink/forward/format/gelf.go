package format

import (
	"strconv"

	"hbjournal/sink/journal"
)

type gelf struct {
	facts
	bare bool
}

// Append implements Form.
func (g *gelf) Append(dst []byte, e *journal.Entry, id string) []byte {
	g.learn(e)
	dst = append(dst, `{"version":"1.1","host":`...)
	dst = appendString(dst, g.host)
	dst = append(dst, `,"short_message":`...)
	dst = appendString(dst, g.title())
	dst = append(dst, `,"full_message":`...)
	dst = appendText(dst, e.Message)
	dst = append(dst, `,"timestamp":`...)
	dst = journal.AppendSeconds(dst, e.Millis)
	dst = append(dst, `,"level":`...)
	dst = strconv.AppendInt(dst, int64(g.severity()), 10)
	dst = append(dst, `,"_source_ip":`...)
	dst = appendString(dst, e.Source.Addr().String())
	dst = append(dst, `,"_source_port":`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.Port()), 10)
	taken := []string{"source_ip", "source_port", "_id"} // _id: what id becomes
	if id != "" {
		dst = append(dst, `,"_hbj_id":`...)
		dst = appendString(dst, id)
		taken = append(taken, "hbj_id")
	}
	if g.bare {
		return append(dst, '}')
	}
	for _, f := range flatten(e.Message, taken...) {
		dst = appendGELF(dst, f)
	}
	return append(dst, '}')
}

// appendGELF appends an additional field. Graylog takes strings and numbers, and keeps _id for itself.
func appendGELF(dst []byte, f flat) []byte {
	dst = append(dst, `,"_`...)
	if f.name == "id" {
		dst = append(dst, '_')
	}
	dst = append(append(dst, f.name...), `":`...)
	if f.value[0] == 't' || f.value[0] == 'f' {
		return append(append(append(dst, '"'), f.value...), '"')
	}
	return append(dst, f.value...)
}
