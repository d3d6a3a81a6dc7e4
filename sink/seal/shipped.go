package seal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"hbjournal/sink/journal/read"
)

// Shipped says that a journal is the copy that an archive makes of a receiver's lines: the checkpoints are among the lines, and
// entries of the archive's own stand between them, which are no leaves.
type Shipped struct {
	First string // journal.LineHash of the receiver's line that the copy began with; "": that is not known
}

// shippedVerifier is a verifier of a copy.
type shippedVerifier struct {
	*verifier
	*tracker
	outside []Checkpoint

	started bool   // something is proved
	proved  rootAt // how far
	size    int64  // of the tree there
	origin  string
	past    map[string]bool // origins of the trees before
	broken  bool            // a checkpoint was not come to since
	holds   map[rootOf]bool // what the proved lines come to
}

// rootOf is a root of proved lines.
type rootOf struct {
	origin string
	size   int64
	root   Hash
}

// verifyCopy verifies a copy; again, if files were rotated or removed meanwhile.
func verifyCopy(ctx context.Context, opt VerifyOptions) (Verdict, error) {
	const tries = 5
	before := filesOfCopy(opt)
	for try := 1; ; try++ {
		v := &verifier{opt: opt, dir: dir(opt.Dir)}
		err := v.verifyShipped(ctx)
		after := filesOfCopy(opt)
		if len(v.verdict.Faults) == 0 && err == nil || slices.Equal(before, after) || try == tries {
			return v.verdict, err
		}
		before = after
	}
}

// filesOfCopy names what a copy consists of.
func filesOfCopy(opt VerifyOptions) []string {
	var all []string
	if files, err := read.Files(opt.Options.Dir, opt.Base); err == nil && len(opt.Paths) == 0 {
		for _, f := range files {
			all = append(all, f.Path)
		}
	}
	for _, b := range dir(opt.Dir).readBehind() {
		all = append(all, b.Name, b.Limit)
	}
	return all
}

// verifyShipped verifies a copy of a receiver's lines by the checkpoints in them.
func (v *verifier) verifyShipped(ctx context.Context) error {
	v.verdict.Anchored = NotAnchored
	s := &shippedVerifier{verifier: v, outside: v.openOutside(), past: map[string]bool{}, holds: map[rootOf]bool{}}
	notes, err := scanShipped(ctx, v.opt.Options, v.opt.Key)
	if err != nil {
		return err
	}
	var sizes []int64
	for _, c := range s.outside {
		if c.Note != nil {
			sizes = append(sizes, c.Size)
		}
	}
	if len(notes.claims)+len(sizes) == 0 {
		more := ""
		if notes.others > 0 {
			more = fmt.Sprintf("; there are %d that it has not", notes.others)
		}
		v.fault("", 0, "no seal: among the lines there is no checkpoint that the key of %s has signed%s", v.opt.Key.Name(), more)
		return nil
	}
	s.tracker = &tracker{
		threads: newThreads(notes.claims, sizes), by: v.opt.Key, notes: notes, behind: v.dir.readBehind(),
		settled: s.settledAt, unsure: func(Finding) {},
	}
	if err := s.tracker.run(ctx, v.opt.Options, s.cannotRead); err != nil {
		return err
	}
	s.finish()
	return nil
}

// cannotRead takes a fault of a file.
func (s *shippedVerifier) cannotRead(f *read.CorruptError) {
	if errors.Is(f.Err, read.ErrEncrypted) {
		s.fault(f.Path, 0, "the file is encrypted and was not checked: give --identity")
		s.unreadable(f.Path)
		return
	}
	s.fault(f.Path, f.Line, "%v", f.Err)
}

// settledAt takes what came of a checkpoint.
func (s *shippedVerifier) settledAt(c claim, t *thread, reached bool, at place) {
	switch {
	case t != nil:
		s.comesTo(c, t)
	case len(s.threads.all) > 0: // It is of lines before those that are here, or before a gap.
	case s.past[c.origin] || c.origin == s.origin && c.size < s.size && !reached:
		// It is an old one, that somebody has sent.
	case reached || s.lost == nil && !s.broken:
		s.differs(c, reached, at)
	}
}

// comesTo takes that a thread comes to a checkpoint.
func (s *shippedVerifier) comesTo(c claim, t *thread) {
	switch {
	case t.judged:
	case !s.started && t.leading:
		s.judgeFirst(t)
	default:
		s.judgeAgain(c, t)
	}
	for _, other := range s.threads.all {
		if at, is := other.roots[c.size]; is && at.root == c.root {
			other.judged = true
		}
	}
	for _, g := range t.gaps {
		s.fault(g.Path, g.Line, "%s, and none are: the entry was put in", g.Text)
	}
	t.gaps = nil
	if s.origin != "" && s.origin != c.origin {
		s.past[s.origin] = true
	}
	for size, at := range t.roots {
		if size <= c.size {
			s.holds[rootOf{c.origin, size, at.root}] = true
		}
	}
	if at := t.roots[c.size]; !s.started || s.origin != c.origin || at.seq >= s.proved.seq {
		s.proved, s.size, s.lost, s.broken = at, c.size, nil, false
	}
	s.origin, s.started = c.origin, true
}

// judgeFirst says what is to be said of the lines before the first one here.
func (s *shippedVerifier) judgeFirst(t *thread) {
	switch {
	case t.from == 0:
	case t.limit != "":
		s.remark("lines 0 to %s pruned by the archive (journal_%s)", comma(t.from-1), t.limit)
	case s.opt.Shipped.First != "" && s.opt.Shipped.First == s.first:
		s.remark("lines 0 to %s never came to the archive: what it has begins behind them", comma(t.from-1))
	default:
		s.fault(s.begin.path, s.begin.line, "lines 0 to %s are missing before this line", comma(t.from-1))
	}
}

