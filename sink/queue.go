package sink

import (
	"bytes"
	"sync"
)

const (
	// chunkBytes is what the writer hands to the file at once, when there is that much.
	chunkBytes = 640 << 10
	// keptChunks is how many empty chunks are kept for the next load; after a backlog the rest goes back to the system.
	keptChunks = 8
)

// chunk is a run of whole lines on their way to the file.
type chunk struct {
	lines   []byte
	entries int   // how many lines
	note    bool  // the journal's own notes, and nothing else
	gap     *loss // it is the note about this loss, and nothing else
}

// queue holds the lines that are accepted and not yet written: in order, and bounded in bytes. Putting never waits.
type queue struct {
	limit int64
	wake  chan struct{} // has a token when there may be something to take

	mu      sync.Mutex
	chunks  []*chunk
	free    []*chunk
	bytes   int64 // of lines in chunks and in the one that is being written
	entries uint64
	closed  bool
}

func newQueue(limit int64) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1)}
}

// putLocked copies lines to the end of the queue, and reports whether there was room. q.mu must be held.
func (q *queue) putLocked(lines []byte, entries int, note bool) bool {
	if q.closed || q.bytes+int64(len(lines)) > q.limit {
		return false
	}
	c := q.lastLocked(len(lines), note)
	c.lines = append(c.lines, lines...)
	c.entries += entries
	q.bytes += int64(len(lines))
	if !note {
		q.entries += uint64(entries)
	}
	q.wakeLocked()
	return true
}

// putGapLocked is putLocked for the note about a loss, of which the writer wants to know when it is written.
func (q *queue) putGapLocked(line []byte, gap loss) bool {
	if q.closed || q.bytes+int64(len(line)) > q.limit {
		return false
	}
	q.chunks = append(q.chunks, &chunk{lines: bytes.Clone(line), entries: 1, note: true, gap: &gap})
	q.bytes += int64(len(line))
	q.wakeLocked()
	return true
}

func (q *queue) wakeLocked() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// lastLocked returns the chunk that takes the next n bytes.
func (q *queue) lastLocked(n int, note bool) *chunk {
	if len(q.chunks) > 0 {
		last := q.chunks[len(q.chunks)-1]
		if last.note == note && last.gap == nil && len(last.lines)+n <= chunkBytes {
			return last
		}
	}
	c := q.emptyLocked(n)
	c.note = note
	q.chunks = append(q.chunks, c)
	return c
}

// emptyLocked returns an empty chunk with room for n bytes and more.
func (q *queue) emptyLocked(n int) *chunk {
	if last := len(q.free) - 1; last >= 0 && n <= chunkBytes {
		c := q.free[last]
		q.free = q.free[:last]
		return c
	}
	return &chunk{lines: make([]byte, 0, max(n, chunkBytes))}
}

// take removes the oldest chunk; nil: there is none. Its bytes count as queued until they are settled.
func (q *queue) take() *chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == 0 {
		return nil
	}
	c := q.chunks[0]
	q.chunks[0] = nil
	q.chunks = q.chunks[1:]
	return c
}

// settleLocked says that n bytes of c, with this many entries, wait no more.
func (q *queue) settleLocked(c *chunk, n, entries int) {
	q.bytes -= int64(n)
	if !c.note {
		q.entries -= uint64(entries)
	}
}

// release gives a chunk back that the writer has done with.
func (q *queue) release(c *chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.free) < keptChunks && cap(c.lines) == chunkBytes {
		*c = chunk{lines: c.lines[:0]}
		q.free = append(q.free, c)
	}
}
