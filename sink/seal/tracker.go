package seal

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// shippedNotes are what the lines of a copy say of the trees that they are leaves of.
type shippedNotes struct {
	claims []claim
	pruned []pruned
	others int // checkpoints that the key has not signed
}

// A notary says which checkpoints and trees are to be believed.
type notary interface {
	open(signed []byte) (Checkpoint, error)
	knows(origin string) bool
}

// knows implements notary.
func (v *Verifier) knows(origin string) bool { return v.of(origin) != nil }

// scanShipped reads a whole copy for what it says of its trees.
func scanShipped(ctx context.Context, opt read.Options, by notary) (shippedNotes, error) {
	var found shippedNotes
	source, err := read.Open(opt)
	if err != nil {
		return found, err
	}
	defer source.Close()
	type block struct {
		messages [][]byte
		at       []int64 // number of the line in the block, from 0
		lines    int64
	}
	look := func(b *read.Block) block {
		var f block
		for line := range bytes.Lines(b.Data) {
			if message := noteIn(bytes.TrimSuffix(line, []byte{'\n'})); message != nil {
				f.messages, f.at = append(f.messages, bytes.Clone(message)), append(f.at, f.lines)
			}
			f.lines++
		}
		return f
	}
	seq := int64(0)
	err = read.Ordered(ctx, source, look, func(f block) error {
		for i, message := range f.messages {
			found.take(message, seq+f.at[i], by)
		}
		seq += f.lines
		return nil
	})
	return found, err
}

func (f *shippedNotes) take(message []byte, seq int64, by notary) {
	if n, ok := journal.ParseSealNote(message); ok && n.Checkpoint != "" {
		c, err := by.open([]byte(n.Checkpoint))
		if err != nil {
			f.others++ // Anybody can send what looks like one.
			return
		}
		f.claims = append(f.claims, claim{c.Origin, c.Size, c.Root, seq})
		return
	}
	n, ok := journal.ParsePrunedNote(message)
	if !ok || !by.knows(n.Origin) {
		return
	}
	p := pruned{Before: int64(n.Before), Limit: n.Limit}
	for _, h := range n.Edge {
		p.Edge = append(p.Edge, h)
	}
	f.pruned = append(f.pruned, p)
}

// A tracker goes over the lines of a copy, with threads for all that may be right.
type tracker struct {
	threads *threads
	by      notary
	notes   shippedNotes
	behind  []behind // what is known of where files of the copy end

	// A checkpoint was met. t is nil if no thread comes to it; reached says that one came to its size, with another root.
	settled func(c claim, t *thread, reached bool, at place)
	unsure  func(why Finding) // the tree may go on otherwise from here

	behindFirst bool // the first file is not the first one of the copy
	lenient     bool // a checkpoint that nothing comes to says nothing: it may be anybody's

	begins bool     // the first line begins a tree
	lost   *Finding // where lines are missing, or cannot be read, since the last checkpoint that was come to; nil: nowhere
	first  string   // journal.LineHash of the first line that is no entry of an archive's own
	begin  place    // of the first line
	end    place    // of the last one
	own    int64    // entries that look like an archive's own
}

// file begins a file of the copy. Where the tree is not known, the state may tell of it.
func (k *tracker) file(string, Hash, *fileRecord) {
	switch {
	case k.threads.seq == 0:
		k.candidates()
		if !k.behindFirst {
			k.threads.add(newThread(edge{}, fromFirst))
		}
	case len(k.threads.all) == 0 || k.lost != nil:
		k.candidates()
	}
}

// line takes the next line. It is never a leaf of the tracer's own tree.
func (k *tracker) line(l leaf, _ int64) (skip, bool, error) {
	s := k.threads
	e, own := ownEntry{}, false
	if l.note {
		e, own = ownIn(l.text)
	}
	if k.first == "" && !own {
		k.first = journal.LineHash(l.text)
	}
	for s.next < len(s.claims) && s.claims[s.next].seq == s.seq {
		c := s.claims[s.next]
		s.next++
		k.settle(c, l.place)
	}
	if k.begin.path == "" {
		k.begin = l.place
	}
	k.end = l.place
	switch {
	case !l.note:
		s.leaf(l.hash, l.place)
		return skip{}, true, nil
	case own:
		k.takeOwn(l, e)
		return skip{}, true, nil
	}
	n, is := sealNoteIn(l.text)
	k.begins = k.begins || is && n.Began && s.leaves == 0
	if is && n.Began && k.by.knows(n.Origin) && s.add(newThread(edge{}, fromBegin)) {
		k.unsure(Finding{l.path, l.line, n.Broken})
	}
	s.leaf(l.hash, l.place)
	return skip{}, true, nil
}

// settle sees whether any thread comes to a checkpoint.
func (k *tracker) settle(c claim, at place) {
	reached, comes := false, false
	for _, t := range k.threads.all {
		at, is := t.roots[c.size]
		reached, comes = reached || is, comes || is && at.root == c.root
	}
	if comes || !k.lenient {
		k.settled(c, k.threads.settle(c), reached, at)
	}
}

// takeOwn takes an entry that looks like one of the archive's own.
func (k *tracker) takeOwn(l leaf, e ownEntry) {
	k.own++
	f := &Finding{l.path, l.line, fmt.Sprintf("the archive notes here that %s missing", areLines(int64(e.lost)))}
	if e.takeover {
		f.Text = textTakeover
	}
	leading := k.threads.leaves == 0
	k.threads.own(l.hash, l.place, f)
	if leading {
		return
	}
	if k.lost == nil {
		k.lost = f
	}
	k.unsure(*f)
	if e.takeover {
		k.threads.add(newThread(edge{}, fromBegin))
	}
	k.candidates()
}

// textTakeover says what an entry of the archive's own does.
const textTakeover = "another journal of the receiver begins here"

func areLines(n int64) string {
	if n == 1 {
		return "1 line is"
	}
	return comma(n) + " lines are"
}

// candidates begins threads where the archive's state, or the receiver, tells of a place in the tree.
func (k *tracker) candidates() {
	for _, b := range k.behind {
		for _, e := range b.Edges {
			if k.threads.mayComeTo(e.Size) {
				t := newThread(newEdge(e.Size, e.Hashes), fromState)
				t.limit = b.Limit
				k.threads.add(t)
			}
		}
	}
	for _, p := range slices.Backward(k.notes.pruned) {
		if k.threads.mayComeTo(p.Before) {
			k.threads.add(newThread(newEdge(p.Before, p.Edge), fromPruned))
		}
	}
}

// unreadable says that lines of a file cannot be read.
func (k *tracker) unreadable(path string) {
	k.threads.all = nil
	k.lost = &Finding{Path: path, Text: "the lines of this file cannot be read"}
	k.unsure(*k.lost)
}

// run goes over a copy.
func (k *tracker) run(ctx context.Context, opt read.Options, fault func(*read.CorruptError)) error {
	source, err := read.Open(opt)
	if err != nil {
		return err
	}
	defer source.Close()
	t := tracer{ledger: &ledger{}, tree: &edge{}, onFile: k.file, extra: k.line, fault: fault}
	return t.run(ctx, source)
}
