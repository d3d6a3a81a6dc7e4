package journal

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"strconv"
)

// The journal's own entries are its notes. A note is a message with the ID JRN and a word for what happened:
//
//	{"ID":"JRN","event":"gap","reason":"kernel","lost":123,"first":1711234567.123,"last":1711234567.900}
//
// Each kind has a type, whose Append makes the message and whose Parse function reads it. To add a kind is to add such a
// pair here.
const (
	noteID         = "JRN"
	eventGap       = "gap"
	eventDuplicate = "duplicate"
)

// IsNote reports whether a message is the journal's own, and came from no sender. Of a key that stands twice, here as
// everywhere, the last one counts.
func IsNote(message []byte) bool {
	if !bytes.Contains(message, []byte(noteID)) && bytes.IndexByte(message, '\\') < 0 {
		return false
	}
	var id [1][]byte
	idOnly.Values(message, id[:])
	return isText(id[0], noteID)
}

var idOnly = NewLookup("ID")

// GapNote says that messages were lost.
type GapNote struct {
	Reason      string // a word: "kernel", "queue"
	Lost        uint64
	First, Last Instant // of what was lost; 0: not known
}

// Append appends the note's message.
func (n GapNote) Append(dst []byte) []byte {
	dst = appendEvent(dst, eventGap)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, n.Reason)
	dst = append(dst, `,"lost":`...)
	dst = strconv.AppendUint(dst, n.Lost, 10)
	return append(appendSpan(dst, n.First, n.Last), '}')
}

// ParseGapNote reads a message that Append has made; false: it is none. What is missing in it is zero.
func ParseGapNote(message []byte) (n GapNote, ok bool) {
	v, ok := parseNote(message, eventGap)
	if !ok {
		return n, false
	}
	return GapNote{
		Reason: Text(v[noteReason]), Lost: parseCount(v[noteLost]),
		First: parseInstant(v[noteFirst]), Last: parseInstant(v[noteLast]),
	}, true
}

// DuplicateNote says that copies of one message came within dedup_window of it and were left out.
type DuplicateNote struct {
	Count  uint64     // copies that were left out
	First  Instant    // of the message, which is in the journal
	Last   Instant    // of the last copy
	Source netip.Addr // who sent them; without a zone
}

// Append appends the note's message.
func (n DuplicateNote) Append(dst []byte) []byte {
	dst = appendEvent(dst, eventDuplicate)
	dst = append(dst, `,"count":`...)
	dst = strconv.AppendUint(dst, n.Count, 10)
	dst = appendSpan(dst, n.First, n.Last)
	dst = append(dst, `,"source_ip":"`...)
	dst = n.Source.WithZone("").AppendTo(dst)
	return append(dst, `"}`...)
}

// ParseDuplicateNote reads a message that Append has made; false: it is none. What is missing in it is zero.
func ParseDuplicateNote(message []byte) (n DuplicateNote, ok bool) {
	v, ok := parseNote(message, eventDuplicate)
	if !ok {
		return n, false
	}
	source, _ := netip.ParseAddr(Text(v[noteSource])) // The zero Addr if it is none.
	return DuplicateNote{
		Count: parseCount(v[noteCount]), First: parseInstant(v[noteFirst]), Last: parseInstant(v[noteLast]),
		Source: source,
	}, true
}

func appendEvent(dst []byte, event string) []byte {
	dst = append(dst, `{"ID":"`+noteID+`","event":"`...)
	dst = append(dst, event...)
	return append(dst, '"')
}

func appendSpan(dst []byte, first, last Instant) []byte {
	dst = append(dst, `,"first":`...)
	dst = AppendSeconds(dst, int64(first))
	dst = append(dst, `,"last":`...)
	return AppendSeconds(dst, int64(last))
}

// The fields of all notes, as places in noteValues.
const (
	noteEvent = iota
	noteFirst
	noteLast
	noteReason
	noteLost
	noteCount
	noteSource
	noteFieldCount
)

type noteValues [noteFieldCount][]byte

var noteFields = NewLookup("event", "first", "last", "reason", "lost", "count", "source_ip")

// parseNote finds the fields of a note about event; false: message is no such note.
func parseNote(message []byte, event string) (v noteValues, ok bool) {
	if !IsNote(message) {
		return v, false
	}
	noteFields.Values(message, v[:])
	return v, isText(v[noteEvent], event)
}

// parseCount reads the JSON number of a count. Whatever a file says, it is at most 2^53, so that sums do not overflow.
func parseCount(value []byte) uint64 {
	const most = 1 << 53
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return uint64(math.Round(min(max(f, 0), most)))
}

// parseInstant reads the JSON number of a time in seconds; 0: it is none.
func parseInstant(value []byte) Instant {
	millis, _ := parseSeconds(value)
	return Instant(millis)
}
