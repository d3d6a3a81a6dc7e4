package summary

import (
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
)

// maxGapsKept bounds the gap notes kept one by one, the first ones. All are counted.
const maxGapsKept = 100

// notes counts what the journal says about itself (ID JRN), and what was kept though it is no JSON object.
type notes struct {
	invalid   Invalid
	gaps      []Gap
	gapCount  int64
	lost      int64
	dupNotes  int64
	duplicate int64
}

// Invalid counts the datagrams that were no message, by the form in which the journal keeps them.
type Invalid struct {
	Value  int64 `json:"value"`  // another JSON value, as {"_value":…}
	Raw    int64 `json:"raw"`    // other text, as {"_raw":…}
	Base64 int64 `json:"base64"` // other bytes, as {"_raw_base64":…}

	// Reserved are objects that bear the journal's own marks, as {"_value":…,"_error":"reserved"}; Value does not count them.
	Reserved int64 `json:"reserved"`
}

// Total is the number of invalid datagrams of all forms.
func (i Invalid) Total() int64 { return i.Value + i.Raw + i.Base64 + i.Reserved }

// Gap is one note of lost datagrams.
type Gap struct {
	At     journal.Instant `json:"at"`
	Reason string          `json:"reason"`
	Lost   int64           `json:"lost"`
	First  journal.Instant `json:"first,omitzero"`
	Last   journal.Instant `json:"last,omitzero"`
}

// wrapped counts a message whose first key says that it was no JSON object, and reports whether it is one.
func (n *notes) wrapped(pairs []pair) bool {
	if len(pairs) == 0 || len(pairs[0].key) == 0 || pairs[0].key[0] != '_' {
		return false
	}
	switch string(pairs[0].key) {
	case "_value":
		if isReserved(pairs[1:]) {
			n.invalid.Reserved++
		} else {
			n.invalid.Value++
		}
	case "_raw":
		n.invalid.Raw++
	case "_raw_base64":
		n.invalid.Base64++
	default:
		return false
	}
	return true
}

// isReserved reports whether what stands behind a _value says that it bears the journal's own marks.
func isReserved(rest []pair) bool {
	return len(rest) == 1 && string(rest[0].key) == "_error" && journal.Text(rest[0].value) == journal.ErrorReserved
}

// note counts what a note of the journal says.
func (n *notes) note(at int64, message []byte) {
	if g, ok := journal.ParseGapNote(message); ok {
		n.gap(Gap{
			At: instant(at), Reason: string(presence.CutName([]byte(g.Reason))), Lost: int64(g.Lost),
			First: instant(int64(g.First)), Last: instant(int64(g.Last)),
		})
	}
	if d, ok := journal.ParseDuplicateNote(message); ok {
		n.dupNotes++
		n.duplicate += int64(d.Count)
	}
}

func (n *notes) gap(g Gap) {
	n.gapCount++
	n.lost += g.Lost
	if len(n.gaps) < maxGapsKept {
		n.gaps = append(n.gaps, g)
	}
}

func (n *notes) merge(later *notes) {
	n.invalid.Value += later.invalid.Value
	n.invalid.Raw += later.invalid.Raw
	n.invalid.Base64 += later.invalid.Base64
	n.invalid.Reserved += later.invalid.Reserved
	room := min(maxGapsKept-len(n.gaps), len(later.gaps))
	n.gaps = append(n.gaps, later.gaps[:room]...)
	n.gapCount += later.gapCount
	n.lost += later.lost
	n.dupNotes += later.dupNotes
	n.duplicate += later.duplicate
}