// judgeAgain says what is to be said where the tree does not go on from what was proved before.
func (s *shippedVerifier) judgeAgain(c claim, t *thread) {
	_, number := splitOrigin(c.origin)
	between := t.seq - s.proved.seq
	switch {
	case t.kind == fromBegin && number > 1:
		s.fault("", 0, "the seal was broken before the tree %s: only what follows its begin is sealed by it", c.origin)
	case t.kind == fromBegin && s.lost != nil && s.lost.Text == textTakeover:
		s.remark("%s to the begin of another journal were sealed by no checkpoint that is here", lines(between))
	case t.kind == fromBegin && !s.started && s.opt.FromSeal:
		s.remark("%s before the seal began", lines(between))
	case t.kind == fromBegin && !s.started:
		s.fault(s.begin.path, s.begin.line, "%s before the seal began (--from-seal accepts that)", lines(between))
	case s.broken: // It was said.
	case s.lost != nil:
		s.fault(s.lost.Path, s.lost.Line, "%s: lines %s to %s are missing, or not proved", s.lost.Text, comma(s.size), comma(t.from-1))
	default:
		s.fault("", 0, "lines %s to %s are missing, or not proved", comma(s.size), comma(t.from-1))
	}
}

// differs says that the lines do not come to a checkpoint; reached says that they are as many, or more.
func (s *shippedVerifier) differs(c claim, reached bool, at place) {
	from := place{path: s.proved.place.path, line: s.proved.place.line + 1}
	if from.path == "" {
		from = s.begin
	}
	if s.lost != nil {
		from = place{path: s.lost.Path, line: s.lost.Line}
	}
	what, why := "something was altered, taken out, put in or moved", "has another root"
	if !reached {
		what, why = "lines are missing, or before", "is not come to by those that are here"
	}
	s.fault(from.path, from.line, "between here and %s:%d %s: the checkpoint there, of %s, %s",
		filepath.Base(at.path), at.line, what, lines(c.size), why)
	s.broken = true
}

// finish says what the whole comes to.
func (s *shippedVerifier) finish() {
	newest := slices.SortedFunc(slices.Values(s.outside), func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	for _, c := range newest {
		if c.Note != nil && c.Size > s.size && !s.past[c.Origin] {
			s.settle(claim{c.Origin, c.Size, c.Root, s.threads.seq}, s.end)
		}
	}
	s.verdict.Origin, s.verdict.Sealed = s.origin, s.size
	s.verdict.Tail = s.threads.seq - s.proved.seq
	if s.lost != nil && s.lost.Text == textTakeover {
		s.remark("the lines from %s:%d on are of another journal, which no checkpoint here proves yet", filepath.Base(s.lost.Path), s.lost.Line)
	} else if s.lost != nil {
		s.fault(s.lost.Path, s.lost.Line, "%s, and what follows is proved by no checkpoint yet", s.lost.Text)
	} else if s.verdict.Tail > 0 && s.started {
		s.remark("%s behind the last checkpoint among the lines are not proved by it", lines(s.verdict.Tail))
	}
	if s.own > 0 {
		s.remark("%d entries are the archive's own, and signed by nobody", s.own)
	}
	s.judgeOutside()
	if !s.started && len(s.verdict.Faults) == 0 {
		s.fault(s.begin.path, s.begin.line, "nothing here is proved: the lines come to no checkpoint")
	}
}

// judgeOutside compares with the checkpoints from outside.
func (s *shippedVerifier) judgeOutside() {
	newest, unproved := int64(-1), 0
	for i, c := range s.outside {
		name := s.opt.Checkpoints[i].Name
		switch {
		case c.Note == nil: // It has its fault.
		case s.holds[rootOf{c.Origin, c.Size, c.Root}]:
			if c.Size > newest {
				newest = c.Size
				s.verdict.Anchored = "anchored at " + comma(c.Size) + " by " + name
			}
		case s.heldOtherwise(c):
			s.fault("", 0, "history was rewritten: size %s in %s has another root", comma(c.Size), name)
		case c.Origin == s.origin && c.Size > s.size:
			s.fault("", 0, "%s says %s lines, and here %s are proved: the others did not come yet, or were taken away",
				name, comma(c.Size), comma(s.size))
		default:
			unproved++
		}
	}
	if unproved > 0 {
		s.remark("%d of the checkpoints from outside are of lines that are not here any more: they prove nothing here", unproved)
	}
	if s.opt.Policy != nil {
		s.judgeWitnesses()
	}
}

// heldOtherwise reports whether the proved lines come to another root at the size of c.
func (s *shippedVerifier) heldOtherwise(c Checkpoint) bool {
	for h := range s.holds {
		if h.origin == c.Origin && h.size == c.Size && h.root != c.Root {
			return true
		}
	}
	return false
}

// judgeWitnesses looks for a checkpoint from outside that enough witnesses have cosigned.
func (s *shippedVerifier) judgeWitnesses() {
	most, best := 0, Checkpoint{Size: -1}
	for _, c := range s.outside {
		if c.Note == nil {
			continue
		}
		most = max(most, s.opt.Policy.cosigned(c.Note))
		if s.opt.Policy.group.Satisfied(c.Note) && c.Size > best.Size && s.holds[rootOf{c.Origin, c.Size, c.Root}] {
			best = c
		}
	}
	if best.Size < 0 {
		s.fault("", 0, "witnessed by %d of %d, and the policy asks for more: give cosigned checkpoints with --checkpoint", most, len(s.opt.Policy.witnesses))
		return
	}
	s.verdict.Anchored = fmt.Sprintf("witnessed at %s by %d of %d", comma(best.Size), s.opt.Policy.cosigned(best.Note), len(s.opt.Policy.witnesses))
}
