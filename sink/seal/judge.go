package seal

import (
	"path/filepath"
	"time"
)

// judge says what there is to say of a journal that comes to its head.
func (v *verifier) judge(p *pass) {
	for _, b := range p.broken {
		v.fault(b.Path, b.Line, "%v", b.Err)
	}
	v.judgeBegin(p)
	v.judgePruned(p)
	v.verdict.Faults = append(v.verdict.Faults, p.foreign...)
	if p.more > 0 {
		v.fault("", 0, "%s more were not written by the daemon", lines(p.more))
	}
	for _, t := range p.wrong {
		v.fault("", 0, "history was rewritten: size %s in %s has another root", comma(t.size), t.name)
	}
	v.judgeTail(p)
	for _, a := range p.adopted {
		if v.opt.Strict {
			v.verdict.Faults = append(v.verdict.Faults, a)
		} else {
			v.verdict.Notes = append(v.verdict.Notes, a)
		}
	}
	v.judgeFiles(p)
}

// judgeBegin says how the tree begins.
func (v *verifier) judgeBegin(p *pass) {
	_, number := splitOrigin(v.head.Origin)
	switch {
	case number > 1 && p.begin != nil:
		v.fault(p.begin.Path, p.begin.Line, "the seal was broken here: %s; only what follows is sealed, by %s", p.begin.Text, v.head.Origin)
	case number > 1:
		v.fault("", 0, "the seal was broken before the lines that are kept: the tree is %s", v.head.Origin)
	case p.before > 0 && v.opt.FromSeal:
		v.remark("%s before the seal began", lines(p.before))
	case p.before > 0:
		v.fault("", 0, "%s before the seal began (--from-seal accepts that)", lines(p.before))
	}
}

// judgePruned compares what is missing at the beginning with what the journal says that its limits removed.
func (v *verifier) judgePruned(p *pass) {
	gone := p.pruned
	if s := v.standing.Pruned; v.known && s != nil && s.Before > gone.Before {
		gone = *s
	}
	first := p.start.tree.size
	if before := min(first, gone.Before); before > 0 {
		v.remark("lines 0 to %s pruned (journal_%s)", comma(before-1), gone.Limit)
	}
	v.judgeEncrypted(p)
	v.judgeJumps(p)
	if first > gone.Before && !v.isEncrypted(p, gone.Before, first) {
		v.fault("", 0, "lines %s to %s are missing%s", comma(gone.Before), comma(first-1), v.filesOf(gone.Before, first))
	}
}

// isEncrypted reports whether all lines from one to another are in files that are encrypted.
func (v *verifier) isEncrypted(p *pass, from, to int64) bool {
	for _, r := range v.ledger.files {
		if r.First <= from && r.First+r.Count > from && p.isEncrypted(r) {
			from = r.First + r.Count
		}
	}
	return from >= to
}

// filesOf names the files that lines are in, as far as that is known.
func (v *verifier) filesOf(from, to int64) string {
	text := ""
	for _, r := range v.ledger.files {
		if r.Name != "" && r.First < to && r.First+r.Count > from {
			text += " " + r.Name
		}
	}
	if text == "" {
		return ""
	}
	return ":" + text
}

func (v *verifier) judgeTail(p *pass) {
	v.verdict.Tail = p.tailLen
	v.verdict.Faults = append(v.verdict.Faults, p.tail...)
	if p.tailLen == 0 || len(p.tail) > 0 {
		return
	}
	text := lines(p.tailLen) + " not yet sealed"
	if p.since != 0 {
		text += " (since " + time.UnixMilli(p.since).UTC().Format(time.RFC3339) + ")"
	}
	switch age := v.began.Sub(time.UnixMilli(p.since)); {
	case v.apart:
		v.remark("%s behind the checkpoint from outside are not covered by it", lines(p.tailLen))
	case age > stoppedAfter*v.opt.Cadence && p.since != 0:
		v.fault(p.end.path, 0, "%s: sealing has stopped", text)
	default:
		v.remark("%s", text)
	}
}

// judgeFiles notes lines that are in another file than they were written to: their order is the same, so they are all there.
func (v *verifier) judgeFiles(p *pass) {
	for _, f := range p.files {
		if f.record != nil && f.record.Count > 0 && f.record.Count != f.count && f.first+f.count < v.head.Size {
			v.remark("%s holds %s, and %s were written to it: lines were moved over the border of files, in the same order",
				filepath.Base(f.path), lines(f.count), comma(f.record.Count))
		}
	}
}
