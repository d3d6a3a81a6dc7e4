package seal

import (
	"maps"
	"net/netip"
	"slices"

	"hbjournal/sink/journal"
)

// A claim is what a checkpoint says of the lines before the one that it stands in.
type claim struct {
	origin string
	size   int64
	root   Hash
	seq    int64 // of the line that it stands in, counted over all files from 0
}

// How a thread came to begin where it does.
const (
	fromFirst  = iota // the first line is that of a tree
	fromState         // it goes on behind files that are gone, or were packed
	fromPruned        // it goes on where the receiver has noted that its own journal begins
	fromBegin         // the line says that a tree begins with it
)

// How a thread takes entries that look like an archive's own: a receiver that nobody sends to writes such ones too.
const (
	ownUndecided = iota
	ownAreLeaves
	ownAreNone
)

// A thread is one way in which the lines may be the leaves of a receiver's tree, of which roots tell the right one.
type thread struct {
	tree    edge
	from    int64 // the size at its start
	kind    int
	limit   string // for which files before its start were removed by the archive; "": none were
	own     int
	seq     int64            // of its first line
	judged  bool             // a checkpoint was come to
	leading bool             // no line of the receiver's is before it
	gaps    []Finding        // notes of gaps that it goes over as if nothing were missing
	roots   map[int64]rootAt // at sizes of which a checkpoint says something
}

// rootAt is the root at a size, and the last line under it.
type rootAt struct {
	root  Hash
	seq   int64 // of the line behind it
	place place
}

func newThread(tree edge, kind int) *thread {
	return &thread{tree: tree.clone(), from: tree.size, kind: kind, roots: map[int64]rootAt{}}
}

// fork is the same thread, which takes an archive's own entries otherwise.
func (t *thread) fork(own int) *thread {
	other := *t
	other.tree, other.own, other.gaps = t.tree.clone(), own, slices.Clone(t.gaps)
	other.roots = maps.Clone(t.roots)
	return &other
}

// same reports whether two threads go on in the same way.
func (t *thread) same(other *thread) bool {
	return t.tree.size == other.tree.size && t.own == other.own && slices.Equal(t.tree.hashes, other.tree.hashes)
}

// maxThreads bounds how many ways are tried at once: anybody can send what looks like the begin of a tree.
const maxThreads = 64

// threads go over the lines of a journal that was shipped, in all ways that may be right.
type threads struct {
	all    []*thread
	claims []claim
	wanted map[int64]bool // sizes of claims
	next   int            // of claims
	seq    int64          // of the next line
	leaves int64          // lines that were no entries of an archive's own
}

func newThreads(claims []claim, outside []int64) *threads {
	s := &threads{claims: claims, wanted: map[int64]bool{}}
	for _, c := range claims {
		s.wanted[c.size] = true
	}
	for _, size := range outside {
		s.wanted[size] = true
	}
	return s
}

// add begins a thread at the next line, and reports whether there was none like it.
func (s *threads) add(t *thread) bool {
	if !t.tree.whole() || len(s.all) >= maxThreads || slices.ContainsFunc(s.all, t.same) {
		return false
	}
	t.seq, t.leading = s.seq, s.leaves == 0
	s.all = append(s.all, t)
	s.mark(t, place{})
	return true
}

// mayComeTo reports whether a thread that begins at the next line with this size can come to a claim.
func (s *threads) mayComeTo(size int64) bool {
	left := s.claims[s.next:]
	return len(left) == 0 || slices.ContainsFunc(left, func(c claim) bool { return size <= c.size && c.size <= size+c.seq-s.seq })
}

// mark keeps the root of a thread, if a checkpoint says something of its size.
func (s *threads) mark(t *thread, at place) {
	if s.wanted[t.tree.size] {
		t.roots[t.tree.size] = rootAt{t.tree.root(), s.seq, at}
	}
}

// leaf takes a line into all threads.
func (s *threads) leaf(h Hash, at place) {
	s.seq++
	s.leaves++
	for _, t := range s.all {
		t.tree.add(h)
		s.mark(t, at)
	}
}

// own takes an entry that looks like an archive's own. gap, if not nil, says that lines are missing there.
func (s *threads) own(h Hash, at place, gap *Finding) {
	s.seq++
	var forks []*thread
	for _, t := range s.all {
		if t.own == ownUndecided && len(s.all)+len(forks) < maxThreads {
			forks = append(forks, t.fork(ownAreLeaves))
		}
		if t.own == ownUndecided {
			t.own = ownAreNone
		}
		if t.own == ownAreNone && gap != nil && s.leaves > 0 {
			t.gaps = append(t.gaps, *gap)
		}
	}
	s.all = append(s.all, forks...)
	for _, t := range s.all {
		if t.own == ownAreLeaves {
			t.tree.add(h)
			s.mark(t, at)
		}
	}
}

// settle returns a thread that comes to the claim; nil: none does. What remains are those that may still be right.
func (s *threads) settle(c claim) *thread {
	var winner *thread
	var rest []*thread
	for _, t := range s.all {
		if at, is := t.roots[c.size]; is && at.root == c.root {
			if winner == nil {
				winner = t
			}
			rest = append(rest, t)
		}
	}
	for _, t := range s.all {
		_, is := t.roots[c.size]
		if !is && t.kind != fromBegin && t.from > c.size { // It begins behind a gap that is behind the claim.
			rest = append(rest, t)
		}
	}
	if len(rest) == 1 {
		rest[0].own = ownUndecided // What comes next may be the other's.
	}
	s.all = rest
	return winner
}

// ownEntry is an entry of an archive's own.
type ownEntry struct {
	lost     uint64 // lines that are missing there
	takeover bool   // the lines that follow are of another journal
}

// ownSource stands in an archive's own entries.
var ownSource = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)

// ownIn reports whether a line looks like an entry of an archive's own.
func ownIn(line []byte) (ownEntry, bool) {
	e, err := journal.ParseLine(line)
	if err != nil || e.Source != ownSource || !journal.IsNote(e.Message) {
		return ownEntry{}, false
	}
	if gap, ok := journal.ParseGapNote(e.Message); ok {
		return ownEntry{lost: gap.Lost}, true
	}
	_, ok := journal.ParseTakeoverNote(e.Message)
	return ownEntry{takeover: true}, ok
}
