package web

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A daemon is what the daemon that writes the journal says of itself. It is asked only while somebody looks.
type daemon struct {
	ask func(ctx context.Context, path string) (code int, text string, err error)

	wanted chan struct{} // has room for one
	mu     sync.Mutex
	said   said
}

// said is what the daemon said last. The zero value is that it was not asked yet.
type said struct {
	at       time.Time // zero: not yet
	fault    string    // why there is no answer
	troubles []string  // that it has, in its own words
	lost     []lossRow // since it started
}

// askEvery is how often the daemon is asked.
const askEvery = 2 * time.Second

func newDaemon(opt Options) *daemon { return &daemon{ask: opt.Ask, wanted: make(chan struct{}, 1)} }

// run asks whenever it is wanted, until ctx is done.
func (d *daemon) run(ctx context.Context) {
	if d.ask == nil {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wanted:
		}
		said := d.learn(ctx)
		d.mu.Lock()
		d.said = said
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
	}
}

// last is what the daemon said last, and has it asked again. ok is false if there is none to ask.
func (d *daemon) last() (_ said, ok bool) {
	if d.ask == nil {
		return said{}, false
	}
	select {
	case d.wanted <- struct{}{}:
	default:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said, true
}

func (d *daemon) learn(ctx context.Context) said {
	ctx, cancel := context.WithTimeout(ctx, askEvery)
	defer cancel()
	s := said{at: time.Now()}
	code, text, err := d.ask(ctx, "/readyz")
	if err == nil && (code == http.StatusOK || code == http.StatusServiceUnavailable) {
		s.troubles = troubles(text)
		code, text, err = d.ask(ctx, "/stats")
	}
	switch {
	case err != nil:
		s.fault = err.Error()
	case code != http.StatusOK && len(s.troubles) == 0:
		s.fault = "what answers there is no daemon of this version"
	default:
		s.lost = lostByDaemon(text)
	}
	return s
}

// troubles are the lines of /readyz but its verdict.
func troubles(text string) []string {
	const most = 20
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && line != "ready" && line != "not ready" && len(all) < most {
			all = append(all, line)
		}
	}
	return all
}

// lostByDaemon are the losses in the ledger of /stats, the most first.
func lostByDaemon(text string) []lossRow {
	var stats struct {
		Ledger struct {
			Kernel           int64
			Dropped, Limited map[string]int64
			Invalid          int64
		}
	}
	if json.Unmarshal([]byte(text), &stats) != nil {
		return nil
	}
	rows := []lossRow{{"kernel", stats.Ledger.Kernel}, {"invalid", stats.Ledger.Invalid}}
	for _, counts := range []map[string]int64{stats.Ledger.Dropped, stats.Ledger.Limited} {
		for reason, n := range counts {
			rows = append(rows, lossRow{reason, n})
		}
	}
	rows = slices.DeleteFunc(rows, func(r lossRow) bool { return r.Lost <= 0 })
	slices.SortFunc(rows, func(a, b lossRow) int {
		return cmp.Or(cmp.Compare(b.Lost, a.Lost), strings.Compare(a.Reason, b.Reason))
	})
	return rows
}
