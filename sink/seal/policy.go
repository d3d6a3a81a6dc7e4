package seal

import (
	"fmt"
	"os"
	"strings"

	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Policy says which witnesses must have cosigned a checkpoint, and where they are: a file of C2SP tlog-policy.
type Policy struct {
	group     witness.Group
	witnesses map[string]note.Verifier // by the URL that takes checkpoints
}

// maxPolicy bounds the file of a policy.
const maxPolicy = 1 << 20

// ReadPolicy reads a policy. Each of its witnesses must have a URL, since one file is for both sides.
func ReadPolicy(path string) (*Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read witness policy: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxPolicy {
		return nil, fmt.Errorf("read witness policy %s: it is no file of less than %d bytes", path, maxPolicy)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read witness policy: %w", err)
	}
	group, err := witness.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("read witness policy %s: %w", path, err)
	}
	p := &Policy{group: group, witnesses: group.Endpoints()}
	for url := range p.witnesses {
		if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
			return nil, fmt.Errorf("read witness policy %s: %s is no URL of http or https", path, url)
		}
	}
	return p, nil
}

// cosigned is how many witnesses have cosigned a note.
func (p *Policy) cosigned(signed []byte) int {
	n := 0
	for _, v := range p.witnesses {
		if _, err := note.Open(signed, note.VerifierList(v)); err == nil {
			n++
		}
	}
	return n
}

// judgeAnchors says what from outside holds the head.
func (v *verifier) judgeAnchors(p *pass, outside []Checkpoint) {
	newest := int64(-1)
	for i, c := range outside {
		name := v.opt.Checkpoints[i].Name
		switch {
		case c.Note == nil: // It has its fault.
		case c.Origin != v.head.Origin:
			v.fault("", 0, "%s is of %s, and the journal is sealed by %s: nothing tells that they are one history",
				name, c.Origin, v.head.Origin)
		case c.Size > v.head.Size:
			v.fault("", 0, "rolled back: %s says %s lines, the journal's checkpoint %s", name, comma(c.Size), comma(v.head.Size))
		case !p.wentOver(c.Size) && c.Size > 0 && !v.extends(c):
			v.fault("", 0, "%s is of %s lines, which are not to be read any more, and the seal's state does not prove any more "+
				"that the journal extends it", name, comma(c.Size))
		case c.Size > newest:
			newest = c.Size
			v.verdict.Anchored = "anchored at " + comma(c.Size) + " by " + name
		}
	}
	if v.opt.Policy != nil {
		v.judgePolicy(p)
	}
}

// extends reports whether the state proves that the head's tree extends one of whose lines not all are kept.
func (v *verifier) extends(c Checkpoint) bool {
	if c.Size == v.head.Size {
		return c.Root == v.head.Root
	}
	proof, err := tlog.ProveTree(v.head.Size, c.Size, v.dir.nodesOf(c.Size, v.head.Size))
	return err == nil && tlog.CheckTree(proof, v.head.Size, v.head.Root, c.Size, c.Root) == nil
}

// judgePolicy looks for a checkpoint that enough witnesses have cosigned, and that the tree comes to.
func (v *verifier) judgePolicy(p *pass) {
	candidates := [][]byte{v.head.Note}
	if text, err := v.dir.read(fileWitnessed, maxNote); err == nil {
		candidates = append(candidates, text)
	}
	for _, o := range v.opt.Checkpoints {
		candidates = append(candidates, o.Note)
	}
	of := len(v.opt.Policy.witnesses)
	most, best := 0, Checkpoint{Size: -1}
	for _, text := range candidates {
		c, err := v.opt.Key.open(text)
		if err != nil {
			continue
		}
		n := v.opt.Policy.cosigned(text)
		most = max(most, n)
		if v.opt.Policy.group.Satisfied(text) && c.Size > best.Size && c.Origin == v.head.Origin {
			best = c
		}
	}
	switch {
	case best.Size < 0:
		v.fault("", 0, "witnessed by %d of %d, and the policy asks for more", most, of)
	case best.Size > v.head.Size:
		v.fault("", 0, "rolled back: witnesses have seen %s lines, the journal's checkpoint says %s",
			comma(best.Size), comma(v.head.Size))
	case !v.holds(p, best):
		v.fault("", 0, "history was rewritten: size %s that witnesses have cosigned has another root", comma(best.Size))
	default:
		v.verdict.Anchored = fmt.Sprintf("witnessed at %s by %d of %d", comma(best.Size), v.opt.Policy.cosigned(best.Note), of)
	}
}

// holds reports whether the tree that was computed comes to a checkpoint.
func (v *verifier) holds(p *pass, c Checkpoint) bool {
	for _, t := range v.targets {
		if t.size == c.Size && t.root == c.Root && p.wentOver(c.Size) {
			return true // Else it would be among those that are wrong, which is a fault of its own.
		}
	}
	return v.extends(c)
}
