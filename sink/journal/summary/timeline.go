package summary

// maxBuckets bounds how finely time is divided: when a range needs more buckets, they become wider.
const maxBuckets = 400

// widthMillis are the widths of buckets up to four weeks, each a whole multiple of the one before, so that narrow buckets
// add up to wide ones exactly. Beyond, each width is twice the one before.
func widthMillis(step int) int64 {
	const second, day = 1000, 24 * 3600 * 1000
	widths := [...]int64{
		second, 5 * second, 15 * second, 60 * second, 300 * second, 900 * second, 1800 * second,
		day / 24, day / 8, day / 4, day / 2, day, 7 * day, 28 * day,
	}
	if step < len(widths) {
		return widths[step]
	}
	return widths[len(widths)-1] << (step - len(widths) + 1)
}

// floorDiv is a / b rounded down: the bucket of width b that holds the instant a. Buckets are numbered from the epoch.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// timeline counts events in consecutive buckets of one width, which its Summary knows.
type timeline struct {
	start  int64 // number of the first bucket
	counts []uint32
}

func (t *timeline) add(bucket int64, n uint32) {
	if len(t.counts) == 0 {
		t.start = bucket
	}
	if bucket < t.start {
		t.extendBack(t.start - bucket)
	}
	i := bucket - t.start
	for int64(len(t.counts)) <= i {
		t.counts = append(t.counts, 0)
	}
	t.counts[i] += n
}

// reset forgets all events but keeps the memory.
func (t *timeline) reset() { t.counts = t.counts[:0] }

// extendBack puts n empty buckets before the first one.
func (t *timeline) extendBack(n int64) {
	t.counts = append(make([]uint32, n, int(n)+cap(t.counts)), t.counts...)
	t.start -= n
}

// widen turns the buckets of width step from into those of the wider step to.
func (t *timeline) widen(from, to int) {
	if len(t.counts) == 0 || from == to {
		return
	}
	ratio := widthMillis(to) / widthMillis(from)
	wide := timeline{start: floorDiv(t.start, ratio)}
	last := floorDiv(t.start+int64(len(t.counts))-1, ratio)
	wide.counts = make([]uint32, last-wide.start+1)
	for i, n := range t.counts {
		wide.counts[floorDiv(t.start+int64(i), ratio)-wide.start] += n
	}
	*t = wide
}

// merge adds u, whose buckets have the same width.
func (t *timeline) merge(u *timeline) {
	for i, n := range u.counts {
		if n > 0 {
			t.add(u.start+int64(i), n)
		}
	}
}

// slice returns the counts of n buckets from start on.
func (t *timeline) slice(start int64, n int) []uint32 {
	out := make([]uint32, n)
	for i, c := range t.counts {
		if at := t.start + int64(i) - start; at >= 0 && at < int64(n) {
			out[at] += c
		}
	}
	return out
}
