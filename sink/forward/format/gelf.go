package format

import (
	"strconv"

	"hbjournal/sink/journal"
)

type gelf struct {
	facts
	opt   Options
	flat  flattener
	taken []string // fields that are there already, of the last entry
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
	dst = append(e.Source.Addr().AppendTo(append(dst, '"')), '"')
	dst = append(dst, `,"_source_port":`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.Port()), 10)
	taken := append(g.taken[:0], "source_ip", "source_port", "_id") // _id: what id becomes
	if id != "" {
		dst = append(dst, `,"_hbj_id":`...)
		dst = appendString(dst, id)
		taken = append(taken, "hbj_id")
	}
	if receiver := g.opt.receiver(e); receiver != "" {
		dst = append(dst, `,"_receiver":`...)
		dst = appendString(dst, receiver)
		taken = append(taken, "receiver")
	}
	if g.opt.Bare {
		return append(dst, '}')
	}
	g.taken = taken
	for i, all := 0, g.flat.flatten(e.Message, taken...); i < len(all); i++ {
		dst = appendGELF(dst, &all[i])
	}
	return append(dst, '}')
}

// appendGELF appends an additional field. Graylog takes strings and numbers, and keeps _id for itself.
func appendGELF(dst []byte, f *flat) []byte {
	dst = append(dst, `,"_`...)
	if f.name == "id" {
		dst = append(dst, '_')
	}
	dst = append(append(dst, f.name...), `":`...)
	if f.value[0] == 't' || f.value[0] == 'f' {
		return append(append(append(dst, '"'), f.value...), '"')
	}
	return f.appendValue(dst)
}
