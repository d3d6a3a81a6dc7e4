package presence

import (
	"maps"
	"slices"
	"strings"
)

// reconsider judges anew those hosts of r that were judged before it was known, at an instant, that something was lost.
func (b *Board) reconsider(r *receiver, lost span, at int64) {
	byName := func(a, b *host) int { return strings.Compare(a.name, b.name) }
	for _, h := range slices.SortedFunc(maps.Keys(b.fell), byName) {
		if h.receiver != r || h.interval == 0 {
			continue
		}
		late := allowance(h.interval, b.opt.Grace)
		missed := h.dueAt() + late // When the beat was missed that h is silent for.
		if h.returned > 0 {
			missed = h.fell
		}
		if lost.to < missed-late-half(h.interval) || lost.from > missed {
			continue
		}
		switch {
		case h.returned == 0:
			b.rejudge(h, at)
		case h.missed == 1: // That one alone, and it beats again.
			b.back(h, at)
			h.recount()
			b.wait(h, b.due(h))
		}
	}
}

// rejudge takes h for one that is not silent, and goes through its beats that should have come by an instant once more. If another
// one than those that could not be heard was missed, it is silent since then; else that it was said to be is taken back.
func (b *Board) rejudge(h *host, at int64) {
	told := h.told
	h.fell, h.quiet, h.told = 0, 0, false
	h.recount()
	for due := b.due(h); due <= at; due = b.due(h) {
		what, until := b.hearing(h, due)
		if what == unsure {
			break
		}
		if what != deaf {
			h.fell, h.quiet, h.told = due, due, told
			if told {
				h.since = due
			}
			h.recount()
			b.wait(h, b.due(h))
			return
		}
		h.nth = h.after(until)
	}
	delete(b.fell, h)
	if told {
		h.doubt = true
		b.tell(Doubt, h, at)
	}
	b.wait(h, b.due(h))
}

// after is the number of the first beat that can be judged once its receiver hears again, from an instant on.
func (h *host) after(until int64) int64 {
	return max(h.nth+1, (until-h.beat+half(h.interval))/h.interval+1)
}
