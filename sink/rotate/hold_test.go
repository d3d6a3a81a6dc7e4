package rotate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// holder needs the backups from a stamp on.
type holder struct {
	t    *testing.T
	file *File
	from time.Time
	lost []string
}

func (h *holder) Done(stamps []time.Time) int {
	if i := slices.IndexFunc(stamps, func(s time.Time) bool { return !s.Before(h.from) }); i >= 0 {
		return i
	}
	return len(stamps)
}

func (h *holder) Losing(backups []string) {
	for _, name := range backups {
		if _, err := os.Stat(filepath.Join(h.file.opts.Dir, name)); err != nil {
			h.t.Errorf("removed before it was told: %v", err)
		}
	}
	h.lost = append(h.lost, backups...)
}

func TestWhatIsHeldStaysBeyondTheLimitsUpToItsBudgetAndIsToldWhenItGoes(t *testing.T) {
	c := at("2026-03-28 12:00:00")
	h := &holder{t: t, from: c.at}
	f := open(t, Options{Now: c.now, MaxBackups: 2, Holder: h, HoldBytes: 500})
	h.file = f
	grow := func(n int) {
		for range n {
			write(t, f, strings.Repeat("x", 99)+"\n")
			rotate(t, f)
			c.at = c.at.Add(time.Second)
		}
	}
	grow(5)
	if got := len(shown(t, f.opts.Dir)); got != 6 || len(h.lost) != 0 {
		t.Errorf("within the budget: got %d files, lost %v; want 6 and none", got, h.lost)
	}
	grow(2)
	if want := []string{f.opts.Name + ".20260328-120000", f.opts.Name + ".20260328-120001"}; fmt.Sprint(h.lost) != fmt.Sprint(want) {
		t.Errorf("beyond the budget: lost %v, want %v", h.lost, want)
	}
	h.from = h.from.Add(time.Hour)
	grow(1)
	if got := len(shown(t, f.opts.Dir)); got != 3 || len(h.lost) != 2 {
		t.Errorf("nothing is held: got %d files, lost %v; want 3", got, h.lost)
	}
}

func TestWhatNobodyMayHoldGoesByTheLimitsAndIsTold(t *testing.T) {
	c := at("2026-03-28 12:00:00")
	h := &holder{t: t, from: c.at.Add(time.Second)}
	f := open(t, Options{Now: c.now, MaxBackups: 2, Holder: h})
	h.file = f
	for range 5 {
		write(t, f, "a line\n")
		rotate(t, f)
		c.at = c.at.Add(time.Second)
	}
	checkNames(t, f, "", ".20260328-120003", ".20260328-120004")
	if want := []string{f.opts.Name + ".20260328-120001", f.opts.Name + ".20260328-120002"}; !slices.Equal(h.lost, want) {
		t.Errorf("told of %v, want %v: the first was not needed any more", h.lost, want)
	}
}
