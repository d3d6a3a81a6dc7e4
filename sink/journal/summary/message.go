package summary

import "hbjournal/sink/journal/presence"

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
			m.id = presence.Name(p.value)
		case "name":
			m.name = presence.Name(p.value)
		case "plugin":
			m.plugin = presence.Name(p.value)
		case "boot":
			m.boot = p.value
		case "interval":
			m.every = p.value
		}
	}
	return m
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
