package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/tlog"

	"hbjournal/sink/journal/read"
)

// ErrNotProved is wrapped by the errors about a line that a proof does not prove, or of which there is no proof.
var ErrNotProved = errors.New("not proved")

// Proof is that a line is in a journal, as C2SP tlog-proof has it.
type Proof struct {
	Line  []byte // without its newline
	Index int64
	Text  []byte // of the proof; nil: the line is not there, or not under the checkpoint yet
	Same  int64  // how many other lines are equal; this is the proof of the first
}

// Prove makes a proof for each of the lines, under the last checkpoint of the journal. Key may be nil; then nobody has looked at who
// signed that checkpoint.
func Prove(ctx context.Context, opt VerifyOptions, wanted [][]byte) ([]Proof, error) {
	v := &verifier{opt: opt, dir: dir(opt.Dir)}
	text, err := v.dir.read(fileCheckpoint, maxNote)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if opt.Key != nil {
		if v.head, err = opt.Key.open(text); err == nil {
			v.head = v.dir.ahead(opt.Key, v.head)
		}
	} else {
		body, _, _ := bytes.Cut(text, []byte("\n\n"))
		v.head, err = parseCheckpoint(string(body)+"\n", text)
	}
	if err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	v.ledger = readLedger(v.dir, v.head.Origin)
	if opt.Key != nil {
		v.standing, _, v.known = v.dir.readStanding(opt.Key, v.head.Origin)
	}
	first, err := v.firstLine(ctx)
	if err != nil {
		return nil, err
	}
	scan := func() ([]pruned, bool) {
		var notes []pruned
		var began bool
		source, errOpen := read.Open(opt.Options)
		if err = errOpen; err == nil {
			notes, began, err = scanNotes(ctx, source, v.head.Origin)
			err = errors.Join(err, source.Close())
		}
		return notes, began
	}
	for st := range starts(v.dir, v.ledger, v.head.Origin, first, v.standing.Pruned, scan) {
		proofs, errPass := v.prove(ctx, st, wanted)
		if !errors.Is(errPass, errOtherRoot) {
			return proofs, errPass
		}
	}
	return nil, errors.Join(err, fmt.Errorf("%w: the journal does not come to its checkpoint; 'hbjournal verify --key' says where", ErrNotProved))
}

var errOtherRoot = errors.New("another root")

// paths collect the proofs of some lines while the tree over all is computed.
type paths struct {
	wanted map[Hash][]*path
	at     map[[2]int64][]*path // by the subtree that the line is in so far
}

// path is what is known of the proof of one line.
type path struct {
	Proof
	hashes []Hash
	found  bool
}

// found says that a leaf is one of those that are wanted.
func (p *paths) found(h Hash, index int64) {
	for _, one := range p.wanted[h] {
		if one.found {
			one.Same++
			continue
		}
		one.Index, one.found = index, true
		key := [2]int64{index, index + 1}
		p.at[key] = append(p.at[key], one)
	}
}

// joined says that two subtrees have become one: for a line in one of them, the other is the next hash of its proof.
func (p *paths) joined(left, right Hash, start, mid, end int64) {
	if len(p.at) == 0 {
		return
	}
	for _, half := range []struct {
		key   [2]int64
		other Hash
	}{{[2]int64{start, mid}, right}, {[2]int64{mid, end}, left}} {
		for _, one := range p.at[half.key] {
			one.hashes = append(one.hashes, half.other)
			whole := [2]int64{start, end}
			p.at[whole] = append(p.at[whole], one)
		}
		delete(p.at, half.key)
	}
}

func (v *verifier) prove(ctx context.Context, st start, wanted [][]byte) ([]Proof, error) {
	source, err := read.Open(v.opt.Options)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	p := &paths{wanted: map[Hash][]*path{}, at: map[[2]int64][]*path{}}
	all := make([]*path, len(wanted))
	for i, line := range wanted {
		all[i] = &path{Proof: Proof{Line: line}}
		p.wanted[LeafHash(line)] = append(p.wanted[LeafHash(line)], all[i])
	}
	tree := st.tree.clone()
	tree.joined = p.joined
	t := tracer{ledger: v.ledger, tree: &tree, begins: st.begins}
	t.onLeaf = func(l leaf, index int64) error {
		if index == v.head.Size {
			return errReached
		}
		p.found(l.hash, index)
		return nil
	}
	if err := t.run(ctx, source); err != nil && !errors.Is(err, errReached) {
		return nil, err
	}
	if tree.size != v.head.Size || tree.root() != v.head.Root {
		return nil, errOtherRoot
	}
	proofs := make([]Proof, len(all))
	for i, one := range all {
		if one.found {
			one.Text = proof.TLogProof{Index: uint64(one.Index), Hashes: plainHashes(one.hashes), Checkpoint: v.head.Note}.Marshal()
		}
		proofs[i] = one.Proof
	}
	return proofs, nil
}

func plainHashes(hashes []Hash) [][hashBytes]byte {
	var plain [][hashBytes]byte
	for _, h := range hashes {
		plain = append(plain, h)
	}
	return plain
}

// maxProof bounds a proof: it has at most 64 hashes and a checkpoint.
const maxProof = maxNote + 8<<10

// CheckProof checks that a proof proves a line, which is given without its newline, by a checkpoint that the key has signed. It
// needs no journal. Its errors wrap ErrNotProved.
func CheckProof(text, line []byte, key *Verifier) (Checkpoint, int64, error) {
	var p proof.TLogProof
	if len(text) > maxProof {
		return Checkpoint{}, 0, fmt.Errorf("%w: it is longer than a proof", ErrNotProved)
	}
	if err := p.Unmarshal(text); err != nil {
		return Checkpoint{}, 0, fmt.Errorf("%w: %w", ErrNotProved, err)
	}
	// What reads it is lenient, and a proof must be one thing only.
	if !bytes.Equal(p.Marshal(), text) {
		return Checkpoint{}, 0, fmt.Errorf("%w: it is not written as a proof is: line ends, blanks or bytes at its end", ErrNotProved)
	}
	c, err := key.open(p.Checkpoint)
	if err != nil {
		return Checkpoint{}, 0, fmt.Errorf("%w: its checkpoint is %w", ErrNotProved, err)
	}
	var hashes tlog.RecordProof
	for _, h := range p.Hashes {
		hashes = append(hashes, h)
	}
	if p.Index >= uint64(c.Size) {
		return c, 0, fmt.Errorf("%w: its index %d is not below the %d lines of its checkpoint", ErrNotProved, p.Index, c.Size)
	}
	if err := tlog.CheckRecord(hashes, c.Size, c.Root, int64(p.Index), LeafHash(line)); err != nil {
		return c, 0, fmt.Errorf("%w: it is the proof of another line", ErrNotProved)
	}
	return c, int64(p.Index), nil
}
