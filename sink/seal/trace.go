package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strconv"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// place is where a line stands.
type place struct {
	path   string
	line   int64 // from 1
	offset int64
}

// leaf is a line of the journal on its way into the tree.
type leaf struct {
	place
	text []byte // valid during the call
	hash Hash
	note bool // it may be one of the journal's own notes
}

// hashedBlock is a block with the leaf hash of each of its lines.
type hashedBlock struct {
	block  *read.Block
	hashes []Hash
	starts []int // where in the block the lines start
	notes  bool  // there may be notes in it
	fault  *read.CorruptError
}

// hashBlock hashes the lines of a block. A last line without its newline is one too: whether it is whole shows by the root.
func hashBlock(b *read.Block) hashedBlock {
	const typical = 256 // bytes of a line
	h := hashedBlock{block: b, fault: b.Fault, notes: bytes.Contains(b.Data, []byte(noteMark))}
	h.hashes, h.starts = make([]Hash, 0, len(b.Data)/typical+1), make([]int, 0, len(b.Data)/typical+1)
	for pos := 0; pos < len(b.Data); {
		end := len(b.Data)
		if i := bytes.IndexByte(b.Data[pos:], '\n'); i >= 0 {
			end = pos + i
		}
		h.hashes, h.starts = append(h.hashes, leafAt(b.Data, pos, end)), append(h.starts, pos)
		pos = end + 1
	}
	return h
}

// leafAt is the leaf of the line text[pos:end]. It is not copied: the mark of a leaf takes the place of the newline before it
// meanwhile.
func leafAt(text []byte, pos, end int) Hash {
	if pos == 0 {
		return LeafHash(text[:end])
	}
	text[pos-1] = leafMark
	h := sha256.Sum256(text[pos-1 : end])
	text[pos-1] = '\n'
	return h
}

// line is the i-th line of the block.
func (h *hashedBlock) line(i int) []byte {
	end := len(h.block.Data)
	if i+1 < len(h.starts) {
		end = h.starts[i+1]
	}
	return bytes.TrimSuffix(h.block.Data[h.starts[i]:end], []byte{'\n'})
}

// A tracer goes over the lines of a journal, tells which of them are leaves, and computes the tree over these.
type tracer struct {
	ledger *ledger // may be empty
	tree   *edge
	// begins, if not nil, is true of the line that is the first leaf; those before it are older than the tree.
	begins func(text []byte) bool

	onFile func(path string, first Hash, r *fileRecord)  // may be nil; at the first line of each file; r is nil if it is not known
	onLeaf func(l leaf, index int64) error               // may be nil; before the leaf is in the tree
	onSkip func(l leaf, s skip) error                    // may be nil
	extra  func(l leaf, index int64) (skip, bool, error) // may be nil: what else is no leaf
	fault  func(*read.CorruptError)                      // may be nil

	path   string
	record *fileRecord
	next   int64 // number of the record that may come next
	number int64 // of the line
}

// run goes over source to its end.
func (t *tracer) run(ctx context.Context, source read.Source) error {
	return read.Ordered(ctx, source, hashBlock, t.take)
}

func (t *tracer) take(h hashedBlock) error {
	for i, hash := range h.hashes {
		at := h.block.Offset + int64(h.starts[i])
		if at == 0 || h.block.Path != t.path {
			t.enter(h.block.Path, hash)
		}
		t.number++
		l := leaf{place{t.path, t.number, at}, h.line(i), hash, false}
		l.note = h.notes && bytes.Contains(l.text, []byte(noteMark))
		if err := t.line(l); err != nil {
			return err
		}
	}
	if h.fault != nil && t.fault != nil {
		t.fault(h.fault)
	}
	return nil
}

// enter begins a file, whose first line has this hash.
func (t *tracer) enter(path string, first Hash) {
	t.path, t.number, t.record = path, 0, t.ledger.find(first, t.next)
	if t.record != nil {
		t.next = t.record.Number + 1
	}
	if t.onFile != nil {
		t.onFile(path, first, t.record)
	}
}

func (t *tracer) line(l leaf) error {
	s, skipped := t.record.at(l.offset)
	if !skipped && t.begins != nil {
		if skipped = !t.begins(l.text); skipped {
			s = skip{From: l.offset, To: l.offset + int64(len(l.text)) + 1, Before: true}
		} else {
			t.begins = nil
		}
	}
	if !skipped && t.extra != nil {
		var err error
		if s, skipped, err = t.extra(l, t.tree.size); err != nil {
			return err
		}
	}
	if skipped {
		if t.onSkip == nil {
			return nil
		}
		return t.onSkip(l, s)
	}
	if t.onLeaf != nil {
		if err := t.onLeaf(l, t.tree.size); err != nil {
			return err
		}
	}
	t.tree.add(l.hash)
	return nil
}

