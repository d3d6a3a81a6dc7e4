package seal

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"

	"hbjournal/sink/journal/read"
)

// diagnose says where a journal departs from what was sealed, as exactly as the state tells. That it does is known: the
// tree does not come to the head.
func (v *verifier) diagnose(ctx context.Context, p *pass) error {
	source, err := read.Open(v.opt.Options)
	if err != nil {
		return err
	}
	defer source.Close()
	before := len(v.verdict.Faults)
	for _, b := range p.broken {
		v.fault(b.Path, b.Line, "%v", b.Err)
	}
	v.judgeBegin(p)
	v.judgeEncrypted(p)
	if s := v.standing.Pruned; v.known && s != nil && s.Before > v.head.Size {
		v.fault("", 0, "rolled back: lines to %s were pruned under a newer checkpoint than the last one, which is of %s",
			comma(s.Before-1), comma(v.head.Size))
	}
	tree := p.start.tree.clone()
	d := &diagnosis{v: v, p: p, seen: map[int64]bool{}, tree: &tree}
	t := tracer{ledger: v.ledger, tree: &tree, begins: p.start.begins, onFile: d.file, onLeaf: d.leaf}
	if err := t.run(ctx, source); err != nil {
		return err
	}
	d.compare()
	d.missing()
	v.verdict.Faults = append(v.verdict.Faults, p.foreign...)
	if p.tree.size < v.head.Size && len(p.encrypted) == 0 {
		v.fault(p.end.path, p.end.line, "journal ends at %s, checkpoint says %s", comma(p.tree.size), comma(v.head.Size))
	}
	if len(v.verdict.Faults) == before {
		v.fault(p.end.path, 0, "lines %s to %s have another root than the checkpoint: something in them was altered",
			comma(p.start.tree.size), comma(v.head.Size-1))
	}
	return nil
}

// diagnosis compares each file with what was sealed of it.
type diagnosis struct {
	v      *verifier
	p      *pass
	seen   map[int64]bool // numbers of the records whose files are there
	tree   *edge
	path   string
	record *fileRecord
	first  int64 // index of its first leaf
	hashes []Hash
	starts []int64 // numbers of the lines
}

// maxCompared bounds how many lines of a file are compared one by one: 160 MiB of hashes and numbers.
const maxCompared = 4 << 20

func (d *diagnosis) file(path string, _ Hash, r *fileRecord) {
	d.compare()
	d.path, d.record, d.first, d.hashes, d.starts = path, r, d.tree.size, d.hashes[:0], d.starts[:0]
	if r == nil { // Its first line was altered, or it is another's: the name tells which it should be.
		d.record = d.v.ledger.named(withoutEnding(filepath.Base(path)))
	}
	if d.record == nil && len(d.v.ledger.files) > 0 {
		if last := d.v.ledger.files[len(d.v.ledger.files)-1]; last.Name == "" && !isBackup(path) {
			d.record = last
		}
	}
	if d.record != nil {
		d.seen[d.record.Number] = true
	}
}

func isBackup(path string) bool { return filepath.Ext(withoutEnding(path)) != ".journal" }

func (d *diagnosis) leaf(l leaf, _ int64) error {
	if len(d.hashes) < maxCompared {
		d.hashes, d.starts = append(d.hashes, l.hash), append(d.starts, l.line)
	}
	return nil
}

// compare compares the file that was read with what was sealed of it.
func (d *diagnosis) compare() {
	if d.path == "" {
		return
	}
	if d.record == nil && d.first >= d.v.head.Size {
		return // It is behind the checkpoint.
	}
	if d.record == nil {
		d.v.fault(d.path, 0, "the file is not one that was sealed")
		return
	}
	count := d.v.head.Size - d.record.First
	if d.record.Count > 0 {
		count = min(count, d.record.Count)
	}
	if count <= 0 {
		return
	}
	sealed, err := readHashes(d.v.dir.numbered(dirLeaves, d.record.First), 0, min(count, maxCompared))
	if err != nil && int64(len(sealed)) < count {
		d.compareTiles(count)
		return
	}
	found := d.hashes
	if d.record.Count == 0 && len(found) > len(sealed) { // The live file: what is behind the head is not sealed yet.
		found = d.withoutTail(found, sealed)
	}
	d.differ(sealed, found)
}

