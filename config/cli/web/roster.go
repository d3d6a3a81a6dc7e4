package web

import (
	"fmt"
	"hash/fnv"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"hbjournal/sink/journal/read"
)

// A roster is the journals that are shown. Receivers may join a fleet, and are the last from then on: a journal keeps its number. As
// long as there is no journal at all it is open whether there will be one or a fleet. It is safe for use by several goroutines at once.
type roster struct {
	mu       sync.RWMutex
	opt      read.Options
	more     func() []read.Journal       // those that have joined since it was called last; nil: none can
	find     func() (read.Options, bool) // what has appeared, and whether anything has; nil: it is settled
	journals []read.Journal              // is added to, and never changed
	byDir    map[string][]int
	looked   time.Time
}

const (
	// joinEvery is how often it is looked for receivers that have joined.
	joinEvery = time.Second
	// maxJournals bounds the positions that a page may name.
	maxJournals = 4096
)

func newRoster(opt read.Options, find func() (read.Options, bool)) *roster {
	r := &roster{find: find, looked: time.Now()}
	r.set(opt)
	return r
}

// readEvery is how often it is looked for new lines: an event of a stream holds those of flushEvery.
const readEvery = flushEvery / 2

// set makes the roster one of these journals.
func (r *roster) set(opt read.Options) {
	opt.Every = readEvery
	r.opt, r.more, r.journals, r.byDir = opt, opt.More, nil, map[string][]int{}
	r.add(opt.Each())
}

func (r *roster) add(journals []read.Journal) {
	for _, j := range journals {
		dir := filepath.Clean(j.Dir)
		r.byDir[dir] = append(r.byDir[dir], len(r.journals))
		r.journals = append(r.journals, j)
	}
}

// all are the journals there are now.
func (r *roster) all() []read.Journal {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookLocked()
	return r.journals[:len(r.journals):len(r.journals)]
}

// lookLocked looks for what has appeared, if it is time to.
func (r *roster) lookLocked() {
	if time.Since(r.looked) < joinEvery {
		return
	}
	switch {
	case r.find != nil:
		if opt, found := r.find(); found {
			r.find = nil
			r.set(opt)
		}
	case r.more != nil:
		r.add(r.more())
	}
	r.looked = time.Now()
}

// isSettled reports whether it is known if there is one journal or a fleet.
func (r *roster) isSettled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookLocked()
	return r.find == nil
}

// single reports whether there is one journal, and no other can join it; as long as there is none, that may change.
func (r *roster) single() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.opt.Journals) == 0
}

// options are those to read all the journals there are now, and those that come if they are followed.
func (r *roster) options() read.Options {
	return r.optionsOf(r.all())
}

// optionsOf is options for journals, which are the first of them, and those that come.
func (r *roster) optionsOf(journals []read.Journal) read.Options {
	r.mu.RLock()
	opt, joins := r.opt, r.more != nil
	r.mu.RUnlock()
	if len(opt.Journals) == 0 {
		return opt
	}
	opt.Journals, opt.More = journals, nil
	if seen := len(journals); joins {
		opt.More = func() []read.Journal {
			all := r.all()
			joined := all[seen:]
			seen = len(all)
			return joined
		}
	}
	return opt
}

// of is the journal of the file at path, as an index.
func (r *roster) of(path string) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.opt.Journals) == 0 {
		return 0
	}
	dir, file := filepath.Split(path)
	found, longest := 0, -1
	for _, i := range r.byDir[filepath.Clean(dir)] {
		if base := r.journals[i].Base; strings.HasPrefix(file, base) && len(base) > longest {
			found, longest = i, len(base)
		}
	}
	return found
}

// text is a position as the id of an event: in a fleet each Cursor has the key of its journal before it, so that the position
// holds after a restart too, with receivers that have joined meanwhile.
func (r *roster) text(p place) string {
	if r.single() {
		return p.String()
	}
	journals, parts := r.all(), strings.Split(p.String(), ",")
	for i := range parts {
		parts[i] = keyOf(journals[i]) + "=" + parts[i]
	}
	return strings.Join(parts, ",")
}

// keyOf stands for a journal in a position.
func keyOf(j read.Journal) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s\x00%s", filepath.Clean(j.Dir), j.Base)
	return fmt.Sprintf("%08x", h.Sum32())
}

// parse is the inverse of text. A journal that text does not know has joined since: it is shown from its beginning on. One that is
// not shown any more is left out.
func (r *roster) parse(text string) (place, error) {
	if r.single() {
		return parsePlace(text, 1)
	}
	if p, err := parsePlace(text, 1); err == nil && p[0] != nil && *p[0] == (read.Cursor{}) {
		return place{}.grown(len(r.all())), nil // The page is from when there was no journal yet.
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxJournals {
		return nil, errPlace
	}
	known := make(map[string]*read.Cursor, len(parts))
	for _, part := range parts {
		key, cursor, ok := strings.Cut(part, "=")
		at, err := parsePlace(cursor, 1)
		if !ok || err != nil {
			return nil, errPlace
		}
		known[key] = at[0]
	}
	journals := r.all()
	p, found := make(place, len(journals)), 0
	for i, j := range journals {
		at, ok := known[keyOf(j)]
		if p[i] = at; !ok {
			p[i] = &read.Cursor{}
		} else {
			found++
		}
	}
	if found == 0 {
		return nil, errPlace
	}
	return p, nil
}
