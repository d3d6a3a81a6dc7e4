package sink

import (
	"bytes"
	"time"
)

// Pauses between tries of a write that fails: doubled from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// write is the writer goroutine: it alone writes to the file. It ends when the queue is closed and empty.
func (j *Journal) write() {
	j.awaitSeal()
	for {
		c := j.queue.take()
		if c == nil {
			select {
			case <-j.queue.wake:
				continue
			case <-j.closing:
			}
			if c = j.queue.take(); c == nil {
				return
			}
		}
		j.writeChunk(c)
		j.queue.release(c)
	}
}

// writeChunk writes c, trying again until it is written or Close has waited long enough.
func (j *Journal) writeChunk(c *chunk) {
	rest := c.lines
	pause := firstPause
	for {
		j.health.begin("write")
		j.beginNote(c)
		n, err := j.file.Write(rest)
		j.settle(c, rest[:n])
		rest = rest[n:]
		j.health.set("write", err)
		if err == nil {
			break
		}
		_ = j.keepOwed(false)
		if n > 0 {
			pause = firstPause
		}
		if !j.sleep(pause) {
			j.abandon(c, rest, err)
			return
		}
		pause = min(2*pause, lastPause)
	}
	if j.keeping.any.Load() {
		_ = j.keepOwed(false) // What was kept is not owed any more.
	}
	if j.opts.Fsync == FsyncAlways {
		j.sync()
	}
}

// beginNote keeps that the note about a loss is being written, if that is what c is: a kill between its writing and the
// record of that must not have it written twice.
func (j *Journal) beginNote(c *chunk) {
	if c.gap == nil {
		return
	}
	j.queue.mu.Lock()
	j.noting = c.gap
	j.queue.mu.Unlock()
	_ = j.keepOwed(false)
}

// settle counts lines of c as written.
func (j *Journal) settle(c *chunk, lines []byte) {
	if len(lines) == 0 {
		return
	}
	entries := c.entries
	if len(lines) < len(c.lines) {
		entries = bytes.Count(lines, []byte{'\n'})
	}
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.queue.settleLocked(c, len(lines), entries)
	j.written.add(c, len(lines), entries)
	if c.gap != nil {
		j.losses.settled(*c.gap)
		j.noting = nil
	}
	j.lastWrite = j.opts.Now()
}

// abandon counts lines of c as lost in shutting down, since err was all that the last try came to.
func (j *Journal) abandon(c *chunk, lines []byte, err error) {
	j.gaveUp = err
	entries := bytes.Count(lines, []byte{'\n'})
	first, last := j.spanOf(lines)
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.queue.settleLocked(c, len(lines), entries)
	if !c.note {
		j.losses.add("shutdown", uint64(entries), first, last)
	}
}

// sleep waits for the pause, and reports whether to try again. When the journal closes, it is only until the deadline.
func (j *Journal) sleep(pause time.Duration) bool {
	select {
	case <-j.closing:
		pause = firstPause
	default:
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	closing := j.closing
	if pause == firstPause {
		closing = nil // A pause so short is not worth cutting short.
	}
	select {
	case <-j.deadline:
		return false
	case <-closing:
		return true
	case <-timer.C:
		return true
	}
}

// keep is the keeper goroutine: it syncs the file and looks after its path.
func (j *Journal) keep() {
	second, minute := time.NewTicker(time.Second), time.NewTicker(time.Minute)
	defer second.Stop()
	defer minute.Stop()
	var flush <-chan time.Time
	if j.opts.Fsync > 0 {
		ticker := time.NewTicker(j.opts.Fsync)
		defer ticker.Stop()
		flush = ticker.C
	}
	for {
		select {
		case <-j.closing:
			return
		case <-flush:
			j.sync()
		case <-minute.C:
			j.wakeHelpers()
		case <-second.C:
			j.health.begin("path")
			j.health.set("path", j.file.Check())
			_ = j.keepOwed(true)
		}
	}
}

func (j *Journal) sync() {
	j.health.begin("fsync")
	j.health.set("fsync", j.file.Sync())
}

// watch is the watcher goroutine: it brings up what is due in quiet times. It never touches the file, so that it goes
// on when the disk hangs.
func (j *Journal) watch() {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-j.closing:
			return
		case <-j.losing:
			j.lossLog.observe(j.opts.Now(), j.dropped())
		case <-second.C:
			j.health.remind()
			j.lossLog.observe(j.opts.Now(), j.dropped())
			j.noteLosses()
		}
	}
}