// withoutTail is found without the lines at its end that are not sealed yet, of which there are as many as the rest has not.
func (d *diagnosis) withoutTail(found, sealed []Hash) []Hash {
	if len(sealed) == 0 {
		return nil
	}
	last := sealed[len(sealed)-1]
	for i := len(found) - 1; i >= 0; i-- {
		if found[i] == last {
			return found[:i+1]
		}
	}
	return found
}

// differ reports how found differs from sealed.
func (d *diagnosis) differ(sealed, found []Hash) {
	start := 0
	for start < len(sealed) && start < len(found) && sealed[start] == found[start] {
		start++
	}
	ends := 0
	for ends < len(sealed)-start && ends < len(found)-start && sealed[len(sealed)-1-ends] == found[len(found)-1-ends] {
		ends++
	}
	was, is := sealed[start:len(sealed)-ends], found[start:len(found)-ends]
	switch {
	case len(was) == 0 && len(is) == 0:
	case len(was) == 0:
		for i := range is[:min(len(is), maxFindings)] {
			d.v.fault(d.path, d.lineAt(start+i), "line was not written by the daemon")
		}
	case len(is) == 0:
		d.v.fault(d.path, d.lineAt(start), "%s missing before this line", lines(int64(len(was))))
	case len(was) == len(is) && isPermuted(was, is):
		d.v.fault(d.path, d.lineAt(start), "lines from here to line %d are in another order", d.lineAt(start+len(is)-1))
	case len(was) == len(is):
		d.altered(was, is, start)
	default:
		d.v.fault(d.path, d.lineAt(start), "line altered, or others put in its place: %d lines from here on should be %d",
			len(is), len(was))
	}
}

func (d *diagnosis) altered(was, is []Hash, start int) {
	told := 0
	for i := range is {
		if was[i] != is[i] && told < maxFindings {
			told++
			d.v.fault(d.path, d.lineAt(start+i), "line altered")
		}
	}
}

func isPermuted(a, b []Hash) bool {
	order := func(x, y Hash) int { return slices.Compare(x[:], y[:]) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

// lineAt is the number of the line of a leaf; of the one behind the last, the next.
func (d *diagnosis) lineAt(i int) int64 {
	switch {
	case i < len(d.starts):
		return d.starts[i]
	case len(d.starts) > 0:
		return d.starts[len(d.starts)-1] + 1
	}
	return 1
}

// compareTiles compares where the leaves are not kept any more: by full tiles, and by the edge at the end of the file.
func (d *diagnosis) compareTiles(count int64) {
	tree, ok := d.v.dir.edgeAt(d.record.First)
	if !ok {
		return
	}
	first, from, bad := d.record.First, 0, false
	tree.node = func(level int, h Hash) {
		if level != tileBits || bad {
			return
		}
		row, err := readHashes(d.v.dir.path(tileFiles[0]), tree.size>>tileBits, 1)
		to := int(tree.size - first)
		if bad = err == nil && row[0] != h; bad {
			d.v.fault(d.path, d.lineAt(from), "altered within lines %d to %d", d.lineAt(from), d.lineAt(to))
		}
		from = to + 1
	}
	for _, h := range d.hashes[:min(count, int64(len(d.hashes)))] {
		tree.add(h)
	}
	tree.node = nil
	end, ok := d.v.dir.edgeAt(first + count)
	switch {
	case bad:
	case int64(len(d.hashes)) != count:
		d.v.fault(d.path, d.lineAt(min(len(d.hashes), int(count))), "it holds %s, and %s were sealed",
			lines(int64(len(d.hashes))), lines(count))
	case ok && !slices.Equal(end.hashes, tree.hashes):
		d.v.fault(d.path, d.lineAt(from), "altered within lines %d to %d", d.lineAt(from), d.lineAt(len(d.hashes)-1))
	}
}

// missing reports the files that were sealed and are not there.
func (d *diagnosis) missing() {
	gone := d.p.pruned.Before
	if s := d.v.standing.Pruned; d.v.known && s != nil {
		gone = max(gone, s.Before)
	}
	for _, r := range d.v.ledger.files {
		if d.seen[r.Number] || r.Count == 0 || r.First+r.Count <= gone || d.p.isEncrypted(r) {
			continue
		}
		d.v.fault("", 0, "lines %s to %s are missing: %s", comma(r.First), comma(r.First+r.Count-1), r.Name)
	}
}

// comma is a number with commas between its thousands.
func comma(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
