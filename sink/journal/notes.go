package journal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
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
	eventSeal      = "seal"
	eventPruned    = "pruned"
	eventStored    = "stored"
	eventTakeover  = "takeover"
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

// SealNote says what the seal over the journal came to. Its fields are independent; those that are zero are left out.
type SealNote struct {
	Origin  string // of the tree
	Began   bool   // the line of this note is the first leaf of the tree
	Broken  string // why the tree before it cannot be gone on with; Checkpoint is the last one of that tree
	Adopted uint64 // lines that a crash had left unsealed, and that were taken over before this note
	At      string // what Checkpoint was signed for: "rotation", "close"

	Checkpoint string // a signed note of C2SP, verbatim
}

// Append appends the note's message.
func (n SealNote) Append(dst []byte) []byte {
	dst = appendEvent(dst, eventSeal)
	dst = append(dst, `,"origin":`...)
	dst = appendString(dst, n.Origin)
	if n.Began {
		dst = append(dst, `,"began":true`...)
	}
	dst = appendTextUnlessEmpty(dst, `,"broken":`, n.Broken)
	if n.Adopted > 0 {
		dst = append(dst, `,"adopted":`...)
		dst = strconv.AppendUint(dst, n.Adopted, 10)
	}
	dst = appendTextUnlessEmpty(dst, `,"at":`, n.At)
	dst = appendTextUnlessEmpty(dst, `,"checkpoint":`, n.Checkpoint)
	return append(dst, '}')
}

// ParseSealNote reads a message that Append has made; false: it is none. What is missing in it is zero.
func ParseSealNote(message []byte) (n SealNote, ok bool) {
	v, ok := parseNote(message, eventSeal)
	if !ok {
		return n, false
	}
	return SealNote{
		Origin: Text(v[noteOrigin]), Began: string(v[noteBegan]) == "true", Broken: Text(v[noteBroken]),
		Adopted: parseCount(v[noteAdopted]), At: Text(v[noteAt]), Checkpoint: Text(v[noteCheckpoint]),
	}, true
}

// PrunedNote says that the files with all lines before one were removed by the journal's own limits. Edge are the hashes by
// which the rest can still be proved: those of the complete subtrees that the lines before Before make, the largest first.
type PrunedNote struct {
	Origin string // of the tree that Before counts in
	Before uint64 // the first line that is kept, as an index into the tree
	Limit  string // that the files exceeded: "max_backups"
	Edge   [][32]byte
}

// StoredNote says what the bytes of compressed and encrypted backups are, so that they can be checked without being read.
type StoredNote struct {
	Origin string // of the tree that From counts in
	From   uint64 // the first line of the first of these backups, as an index into the tree
	Number uint64 // of the packing that this note follows; those before it count
	Files  uint64 // how many they are
	SHA256 [32]byte
}

// Append appends the note's message.
func (n StoredNote) Append(dst []byte) []byte {
	dst = appendEvent(dst, eventStored)
	dst = append(dst, `,"origin":`...)
	dst = appendString(dst, n.Origin)
	dst = append(dst, `,"from":`...)
	dst = strconv.AppendUint(dst, n.From, 10)
	dst = append(dst, `,"number":`...)
	dst = strconv.AppendUint(dst, n.Number, 10)
	dst = append(dst, `,"files":`...)
	dst = strconv.AppendUint(dst, n.Files, 10)
	dst = append(dst, `,"sha256":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, n.SHA256[:])
	return append(dst, `"}`...)
}

// ParseStoredNote reads a message that Append has made; false: it is none. What is missing in it is zero.
func ParseStoredNote(message []byte) (n StoredNote, ok bool) {
	v, ok := parseNote(message, eventStored)
	if !ok {
		return n, false
	}
	n = StoredNote{
		Origin: Text(v[noteOrigin]), From: parseCount(v[noteFrom]), Number: parseCount(v[noteNumber]), Files: parseCount(v[noteFiles]),
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(Text(v[noteSHA256]))
	if err == nil && len(sum) == len(n.SHA256) {
		n.SHA256 = [32]byte(sum)
	}
	return n, true
}

// maxEdge is how many hashes an edge has at most: one for each bit of a count.
const maxEdge = 64

// Append appends the note's message.
func (n PrunedNote) Append(dst []byte) []byte {
	dst = appendEvent(dst, eventPruned)
	dst = append(dst, `,"origin":`...)
	dst = appendString(dst, n.Origin)
	dst = append(dst, `,"before":`...)
	dst = strconv.AppendUint(dst, n.Before, 10)
	dst = append(dst, `,"limit":`...)
	dst = appendString(dst, n.Limit)
	dst = append(dst, `,"edge":[`...)
	for i, hash := range n.Edge {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, hash[:])
		dst = append(dst, '"')
	}
	return append(dst, ']', '}')
}

// ParsePrunedNote reads a message that Append has made; false: it is none. What is missing in it is zero, and an edge that
// is no list of hashes has none.
func ParsePrunedNote(message []byte) (n PrunedNote, ok bool) {
	v, ok := parseNote(message, eventPruned)
	if !ok {
		return n, false
	}
	return PrunedNote{
		Origin: Text(v[noteOrigin]), Before: parseCount(v[noteBefore]), Limit: Text(v[noteLimit]), Edge: parseEdge(v[noteEdge]),
	}, true
}

func parseEdge(value []byte) [][32]byte {
	const hashBytes = 44 // of a hash in base64
	if len(value) > maxEdge*(hashBytes+16) {
		return nil
	}
	var texts []string
	if err := json.Unmarshal(value, &texts); err != nil || len(texts) > maxEdge {
		return nil
	}
	var edge [][32]byte
	for _, text := range texts {
		hash, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(hash) != 32 {
			return nil
		}
		edge = append(edge, [32]byte(hash))
	}
	return edge
}

// TakeoverNote says that from here on the lines are those of another journal, which went on under the name of the one before.
// An archive writes it.
type TakeoverNote struct {
	Journal string // the id of the journal that goes on
	Before  string // the id of the one before
}

// Append appends the note's message.
func (n TakeoverNote) Append(dst []byte) []byte {
	dst = appendEvent(dst, eventTakeover)
	dst = append(dst, `,"journal":`...)
	dst = appendString(dst, n.Journal)
	dst = append(dst, `,"before":`...)
	dst = appendString(dst, n.Before)
	return append(dst, '}')
}

// ParseTakeoverNote reads a message that Append has made; false: it is none. What is missing in it is empty.
func ParseTakeoverNote(message []byte) (n TakeoverNote, ok bool) {
	v, ok := parseNote(message, eventTakeover)
	if !ok {
		return n, false
	}
	return TakeoverNote{Journal: Text(v[noteJournal]), Before: Text(v[noteBefore])}, true
}

func appendTextUnlessEmpty(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	return appendString(append(dst, key...), text)
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
	noteOrigin
	noteBegan
	noteBroken
	noteAdopted
	noteAt
	noteCheckpoint
	noteBefore
	noteLimit
	noteEdge
	noteFrom
	noteNumber
	noteFiles
	noteSHA256
	noteJournal
	noteFieldCount
)

type noteValues [noteFieldCount][]byte

var noteFields = NewLookup("event", "first", "last", "reason", "lost", "count", "source_ip",
	"origin", "began", "broken", "adopted", "at", "checkpoint", "before", "limit", "edge",
	"from", "number", "files", "sha256", "journal")

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
