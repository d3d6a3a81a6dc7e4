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
// the daemon: Write never waits. Lines that find no room, and those that cannot be written, are lost; writing is tried
// anew with each line, and the first one that can be written says how many were lost before it.
type logQueue struct {
	out    io.Writer
	reopen func() error  // opens out anew; nil: out stays what it is
	wake   chan struct{} // has a token when there is something to do
	done   chan struct{} // closed when all is written

	lost int  // lines that out does not say are lost; run's own
	torn bool // the last line was written in part; run's own

	mu        sync.Mutex
	pending   []byte // whole lines
	refused   int    // lines that found no room
	reopening bool
	closed    bool
}

func newLogQueue(out io.Writer, reopen func() error) *logQueue {
	q := &logQueue{out: out, reopen: reopen, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write takes one line, and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.pending) > 0 && len(q.pending)+len(line) > logQueueBytes {
		q.refused++
		return len(line), nil
	}
	q.pending = append(q.pending, line...)
	q.wakeLocked()
	return len(line), nil
}

// Reopen has what the log is written to opened anew before the next line, and does not wait for it.
func (q *logQueue) Reopen() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.reopen == nil {
		return
	}
	q.reopening = true
	q.wakeLocked()
}

func (q *logQueue) wakeLocked() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run is the goroutine that writes.
func (q *logQueue) run() {
	defer close(q.done)
	for range q.wake {
		lines, refused, reopen := q.take()
		if reopen {
			q.openAnew()
		}
		for line := range strings.Lines(lines) {
			q.write(line)
		}
		q.lost += refused
		q.tellLost()
	}
}

// take returns the lines that wait, and how many found no room behind them.
func (q *logQueue) take() (lines string, refused int, reopen bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, refused, reopen = string(q.pending), q.refused, q.reopening
	q.pending, q.refused, q.reopening = q.pending[:0], 0, false
	return lines, refused, reopen
}

// openAnew says in what is still open why it could not be replaced.
func (q *logQueue) openAnew() {
	if err := q.reopen(); err != nil {
		q.write(logText("error", "log_file cannot be opened anew; going on in the one that is open", "error", err.Error()))
	}
}

// write writes one line, or counts it as lost.
func (q *logQueue) write(line string) {
	if !q.tellLost() || !q.put(line) {
		q.lost++
	}
}

// tellLost writes the line about those that are lost, and reports whether there are none that it would have to tell of.
func (q *logQueue) tellLost() bool {
	if q.lost > 0 && q.put(logText("warn", "lines of this log were lost: they could not be written", "lost", q.lost)) {
		q.lost = 0
	}
	return q.lost == 0
}

// put tries to write one line. An error of a log has nobody to go to.
func (q *logQueue) put(line string) bool {
	if q.torn {
		line = "\n" + line
	}
	n, err := io.WriteString(q.out, line)
	if err == nil {
		q.torn = false
	} else if n > 0 {
		q.torn = true
	}
	return err == nil
}

// logText is a line of the log's own, with one field.
func logText(level, message, key string, value any) string {
	return fmt.Sprintf(`{"level":%q,"time":%q,%q:%#v,"message":%q}`+"\n", level, time.Now().UTC().Format(time.RFC3339), key, value, message)
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
