package format

import (
	"strconv"

	"hbjournal/sink/journal"
)

// ecsVersion is the version of the Elastic Common Schema whose names are used.
const ecsVersion = "8.17.0"

type ecs struct {
	facts
	opt  Options
	flat flattener
}

// Append implements Form. Its first fields are those that ecs-logging wants first, in that order.
func (s *ecs) Append(dst []byte, e *journal.Entry, id string) []byte {
	s.learn(e)
	dst = append(dst, `{"@timestamp":"`...)
	dst = appendTime(dst, e.Millis)
	dst = append(dst, `","log.level":"`...)
	if s.note {
		dst = append(dst, "warn"...)
	} else {
		dst = append(dst, "info"...)
	}
	dst = append(dst, `","message":`...)
	dst = appendText(dst, e.Message)
	dst = append(dst, `,"ecs.version":"`+ecsVersion+`","event.dataset":"hbjournal","host.name":`...)
	dst = appendString(dst, s.host)
	dst = append(dst, `,"source.ip":`...)
	dst = append(e.Source.Addr().WithZone("").AppendTo(append(dst, '"')), '"')
	dst = append(dst, `,"source.port":`...)
	dst = strconv.AppendUint(dst, uint64(e.Source.Port()), 10)
	if s.kind != "" {
		dst = append(dst, `,"event.code":`...)
		dst = appendString(dst, s.kind)
	}
	if id != "" {
		dst = append(dst, `,"event.id":`...)
		dst = appendString(dst, id)
	}
	if receiver := s.opt.receiver(e); receiver != "" {
		dst = append(dst, `,"observer.name":`...)
		dst = appendString(dst, receiver)
	}
	if s.opt.Bare {
		return append(dst, '}')
	}
	for i, all := 0, s.flat.flatten(e.Message); i < len(all); i++ {
		dst = append(append(append(dst, `,"hbjournal.`...), all[i].name...), `":`...)
		dst = all[i].appendValue(dst)
	}
	return append(dst, '}')
}
