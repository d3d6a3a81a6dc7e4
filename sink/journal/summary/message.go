package summary

// message is what a report needs of a message. Its slices point into the entry, except names that were too long or
// had escapes.
type message struct {
	id, name, plugin []byte
	boot             []byte // as it stands; nil if there is none
	every            []byte // the interval as it stands
}

// readMessage picks the known members out of pairs.
func readMessage(pairs []pair) message {
	var m message
	for _, p := range pairs {
		switch string(p.key) {
		case "ID":
			m.id = nameOf(p.value)
		case "name":
			m.name = nameOf(p.value)
		case "plugin":
			m.plugin = nameOf(p.value)
		case "boot":
			m.boot = p.value
		case "interval":
			m.every = p.value
		}
	}
	return m
}

// nameOf returns the name that value is, shortened if it is long; nil for null, which is none.
func nameOf(value []byte) []byte {
	if string(value) == "null" {
		return nil
	}
	return cutName(text(value))
}

// isEnvelope reports whether a numeric member called key says something of the message itself, and measures nothing.
func isEnvelope(key []byte) bool {
	switch string(key) {
	case "ID", "name", "plugin", "interval", "ver", "boot":
		return true
	}
	return false
}

// journals reports whether the message is a note of the journal itself.
func (m *message) journals() bool { return string(m.id) == "JRN" }

// interval returns the interval in milliseconds, 0 if there is none that makes sense (more than nothing, at most some thirty years).
func (m *message) interval() int64 {
	const longest = 1e9
	seconds, ok := number(m.every)
	if !ok || seconds <= 0 || seconds > longest {
		return 0
	}
	return max(1, int64(seconds*1000))
}
