package rotate

import (
	"os"
	"sync"
	"time"
)

// A witness tells the changes that others make in a directory from our own, by the directory's modification time: each
// change of our own stands between begin and end. What others do at the same moment, or within the same step of the file
// system's clock, it takes for ours.
type witness struct {
	dir string

	mu      sync.Mutex
	busy    int       // changes of our own that are under way
	known   time.Time // the directory's modification time, as our last change left it
	foreign bool      // someone else has changed it since forget
}

// forget is called before the directory is listed: what others did so far is then known.
func (w *witness) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.foreign = false
	w.noteLocked()
}

func (w *witness) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == 0 {
		w.compareLocked()
	}
	w.busy++
}

func (w *witness) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	if w.busy == 0 {
		w.noteLocked()
	}
}

// seen reports whether someone else has changed the directory since forget.
func (w *witness) seen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == 0 {
		w.compareLocked()
	}
	return w.foreign
}

func (w *witness) noteLocked() {
	info, err := os.Stat(w.dir)
	if err != nil {
		w.foreign = true
		return
	}
	w.known = info.ModTime()
}

func (w *witness) compareLocked() {
	info, err := os.Stat(w.dir)
	w.foreign = w.foreign || err != nil || !info.ModTime().Equal(w.known)
}
