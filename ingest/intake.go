package ingest

// Intake says what the sockets received and what became of it up to the journal. It always adds up:
//
//	Received = Accepted + Invalid + Filtered + Duplicate + the sums of Limited and Dropped
//
// Kernel stands beside it: those datagrams were lost before they could be received.
type Intake struct {
	Received      uint64            `json:"received"`
	ReceivedBytes uint64            `json:"received_bytes"`
	Accepted      uint64            `json:"accepted"`  // handed to the journal
	Invalid       uint64            `json:"invalid"`   // not JSON objects, and journal_invalid is drop
	Filtered      uint64            `json:"filtered"`  // not wanted by the filter
	Duplicate     uint64            `json:"duplicate"` // copies of a message within its window
	Limited       map[string]uint64 `json:"limited"`   // refused unread, by reason: "rate" (RateLimit), "source" (AllowFrom)
	Dropped       map[string]uint64 `json:"dropped"`   // not taken by the journal, by reason
	Kernel        uint64            `json:"kernel"`    // lost in the sockets' receive buffers

	FilteredBy map[string]uint64 `json:"filtered_by"` // Filtered, by the rule of Exclude, or "not included"

	Wrapped  uint64 `json:"wrapped"`  // of Accepted and Dropped: are kept as _value, _raw or _raw_base64
	Repaired uint64 `json:"repaired"` // of Accepted and Dropped: held bytes that are not UTF-8
}

func (l *Intake) add(other Intake) {
	l.Received += other.Received
	l.ReceivedBytes += other.ReceivedBytes
	l.Accepted += other.Accepted
	l.Invalid += other.Invalid
	l.Filtered += other.Filtered
	l.Duplicate += other.Duplicate
	l.FilteredBy = added(l.FilteredBy, other.FilteredBy)
	l.Kernel += other.Kernel
	l.Wrapped += other.Wrapped
	l.Repaired += other.Repaired
	l.Limited = added(l.Limited, other.Limited)
	l.Dropped = added(l.Dropped, other.Dropped)
}

func added(sum, counts map[string]uint64) map[string]uint64 {
	if sum == nil {
		sum = make(map[string]uint64)
	}
	for reason, n := range counts {
		sum[reason] += n
	}
	return sum
}
