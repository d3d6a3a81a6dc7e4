package read

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"math"
	"slices"

	"hbjournal/sink/journal"
)

// A merged is a Source that reads several journals, one after another by the time of their entries:
//
//	stream or Back of each journal ── blocks ──> feed ── heap: whose line is next ──> blocks of runs
//
// Each journal's own order is kept, also where its clock was set back: a line is placed by the latest time of its journal so
// far (backwards, by the earliest). Lines of the same time come in the order of the journals. What is wrong with one
// journal is a fault, and the others are read on.
//
// Of very many journals, only maxAwake have a file open at once; blocks become smaller, so that all of them together take
// what some do.
type merged struct {
	reverse bool
	all     []*feed
	heap    feeds
	idle    []*feed // of those that are followed: nothing new is there
	awake   []*feed // that may have a file open, the one used last at the end
	room    *scratch
	unit    int
	most    int // that may be awake
	started bool
}

const (
	// maxAwake journals have a file open at once. Opening the next file, and following, take some more.
	maxAwake = 96
	// allBlocks bounds the memory of all the blocks of the journals together, as long as lines are not unusually long.
	allBlocks = 32 << 20
	// leanness is by how much a reading takes less of these that is one of many.
	leanness = 16
	// minUnit is the least that is read at once.
	minUnit = 4 << 10
)

// parker is a source that can let go of its open file until it is read on.
type parker interface {
	park(ctx context.Context) error
}

// A feed is one journal on its way into a merged.
type feed struct {
	index   int // among the journals
	journal Journal
	source  Source
	block   Block
	pos     int   // in block.Data, where the next line starts; or ends, in reverse
	number  int64 // of that line; 0 if not known
	key     int64 // by which that line is placed
	fresh   bool  // key is of that line, not of the one before
	ended   bool  // there is no more than the block
	failed  bool  // and that is for a fault
}

func newMerged(opt Options, room *scratch) *merged {
	unit, awake := unitOf(len(opt.Journals)), maxAwake
	if opt.Lean {
		unit, awake = max(minUnit, unit/leanness), awake/leanness
	}
	return &merged{room: room, unit: unit, most: min(awake, max(1, openFiles()/4))}
}

// unitOf is how much is read at once of each of n journals.
func unitOf(n int) int { return min(blockBytes, max(minUnit, allBlocks/max(1, n))) }

func (m *merged) add(j Journal, s Source) {
	f := &feed{index: len(m.all), journal: j, source: s, key: m.least()}
	f.block.unit = m.unit
	m.all = append(m.all, f)
}

// least is the key that comes before all others.
func (m *merged) least() int64 {
	if m.reverse {
		return math.MaxInt64
	}
	return math.MinInt64
}

// Read implements Source.
func (m *merged) Read(ctx context.Context, b *Block) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	b.reset()
	b.Reverse = m.reverse
	out := output{merged: m, block: b}
	out.begin()
	for b.Fault == nil && len(m.heap.all) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		full := out.take(m.heap.all[0], m.heap.second())
		if err := m.settle(ctx, b); err != nil {
			return err
		}
		if full {
			break
		}
	}
	out.end()
	if len(b.Data) == 0 && b.Fault == nil {
		return io.EOF
	}
	return nil
}

// start gets the first block of each journal.
func (m *merged) start(ctx context.Context) error {
	if m.started {
		return ctx.Err()
	}
	m.heap.reverse = m.reverse
	for len(m.heap.all)+len(m.idle) < len(m.all) {
		f := m.all[len(m.heap.all)+len(m.idle)]
		switch err := m.load(ctx, f); {
		case errors.Is(err, errIdle):
			m.idle = append(m.idle, f)
		case err != nil:
			return err
		default:
			m.heap.all = append(m.heap.all, f)
		}
	}
	heap.Init(&m.heap)
	m.started = true
	return nil
}

// settle puts the journal that was taken from back into its place, with its next block if it needs one, and takes it out if
// there is none. The fault of a block becomes that of b.
func (m *merged) settle(ctx context.Context, b *Block) error {
	f := m.heap.all[0]
	for f.used(m.reverse) {
		if b.Fault, f.block.Fault = f.block.Fault, nil; b.Fault != nil {
			break
		}
		if f.ended {
			heap.Pop(&m.heap)
			return nil
		}
		if err := m.load(ctx, f); errors.Is(err, errIdle) {
			heap.Pop(&m.heap)
			m.idle = append(m.idle, f)
			return nil
		} else if err != nil {
			return err
		}
		if f.block.Fault != nil && len(f.block.Data) == 0 {
			break // It is told when its turn comes, which is next to what was read before it.
		}
	}
	f.place(m.reverse)
	heap.Fix(&m.heap, 0)
	return nil
}