// noteMark is in each of the journal's own notes. A quote before it would make looking for it a hundred times slower.
const noteMark = "JRN"

// noteIn returns the message of a line that is one of the journal's own notes; nil: it is none.
func noteIn(text []byte) []byte {
	if !bytes.Contains(text, []byte(noteMark)) {
		return nil
	}
	entry, err := journal.ParseLine(text)
	if err != nil || !journal.IsNote(entry.Message) {
		return nil
	}
	return entry.Message
}

// sealNoteIn is the note about a tree that a line is.
func sealNoteIn(text []byte) (journal.SealNote, bool) {
	message := noteIn(text)
	if message == nil {
		return journal.SealNote{}, false
	}
	return journal.ParseSealNote(message)
}

// prunedNoteIn is the note about removed files of a tree that a line is.
func prunedNoteIn(text []byte, origin string) (pruned, bool) {
	message := noteIn(text)
	if message == nil {
		return pruned{}, false
	}
	n, ok := journal.ParsePrunedNote(message)
	if !ok || n.Origin != origin {
		return pruned{}, false
	}
	p := pruned{Before: int64(n.Before), Limit: n.Limit}
	for _, h := range n.Edge {
		p.Edge = append(p.Edge, h)
	}
	return p, true
}

// beginsTree reports whether a line is the first leaf of a tree.
func beginsTree(origin string) func(text []byte) bool {
	return func(text []byte) bool {
		n, ok := sealNoteIn(text)
		return ok && n.Began && n.Origin == origin
	}
}

// A start is from where a tree can be computed: an edge, and what the first line is that follows.
type start struct {
	tree   edge
	begins func([]byte) bool // nil: the first line of the first file
}

// starts are from where the tree can be computed over files of which the first one starts with this line. The likeliest
// comes first; which is right shows by the root. scan gives what the journal itself says, and is only called if the rest
// is not enough.
func starts(d dir, l *ledger, origin string, first Hash, reserve *pruned, scan func() ([]pruned, bool)) func(yield func(start) bool) {
	tried := map[string]bool{}
	fresh := func(s start) bool {
		key := strconv.FormatInt(s.tree.size, 10)
		for _, h := range s.tree.hashes {
			key += string(h[:])
		}
		if s.begins != nil {
			key += "note"
		}
		seen := tried[key]
		tried[key] = true
		return !seen && s.tree.whole()
	}
	return func(yield func(start) bool) {
		var some []start
		if r := l.find(first, 0); r != nil {
			if e, ok := d.edgeAt(r.First); ok {
				some = append(some, start{tree: e})
			}
			if reserve != nil && reserve.Before == r.First {
				some = append(some, start{tree: newEdge(reserve.Before, reserve.Edge)})
			}
		}
		if reserve != nil {
			some = append(some, start{tree: newEdge(reserve.Before, reserve.Edge)})
		}
		for _, s := range some {
			if fresh(s) && !yield(s) {
				return
			}
		}
		notes, began := scan()
		some = nil
		for i := len(notes) - 1; i >= 0; i-- {
			some = append(some, start{tree: newEdge(notes[i].Before, notes[i].Edge)})
		}
		if began {
			some = append(some, start{begins: beginsTree(origin)})
		}
		for _, s := range append(some, start{}) {
			if fresh(s) && !yield(s) {
				return
			}
		}
	}
}

// maxPrunedNotes is how many of the newest notes about removed files are tried as starts.
const maxPrunedNotes = 8

// scanNotes reads the whole journal for what it says itself about where its tree begins.
func scanNotes(ctx context.Context, source read.Source, origin string) (notes []pruned, began bool, err error) {
	type found struct {
		notes []pruned
		began bool
	}
	look := func(b *read.Block) found {
		var f found
		for line := range bytes.Lines(b.Data) {
			if !bytes.Contains(line, []byte(noteMark)) {
				continue
			}
			line = bytes.TrimSuffix(line, []byte{'\n'})
			if p, ok := prunedNoteIn(line, origin); ok {
				f.notes = append(f.notes, p)
			}
			if n, ok := sealNoteIn(line); ok && n.Began && n.Origin == origin {
				f.began = true
			}
		}
		return f
	}
	err = read.Ordered(ctx, source, look, func(f found) error {
		notes, began = append(notes, f.notes...), began || f.began
		notes = notes[max(0, len(notes)-maxPrunedNotes):]
		return nil
	})
	return notes, began, err
}
