package cli

import (
	"strconv"
	"time"
)

// The parts of the messages of `send --mix`. They have the spaces that Python's json.dumps puts between tokens, and the
// sizes that real clients send: heartbeatSize and pluginSize.
const (
	heartbeatHead = `{"ID": "HTB", "name": "web-`
	pluginHead    = `{"ID": "PLG", "name": "web-`
	pluginTail    = `, "plugin": "cpu_monitor", "interval": 60, "cpu_percent": 45.2, "load_1min": 1.5, ` +
		`"load_5min": 1.2, "load_15min": 1.1, "user": 31.4, "system": 9.8, "idle": 54.8, "iowait": 2.7, "ver": 1}`

	heartbeatSize = 75
	pluginSize    = 260

	mixFirst   = 1_000_000_000 // the first running number; all that follow have as many digits
	mixHost    = 10_000        // the number of the first host
	mixHosts   = 90_000        // hosts that the messages name in turn
	segmentRun = 64            // messages of one kind in a row: as many as a UDP_SEGMENT buffer takes
)

// mix makes the messages of `send --mix`: half heartbeats, half plugin messages, in runs of one kind. Each carries its
// running number in "n", so that a receiver's journal can be checked message by message, and the time at which it was
// made in "at", in microseconds since 1970, so that latency can be measured.
type mix struct {
	run int // messages of one kind in a row
	n   int // messages made so far
	buf []byte
}

// next returns the next message. It is valid until the next call.
func (m *mix) next(now time.Time) []byte {
	head, tail := heartbeatHead, "}"
	if m.n/m.run%2 == 1 {
		head, tail = pluginHead, pluginTail
	}
	b := append(m.buf[:0], head...)
	b = strconv.AppendInt(b, int64(mixHost+m.n%mixHosts), 10)
	b = append(b, `", "n": `...)
	b = strconv.AppendInt(b, int64(mixFirst+m.n), 10)
	b = append(b, `, "at": `...)
	b = strconv.AppendInt(b, now.UnixMicro(), 10)
	m.buf = append(b, tail...)
	m.n++
	return m.buf
}
