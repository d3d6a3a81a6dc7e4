package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// logQueueBytes of lines wait at the most for whoever reads the log.
	logQueueBytes = 1 << 20
	// logPatience is how long Close waits for them to be read.
	logPatience = 2 * time.Second
)

// logQueue keeps a log that nobody reads, such as a full pipe, a stopped terminal or a disk that hangs, from holding up
// the daemon: Write never waits. Lines that find no room are lost, and a line says how many.
type logQueue struct {
	out  io.Writer
	wake chan struct{} // has a token when there are lines
	done chan struct{} // closed when all is written

	mu      sync.Mutex
	pending []byte // whole lines
	lost    int
	closed  bool
}

func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write takes one line, and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.pending) > 0 && len(q.pending)+len(line) > logQueueBytes {
		q.lost++
		return len(line), nil
	}
	q.pending = append(q.pending, line...)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// run is the goroutine that writes. An error of a log has nobody to go to.
func (q *logQueue) run() {
	defer close(q.done)
	for range q.wake {
		for line := range strings.Lines(q.take()) {
			_, _ = io.WriteString(q.out, line)
		}
	}
}

// take returns the lines that wait, and then the one about those that found no room.
func (q *logQueue) take() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := string(q.pending)
	q.pending = q.pending[:0]
	if q.lost > 0 {
		lines += fmt.Sprintf(`{"level":"warn","time":%q,"lost":%d,"message":"lines of this log were lost: nobody read it"}`+"\n",
			time.Now().UTC().Format(time.RFC3339), q.lost)
		q.lost = 0
	}
	return lines
}

// Close waits until all lines are written, but not for ever: a write that hangs ends with the process.
func (q *logQueue) Close() error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.wake)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(logPatience):
	}
	return nil
}
