package fleet

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Figures are an archive's at one moment. Counts are since the start.
type Figures struct {
	Messages uint64            `json:"messages"` // read
	Bytes    uint64            `json:"bytes"`    // of them
	Lines    uint64            `json:"lines"`    // added to journals
	Copies   uint64            `json:"copies"`   // lines that were there already
	Holes    uint64            `json:"holes"`    // times that lines were missing
	Asked    uint64            `json:"asked"`    // times that missing lines were asked for
	Healed   uint64            `json:"healed"`   // holes that were filled
	Lost     uint64            `json:"lost"`     // lines that will never come; a gap entry stands in their place
	Foreign  map[string]uint64 `json:"foreign"`  // messages that were not taken, by reason

	Receivers int       `json:"receivers"` // that there are journals of
	Waiting   int       `json:"waiting"`   // receivers of which lines are missing now
	Failing   int       `json:"failing"`   // receivers whose journal cannot be written or read now
	Full      bool      `json:"full"`      // the disk is: nothing is read
	LastWrite time.Time `json:"last_write,omitzero"`
	Trouble   string    `json:"trouble,omitempty"` // why the stream cannot be read; "": it can
	Since     time.Time `json:"since,omitzero"`    // of Trouble
}

// NotReady says why what the stream holds does not reach the disk; "": it does.
func (f Figures) NotReady() string {
	switch {
	case f.Full:
		return "the disk is full"
	case f.Trouble != "":
		return fmt.Sprintf("the stream cannot be read since %s: %s", f.Since.UTC().Format(time.RFC3339), f.Trouble)
	}
	return ""
}

// Warnings are what else people should know.
func (f Figures) Warnings() string {
	var all []string
	if f.Waiting > 0 {
		all = append(all, fmt.Sprintf("lines of %d receivers are missing, and asked for", f.Waiting))
	}
	if f.Failing > 0 {
		all = append(all, fmt.Sprintf("the journals of %d receivers cannot be written", f.Failing))
	}
	return strings.Join(all, "\n")
}

// MarshalZerologObject implements zerolog.LogObjectMarshaler.
func (f Figures) MarshalZerologObject(e *zerolog.Event) {
	e.Int("receivers", f.Receivers).Uint64("messages", f.Messages).Uint64("lines", f.Lines).Uint64("copies", f.Copies).
		Uint64("holes", f.Holes).Uint64("healed", f.Healed).Uint64("lost", f.Lost)
	var foreign uint64
	for _, n := range f.Foreign {
		foreign += n
	}
	e.Uint64("foreign", foreign)
}

type figures struct {
	mu    sync.Mutex
	now   Figures
	clock func() time.Time
	beat  atomic.Int64 // Unix milliseconds at which the work moved last
}

func (f *figures) init(clock func() time.Time) {
	f.clock = clock
	f.now.Foreign = make(map[string]uint64)
	for _, reason := range foreignReasons() {
		f.now.Foreign[reason] = 0
	}
	f.moves()
}

func (f *figures) count(change func(*Figures)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.now)
}

func (f *figures) trouble(err error) {
	f.count(func(now *Figures) {
		if err == nil {
			now.Trouble, now.Since = "", time.Time{}
			return
		}
		if now.Trouble == "" {
			now.Since = f.clock()
		}
		now.Trouble = err.Error()
	})
}

func (f *figures) moves() { f.beat.Store(f.clock().UnixMilli()) }

// Figures returns the archive's figures. It does not wait for the disk.
func (a *Archiver) Figures() Figures {
	a.figures.mu.Lock()
	defer a.figures.mu.Unlock()
	f := a.figures.now
	f.Foreign = maps.Clone(f.Foreign)
	return f
}

// hangsAfter is how long a disk may keep the work from moving.
const hangsAfter = 30 * time.Second

// Moves reports whether the archive works on; false: the disk does not answer.
func (a *Archiver) Moves() bool {
	return a.opts.Now().Sub(time.UnixMilli(a.figures.beat.Load())) < hangsAfter
}