// load reads the next block of a journal. Only an end of ctx is an error, and that there is nothing for now.
func (m *merged) load(ctx context.Context, f *feed) error {
	if err := m.wake(ctx, f); err != nil {
		return err
	}
	f.pos, f.number, f.fresh = 0, 0, false
	err := f.source.Read(ctx, &f.block)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errIdle) {
		f.block.reset()
		return errIdle
	}
	if err != nil {
		f.end(err)
	}
	f.number = f.block.Number
	if m.reverse {
		f.pos = len(f.block.Data)
	}
	f.place(m.reverse)
	return nil
}

// end notes what a journal ended with. Its memory is let go of.
func (f *feed) end(err error) {
	f.ended = true
	f.block = Block{}
	if f.failed = err != io.EOF; f.failed {
		f.block.Fault = faultOf(f.journal, err)
	}
}

// wake makes f the one used last, and parks the one that was not used for the longest time if too many are awake.
func (m *merged) wake(ctx context.Context, f *feed) error {
	if i := slices.Index(m.awake, f); i >= 0 {
		m.awake = slices.Delete(m.awake, i, i+1)
	}
	for len(m.awake) >= m.most {
		other := m.awake[0]
		m.awake = slices.Delete(m.awake, 0, 1)
		if p, ok := other.source.(parker); ok && !other.ended {
			if err := p.park(ctx); err != nil {
				return err
			}
		}
	}
	m.awake = append(m.awake, f)
	return nil
}

// used reports whether nothing is left of the block.
func (f *feed) used(reverse bool) bool {
	if reverse {
		return f.pos == 0
	}
	return f.pos == len(f.block.Data)
}

// place makes key that of the next line.
func (f *feed) place(reverse bool) {
	if f.fresh || f.used(reverse) {
		return
	}
	f.fresh = true
	if reverse {
		_, start := f.block.lineBefore(f.pos)
		if millis, timed := journal.LineTime(f.block.Data[start:f.pos]); timed {
			f.key = min(f.key, millis)
		}
		return
	}
	if millis, timed := journal.LineTime(f.block.Data[f.pos:]); timed {
		f.key = max(f.key, millis)
	}
}

// before reports whether the next line of f comes before that of other.
func (f *feed) before(other *feed, reverse bool) bool {
	if reverse {
		return f.key > other.key || f.key == other.key && f.index > other.index
	}
	return f.key < other.key || f.key == other.key && f.index < other.index
}

// feeds are those that have something, as a heap: the one whose line is next is the first.
type feeds struct {
	reverse bool
	all     []*feed
}

func (h *feeds) Len() int           { return len(h.all) }
func (h *feeds) Less(i, j int) bool { return h.all[i].before(h.all[j], h.reverse) }
func (h *feeds) Swap(i, j int)      { h.all[i], h.all[j] = h.all[j], h.all[i] }
func (h *feeds) Push(f any)         { h.all = append(h.all, f.(*feed)) }

func (h *feeds) Pop() any {
	last := len(h.all) - 1
	f := h.all[last]
	h.all[last] = nil
	h.all = h.all[:last]
	return f
}

// second is the feed whose line is next after that of the first; nil: there is none.
func (h *feeds) second() *feed {
	switch {
	case len(h.all) < 2:
		return nil
	case len(h.all) == 2 || h.Less(1, 2):
		return h.all[1]
	}
	return h.all[2]
}

// Ends implements Backward, and is the same of a forward reading.
func (m *merged) Ends() []*Cursor {
	ends := make([]*Cursor, len(m.all))
	for i, f := range m.all {
		switch s := f.source.(type) {
		case *Back:
			ends[i] = s.Ends()[0]
		case *stream:
			ends[i] = s.end
		}
		if f.failed {
			ends[i] = nil
		} else if ends[i] == nil {
			ends[i] = &Cursor{}
		}
	}
	return ends
}

// Close implements Source.
func (m *merged) Close() error {
	var err error
	for _, f := range m.all {
		err = errors.Join(err, f.source.Close())
	}
	return errors.Join(err, m.room.Close())
}
