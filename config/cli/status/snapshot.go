// Package status shows the daemon's state over HTTP:
//
//	/healthz    200 while the process lives
//	/readyz     200 while messages reach the disk, else 503 with the reason
//	/stats      the figures as JSON
//	/metrics    the figures for Prometheus
//
// All four are made from one Snapshot, which a function of the caller's takes for each request; the package keeps no
// state of its own. It only ever reads: nothing can be changed through it, and no message can be seen.
package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/ingest"
	"hbjournal/sink"
	"hbjournal/sink/forward"
	"hbjournal/sink/seal"
)

// Snapshot is the state of the daemon at one moment.
type Snapshot struct {
	sink.Stats
	Seal     *seal.Figures `json:"seal,omitempty"` // nil: the journal is not sealed
	Enabled  bool          `json:"journal_enabled"`
	Stopping bool          `json:"stopping"`
	Ledger   Ledger        `json:"ledger"`

	ReceiveBuffer int64 `json:"receive_buffer"` // bytes that the kernel granted to all sockets together

	Outputs []forward.Figures `json:"outputs,omitempty"` // those of forward_to
}

// Ledger says what became of every datagram that was received. It adds up at every moment:
//
//	Received = Journaled + Queued + Invalid + Filtered + Duplicate + the sums of Limited and Dropped
//
// Kernel stands beside it: those datagrams were lost before they could be received.
type Ledger struct {
	Received  uint64            `json:"received"`
	Journaled uint64            `json:"journaled"` // written to the file
	Queued    uint64            `json:"queued"`    // on their way to it
	Invalid   uint64            `json:"invalid"`   // not JSON objects, and journal_invalid is drop
	Filtered  uint64            `json:"filtered"`  // not wanted by filter_include and filter_exclude
	Duplicate uint64            `json:"duplicate"` // copies within dedup_window
	Limited   map[string]uint64 `json:"limited"`   // refused by rate_limit ("rate") or allow_from ("source")
	Dropped   map[string]uint64 `json:"dropped"`   // by reason: "queue", "shutdown", "disabled"
	Kernel    uint64            `json:"kernel"`

	FilteredBy map[string]uint64 `json:"filtered_by"` // Filtered, by the rule of filter_exclude, or "not included"

	ReceivedBytes uint64 `json:"received_bytes"`
	Wrapped       uint64 `json:"wrapped"`  // not JSON objects, and kept
	Repaired      uint64 `json:"repaired"` // held bytes that are not UTF-8
}

// Account makes the Ledger of what was received and what the journal did with it, both taken at one moment.
func Account(in ingest.Intake, out sink.Stats) Ledger {
	l := Ledger{
		Received:  in.Received,
		Journaled: out.Entries,
		Queued:    out.Queued,
		Invalid:   in.Invalid,
		Limited:   map[string]uint64{"rate": 0, "source": 0},
		Dropped:   map[string]uint64{"queue": 0, "shutdown": out.Dropped["shutdown"], "disabled": 0},
		Kernel:    in.Kernel,
		Filtered:  in.Filtered,
		Duplicate: in.Duplicate,

		FilteredBy: in.FilteredBy,

		ReceivedBytes: in.ReceivedBytes,
		Wrapped:       in.Wrapped,
		Repaired:      in.Repaired,
	}
	maps.Copy(l.Limited, in.Limited)
	maps.Copy(l.Dropped, in.Dropped)
	return l
}

// Missing is how many datagrams the ledger does not account for: always 0.
func (l Ledger) Missing() int64 {
	known := l.Journaled + l.Queued + l.Invalid + l.Filtered + l.Duplicate + sum(l.Limited) + sum(l.Dropped)
	return int64(l.Received - known)
}

// Lost is how many datagrams should be in the journal and are not: those that the kernel had no room for, and those that
// could not be written. What a disabled journal does not write is not lost.
func (l Ledger) Lost() uint64 { return l.Kernel + sum(l.Dropped) - l.Dropped["disabled"] }

func sum(counts map[string]uint64) uint64 {
	var n uint64
	for _, count := range counts {
		n += count
	}
	return n
}

// MarshalZerologObject writes the ledger into a line of the daemon's log.
func (l Ledger) MarshalZerologObject(e *zerolog.Event) {
	e.Uint64("received", l.Received).
		Uint64("journaled", l.Journaled).
		Uint64("queued", l.Queued).
		Uint64("invalid", l.Invalid).
		Uint64("filtered", l.Filtered).
		Uint64("duplicate", l.Duplicate).
		Interface("limited", l.Limited).
		Interface("dropped", l.Dropped).
		Uint64("kernel", l.Kernel).
		Int64("missing", l.Missing())
}

// NotReady is why messages do not reach the disk as they should; "": they do.
func (s Snapshot) NotReady() string {
	var reasons []string
	if s.Stopping {
		reasons = append(reasons, "stopping")
	}
	for _, what := range slices.Sorted(maps.Keys(s.Degraded)) {
		reasons = append(reasons, what+": "+s.Degraded[what])
	}
	return strings.Join(reasons, "\n")
}

// Troubles is all that is wrong, a line each: what keeps messages from the disk first. "": nothing is.
func (s Snapshot) Troubles() string {
	return strings.Trim(s.NotReady()+"\n"+s.Warnings(), "\n")
}

// Warnings is what needs someone's attention while messages reach the disk all the same.
func (s Snapshot) Warnings() string {
	var warnings []string
	for _, fault := range []string{s.RotationError, s.CleanUpError, s.CompressError, s.EncryptError} {
		if fault != "" {
			warnings = append(warnings, "warning: "+fault)
		}
	}
	for _, o := range s.Outputs {
		if o.State != forward.Working {
			warnings = append(warnings, fmt.Sprintf("warning: output %s is %s since %s: %s", o.Name, o.State, o.Since.UTC().Format(time.RFC3339), o.Error))
		}
	}
	if s.Seal != nil && s.Seal.Error != "" {
		warnings = append(warnings, "warning: journal is not sealed at present: "+s.Seal.Error)
	}
	return strings.Join(warnings, "\n")
}
