package forward

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// Options say what is shipped, and from where. Journal, JournalID and StateDir are required; every other zero value is the
// default given with its field.
type Options struct {
	Journal   read.Options // Dir and Base; Since and Until bound what is sent
	JournalID string
	StateDir  string      // of this output alone; made if missing
	DirMode   fs.FileMode // of directories that are made; 0: 0750

	Name    string // of the output, for the log
	Address string // of the output as it may be shown

	// Start is where an output without state begins; the zero Start is the oldest entry.
	Start Start

	Filter     *journal.Filter // nil: every line
	BatchBytes int             // a batch is cut at; 0: 512 KiB, which grows to 4 MiB under backlog
	BatchWait  time.Duration   // how old the first line of a batch may get; 0: 1s
	Rate       int             // lines a second at most; 0: no limit
	DeadMax    int64           // bytes of dead.jsonl, at which the output waits; 0: 64 MiB

	// Apart says that only a part of the past is sent, whatever others send. A receiver that knows where it stands would take its
	// end for where to go on, and is refused if it holds anything yet.
	Apart bool

	// AcceptRewind goes on from where a receiver stands even if it holds lines that this journal has lost.
	AcceptRewind bool

	// Once ends Run when everything that there is was sent, or there was nothing but trouble for GiveUp.
	Once   bool
	GiveUp time.Duration // 0: a minute

	Now func() time.Time // nil: time.Now
	Log zerolog.Logger   // zero value: silent
}

// Start is where an output begins that has not begun yet.
type Start struct {
	Now    bool        // with what comes
	Cursor read.Cursor // or behind this position, if it is not zero
	Since  time.Time   // or with what was received then
}

const (
	defaultBatch = 512 << 10
	grownBatch   = 4 << 20
	stopWithin   = 4 * time.Second // for the batch in flight, when Run is to end
	wrongInARow  = 100             // lines refused for one reason, which then is not in the lines
)

// batchBytes are how large a batch is cut at first, and how large it may grow.
func (o Options) batchBytes() (first, most int) {
	if o.BatchBytes == 0 {
		return defaultBatch, grownBatch
	}
	return o.BatchBytes, o.BatchBytes
}

func (o Options) withDefaults() (Options, error) {
	if o.StateDir == "" || o.JournalID == "" {
		return o, errors.New("forward: no directory for the state, or no id of the journal")
	}
	if o.BatchBytes < 0 || o.BatchWait < 0 || o.Rate < 0 || o.DeadMax < 0 {
		return o, fmt.Errorf("forward: limits must not be negative (BatchBytes %d, BatchWait %v, Rate %d, DeadMax %d)",
			o.BatchBytes, o.BatchWait, o.Rate, o.DeadMax)
	}
	if o.DirMode == 0 {
		o.DirMode = 0o750
	}
	if o.BatchWait == 0 {
		o.BatchWait = time.Second
	}
	if o.DeadMax == 0 {
		o.DeadMax = 64 << 20
	}
	if o.GiveUp == 0 {
		o.GiveUp = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
