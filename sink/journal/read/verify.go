package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
)

// The faults that Verify finds beside journal.ErrMalformed, and those of files that cannot be read.
var (
	ErrDatetime = errors.New("datetime is not the instant of the timestamp")
	ErrZone     = errors.New("datetime is in another zone than those around it")
	ErrStepBack = errors.New("time goes back")
	ErrTornEnd  = errors.New("the last line has no newline")
	ErrName     = errors.New("the time in the file's name is before its entries")
)

// GapAt is a gap note and where it stands.
type GapAt struct {
	Path   string          `json:"path"`
	Line   int64           `json:"line"`
	Reason string          `json:"reason"`
	Lost   int64           `json:"lost"`
	First  journal.Instant `json:"first,omitzero"`
	Last   journal.Instant `json:"last,omitzero"`
}

// VerifyOptions tell Verify what to look at and whom to tell.
type VerifyOptions struct {
	Options
	Fault func(*CorruptError) // called for each fault, in order, but for ErrZone, which what follows tells; required
	Gap   func(GapAt)         // called for each gap note; may be nil
	Block func()              // called after each block, for progress; may be nil
}

// VerifyResult is what a journal was found to hold.
type VerifyResult struct {
	Files   int             `json:"files"`
	Entries int64           `json:"entries"`
	Bytes   int64           `json:"bytes"` // after decompression
	Faults  int64           `json:"faults"`
	Gaps    int64           `json:"gaps"`
	Lost    int64           `json:"lost"`           // that the gaps speak of
	First   journal.Instant `json:"first,omitzero"` // none without entries
	Last    journal.Instant `json:"last,omitzero"`
}

// Verify reads everything and checks that each line is a whole entry, that its two times agree, that times do not go
// back by more than a minute, from line to line and from file to file, and that each file ends with a whole line.
func Verify(ctx context.Context, opt VerifyOptions) (VerifyResult, error) {
	source, err := Open(opt.Options)
	if err != nil {
		return VerifyResult{}, err
	}
	defer source.Close()
	v := &verifier{opt: opt, oneJournal: true}
	if len(opt.Paths) > 0 {
		_, v.oneJournal = names.Sort(opt.Paths)
	}
	err = Ordered(ctx, source, checkBlock, v.take)
	return v.result, err
}

// checked is what was found in one block.
type checked struct {
	path        string
	bytes       int
	entries     int64
	faults      []*CorruptError
	gaps        []GapAt
	first, last instant // the first entry, and the latest
	zones       []zoneRun
}

// instant is the time of an entry and where it stands.
type instant struct {
	millis       int64
	line, offset int64
	ok           bool
}

// checkBlock checks what can be seen within a block.
func checkBlock(b *Block) *checked {
	c := &checked{path: b.Path, bytes: len(b.Data)}
	scanner := Scanner{OnFault: c.addFault}
	for scanner.Reset(b); scanner.Next(); {
		c.add(scanner.Entry())
	}
	c.checkEnd(b)
	return c
}

// checkEnd reports a last line without a newline, if it was not found to be torn already.
func (c *checked) checkEnd(b *Block) {
	if len(b.Data) == 0 || b.Data[len(b.Data)-1] == '\n' {
		return
	}
	last := b.Offset + int64(bytes.LastIndexByte(b.Data, '\n')+1)
	if n := len(c.faults); n == 0 || c.faults[n-1].Offset < last {
		c.addFault(&CorruptError{Path: b.Path, Offset: last, Err: ErrTornEnd})
	}
}

func (c *checked) addFault(f *CorruptError) { c.faults = append(c.faults, f) }

func (c *checked) add(e *journal.Entry) {
	c.entries++
	at := instant{e.Millis, e.Number, e.Offset, true}
	if !c.first.ok {
		c.first, c.last = at, at
	}
	if fault := stepBack(c.path, c.last, at); fault != nil {
		c.addFault(fault)
		c.last = at // The clock was set: what follows is measured from here.
	}
	if at.millis > c.last.millis {
		c.last = at
	}
	if offset, ok := offsetOf(e); ok {
		c.addZone(offset, at)
	} else {
		c.addFault(&CorruptError{Path: e.Path, Line: e.Number, Offset: e.Offset, Err: ErrDatetime})
	}
	if note, ok := journal.ParseGapNote(e.Message); ok {
		c.gaps = append(c.gaps, GapAt{
			Path: e.Path, Line: e.Number, Reason: note.Reason, Lost: int64(note.Lost), First: note.First, Last: note.Last,
		})
	}
}

func stepBack(path string, from, to instant) *CorruptError {
	if !from.ok || !to.ok || to.millis >= from.millis-maxStepBack.Milliseconds() {
		return nil
	}
	back := time.Duration(from.millis-to.millis) * time.Millisecond
	return &CorruptError{Path: path, Line: to.line, Offset: to.offset, Err: fmt.Errorf("%w by %v", ErrStepBack, back)}
}

// verifier puts the blocks together.
type verifier struct {
	opt    VerifyOptions
	result VerifyResult
	path   string  // of the block before
	last   instant // the latest entry before
	zones  zones

	oneJournal bool // the files are those of one journal, so that its zone goes on from file to file
}

// take checks a block against what came before it.
func (v *verifier) take(c *checked) error {
	if c.path != v.path {
		v.result.Files++
		v.path = c.path
		v.checkName(c)
		if !v.oneJournal {
			v.zones = zones{}
		}
	}
	if fault := stepBack(c.path, v.last, c.first); fault != nil {
		v.fault(fault)
	}
	if c.last.ok {
		v.last = c.last
		v.result.Last = max(v.result.Last, journal.Instant(c.last.millis))
	}
	if v.result.Entries == 0 && c.first.ok {
		v.result.First = journal.Instant(c.first.millis)
	}
	v.result.Entries += c.entries
	v.result.Bytes += int64(c.bytes)
	for _, fault := range c.faults {
		v.fault(fault)
	}
	for _, run := range c.zones {
		for _, fault := range v.zones.add(run) {
			v.fault(fault)
		}
	}
	for _, gap := range c.gaps {
		v.gap(gap)
	}
	if v.opt.Block != nil {
		v.opt.Block()
	}
	return nil
}

// checkName compares a backup's name with its first entry. The stamp may be in any zone, and is the time of the rotation,
// so only a stamp that is a day too early is surely wrong.
func (v *verifier) checkName(c *checked) {
	name := filepath.Base(c.path)
	base, backup := names.BaseOf(name)
	if !backup || !c.first.ok {
		return
	}
	stamp, ok := names.StampOf(base, name)
	if ok && stamp.Add(24*time.Hour).Before(time.UnixMilli(c.first.millis)) {
		v.fault(&CorruptError{Path: c.path, Line: c.first.line, Offset: c.first.offset, Err: ErrName})
	}
}

func (v *verifier) fault(f *CorruptError) {
	v.result.Faults++
	v.opt.Fault(f)
}

func (v *verifier) gap(g GapAt) {
	v.result.Gaps++
	v.result.Lost += g.Lost
	if v.opt.Gap != nil {
		v.opt.Gap(g)
	}
}
