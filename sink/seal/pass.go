package seal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// pass is what was seen on the way over the journal.
type pass struct {
	v     *verifier
	start start
	tree  edge
	ok    bool // the tree comes to the head

	files     []*passFile
	broken    []read.CorruptError
	encrypted []encryptedFile     // that could not be read for want of an identity
	jumped    [][2]int64          // from which line to which there are only encrypted files
	stored    *journal.StoredNote // what the last one under the head says of packed files; nil: there is none
	wrong     []target            // that the tree does not come to
	before    int64               // lines that are older than the tree
	foreign   []Finding
	more      int64 // foreign lines beyond those
	tail      []Finding
	tailLen   int64
	since     int64 // when the first line of the tail was written, Unix milliseconds
	sealedIn  string
	closing   bool // the last sealed leaf is the note of a close
	pruned    pruned
	adopted   []Finding
	begin     *Finding // where the tree begins, and why, if it follows a broken one
	end       place
}

// passFile is a file on the way.
type passFile struct {
	path   string
	line   Hash
	record *fileRecord
	first  int64
	count  int64
}

func (v *verifier) pass(ctx context.Context, st start) (*pass, error) {
	source, err := read.Open(v.opt.Options)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	p := &pass{v: v, start: st, tree: st.tree.clone()}
	t := tracer{ledger: v.ledger, tree: &p.tree, begins: st.begins, onFile: p.file, onLeaf: p.leaf, onSkip: p.skip, fault: p.fault}
	if err := t.run(ctx, source); err != nil {
		return nil, err
	}
	p.check()
	p.ok = st.tree.size <= v.head.Size && p.tree.size >= v.head.Size && len(p.wrongHeads()) == 0
	return p, nil
}

func (p *pass) fault(f *read.CorruptError) {
	if errors.Is(f.Err, read.ErrEncrypted) {
		p.encrypted = append(p.encrypted, encryptedFile{path: f.Path, name: withoutEnding(filepath.Base(f.Path))})
		return
	}
	if len(p.broken) < maxFindings {
		p.broken = append(p.broken, *f)
	}
}

func (p *pass) file(path string, first Hash, r *fileRecord) {
	p.jump(r)
	p.files = append(p.files, &passFile{path: path, line: first, record: r, first: p.tree.size})
}

// check compares the tree as it is with the checkpoints of its size.
func (p *pass) check() {
	var root Hash
	computed := false
	for _, t := range p.v.targets {
		if t.size != p.tree.size || t.size < p.start.tree.size {
			continue
		}
		if !computed {
			root, computed = p.tree.root(), true
		}
		if t.root != root {
			p.wrong = append(p.wrong, t)
		}
	}
}

// wrongHeads are the targets that are the head and were missed.
func (p *pass) wrongHeads() []target {
	var heads []target
	for _, t := range p.wrong {
		if t.size == p.v.head.Size && t.root == p.v.head.Root {
			heads = append(heads, t)
		}
	}
	return heads
}

func (p *pass) leaf(l leaf, index int64) error {
	p.check()
	file := p.files[len(p.files)-1]
	p.end = l.place
	if index >= p.v.head.Size {
		p.addTail(l)
		return nil
	}
	file.count++
	p.sealedIn, p.closing = l.path, false
	if !l.note {
		return nil
	}
	n, isSeal := sealNoteIn(l.text)
	p.closing = isSeal && n.At == atClose
	switch {
	case isSeal && n.Origin == p.v.head.Origin && n.Began && index == 0:
		p.begin = &Finding{l.path, l.line, n.Broken}
	case isSeal && n.Adopted > 0:
		p.adopted = append(p.adopted, Finding{l.path, l.line, fmt.Sprintf(
			"%s were adopted at %s; they were not sealed when received", lines(int64(n.Adopted)), timeOf(l.text),
		)})
	default:
		if gone, ok := prunedNoteIn(l.text, p.v.head.Origin); ok && gone.Before > p.pruned.Before {
			p.pruned = gone
		}
		if n, ok := storedNoteIn(l.text, p.v.head.Origin); ok {
			p.stored = &n
		}
	}
	return nil
}

func (p *pass) addTail(l leaf) {
	if p.since == 0 { // A line that is torn has no time.
		p.since, _ = journal.LineTime(l.text)
	}
	p.tailLen++
	if len(p.tail) < maxFindings && p.isForeign(l) {
		p.tail = append(p.tail, Finding{l.path, l.line, "line was not written by the daemon"})
	}
}

// isForeign reports whether a line behind the head is not the daemon's.
func (p *pass) isForeign(l leaf) bool {
	v := p.v
	switch {
	case v.apart:
		return false
	case !v.known:
		return p.closing
	case !v.standing.Open:
		return true
	}
	return l.path == p.sealedIn && l.offset < v.standing.Resumed
}

func (p *pass) skip(l leaf, s skip) error {
	switch {
	case s.Before && p.tree.size == 0: // What stands in the ledger is signed by nobody.
		p.before++
	case len(p.foreign) < maxFindings:
		p.foreign = append(p.foreign, Finding{l.path, l.line, "line was not written by the daemon"})
	default:
		p.more++
	}
	return nil
}

func timeOf(line []byte) string {
	millis, ok := journal.LineTime(line)
	if !ok {
		return "an unknown time"
	}
	return time.UnixMilli(millis).UTC().Format(time.RFC3339)
}

func lines(n int64) string {
	if n == 1 {
		return "1 line"
	}
	return comma(n) + " lines"
}
