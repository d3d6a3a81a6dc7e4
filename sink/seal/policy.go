package seal

import "golang.org/x/mod/sumdb/tlog"

// Policy says which witnesses must have cosigned a checkpoint.
type Policy struct{}

// judgeAnchors says what from outside holds the head.
func (v *verifier) judgeAnchors(p *pass, outside []Checkpoint) {
	newest := int64(-1)
	for i, c := range outside {
		name := v.opt.Checkpoints[i].Name
		switch {
		case c.Note == nil: // It has its fault.
		case c.Origin != v.head.Origin:
			v.fault("", 0, "%s is of %s, and the journal is sealed by %s: nothing tells that they are one history", name, c.Origin, v.head.Origin)
		case c.Size > v.head.Size:
			v.fault("", 0, "rolled back: %s says %s lines, the journal's checkpoint %s", name, comma(c.Size), comma(v.head.Size))
		case c.Size < p.start.tree.size && c.Size > 0 && !v.extends(c):
			v.fault("", 0, "%s is of %s lines, which were pruned since, and the seal's state does not prove any more that the journal extends it",
				name, comma(c.Size))
		case c.Size > newest:
			newest = c.Size
			v.verdict.Anchored = "anchored at " + comma(c.Size) + " by " + name
		}
	}
}

// extends reports whether the state proves that the head's tree extends one of whose lines not all are kept.
func (v *verifier) extends(c Checkpoint) bool {
	if c.Size == v.head.Size {
		return c.Root == v.head.Root
	}
	proof, err := tlog.ProveTree(v.head.Size, c.Size, nodes{v.dir})
	return err == nil && tlog.CheckTree(proof, v.head.Size, v.head.Root, c.Size, c.Root) == nil
}
