package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hbjournal/sink/journal/read"
)

// VerifyOptions say what Verify is to look at. Key is required.
type VerifyOptions struct {
	read.Options        // of one journal, or of its files wherever they are
	Dir          string // of the seal, from DirOf
	Key          *Verifier

	Shipped     *Shipped      // what is known of an archive's copy; nil: it is a journal with a seal of its own
	Checkpoints []Outside     // from outside of the machine
	Policy      *Policy       // of witnesses; nil: none is asked for
	FromSeal    bool          // lines that are older than the seal are no fault
	Strict      bool          // lines that were taken over after a crash are a fault
	StoredOnly  bool          // that of encrypted files only the stored bytes could be checked is no fault
	Cadence     time.Duration // between checkpoints, as the daemon makes them; 0: 1 s
	Now         func() time.Time
}

// Outside is a copy of a checkpoint that was kept elsewhere.
type Outside struct {
	Name string // what people know it by
	Note []byte
}

// Finding is something that Verify has found. Path and Line are where, as far as that is known.
type Finding struct {
	Path string `json:"path,omitempty"`
	Line int64  `json:"line,omitempty"`
	Text string `json:"text"`
}

// String is the finding as people read it.
func (f Finding) String() string {
	switch {
	case f.Path == "":
		return f.Text
	case f.Line == 0:
		return f.Path + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Verdict is what a journal was found to be.
type Verdict struct {
	Origin   string    `json:"origin,omitempty"`
	Sealed   int64     `json:"sealed"`   // lines under the checkpoint
	Tail     int64     `json:"unsealed"` // lines behind it
	Faults   []Finding `json:"faults,omitempty"`
	Notes    []Finding `json:"notes,omitempty"` // that are no faults
	Anchored string    `json:"anchored"`        // by what from outside the checkpoint is held; "not anchored"
}

// NotAnchored is Verdict.Anchored of a journal of which nothing outside says that its checkpoint is the right one.
const NotAnchored = "not anchored"

// stoppedAfter is how old the first line may be that is not sealed, in pauses between checkpoints.
const stoppedAfter = 10

// maxKept bounds what is read of the older checkpoints.
const maxKept = 64 << 20

// maxFindings bounds how many findings of a kind are kept.
const maxFindings = 100

// Verify checks the journal against its last checkpoint, and that against those from outside. It changes nothing, and
// gives the same verdict each time while nothing is changed. The error is about what could not be read.
func Verify(ctx context.Context, opt VerifyOptions) (Verdict, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Cadence == 0 {
		opt.Cadence = time.Second
	}
	if opt.Shipped != nil {
		return verifyCopy(ctx, opt)
	}
	const tries = 5
	for try := 1; ; try++ {
		v := &verifier{opt: opt, dir: dir(opt.Dir), began: opt.Now()}
		v.kept, _ = v.dir.read(fileCheckpoints, maxKept) // Before the last one, which is never older.
		before, _ := v.dir.read(fileCheckpoint, maxNote)
		err := v.verify(ctx, before)
		after, _ := v.dir.read(fileCheckpoint, maxNote)
		// A daemon goes on meanwhile: it prunes and rotates, so that what was read is of two moments.
		if len(v.verdict.Faults) == 0 && err == nil || bytes.Equal(before, after) || try == tries {
			return v.verdict, err
		}
	}
}

// verifier is one try of Verify.
type verifier struct {
	opt     VerifyOptions
	dir     dir
	verdict Verdict
	began   time.Time // before the last checkpoint was read

	head     Checkpoint
	apart    bool // the head is from outside, since there is none beside the journal
	ledger   *ledger
	standing standing
	known    bool   // the standing
	kept     []byte // the older checkpoints; none of them are missed
	targets  []target
}

// target is a checkpoint that the tree must come to.
type target struct {
	name    string
	size    int64
	root    Hash
	outside bool
}

func (v *verifier) fault(path string, line int64, format string, args ...any) {
	v.verdict.Faults = append(v.verdict.Faults, Finding{path, line, fmt.Sprintf(format, args...)})
}

func (v *verifier) remark(format string, args ...any) {
	v.verdict.Notes = append(v.verdict.Notes, Finding{Text: fmt.Sprintf(format, args...)})
}

func (v *verifier) verify(ctx context.Context, checkpoint []byte) error {
	v.verdict.Anchored = NotAnchored
	outside := v.openOutside()
	if !v.openHead(checkpoint, outside) {
		return nil
	}
	v.verdict.Origin, v.verdict.Sealed = v.head.Origin, v.head.Size
	v.setTargets(outside)
	v.ledger = readLedger(v.dir, v.head.Origin)
	v.standing, _, v.known = v.dir.readStanding(v.opt.Key, v.head.Origin)
	best, err := v.find(ctx)
	if err != nil {
		return err
	}
	if best.ok {
		v.judge(best)
		v.judgeAnchors(best, outside)
		return nil
	}
	return v.diagnose(ctx, best)
}

// openOutside opens the checkpoints from outside.
func (v *verifier) openOutside() []Checkpoint {
	opened := make([]Checkpoint, len(v.opt.Checkpoints))
	for i, o := range v.opt.Checkpoints {
		c, err := v.opt.Key.open(o.Note)
		if err != nil {
			v.fault("", 0, "checkpoint %s is %v", o.Name, err)
			continue
		}
		opened[i] = c
	}
	return opened
}

// openHead opens the checkpoint beside the journal, or takes the newest from outside. It returns false if there is none.
func (v *verifier) openHead(checkpoint []byte, outside []Checkpoint) bool {
	if checkpoint != nil {
		c, err := v.opt.Key.open(checkpoint)
		if err != nil {
			v.fault("", 0, "checkpoint is %v", err)
			return false
		}
		v.head = v.dir.ahead(v.opt.Key, c)
		return true
	}
	for _, c := range outside {
		if c.Note != nil && (v.head.Note == nil || c.Size > v.head.Size) {
			v.head, v.apart = c, true
		}
	}
	if v.head.Note == nil {
		v.fault("", 0, "no seal: there is no checkpoint in %s", v.opt.Dir)
		return false
	}
	v.remark("there is no checkpoint in %s; one from outside stands for it", v.opt.Dir)
	return true
}

// setTargets lists what the tree must come to: the head, what is from outside, and the older checkpoints of its own.
func (v *verifier) setTargets(outside []Checkpoint) {
	v.targets = []target{{"the checkpoint", v.head.Size, v.head.Root, false}}
	for i, c := range outside {
		if c.Note != nil && c.Origin == v.head.Origin && c.Size <= v.head.Size {
			v.targets = append(v.targets, target{v.opt.Checkpoints[i].Name, c.Size, c.Root, true})
		}
	}
	v.targets = append(v.targets, v.older()...)
}

// older are the checkpoints that were kept beside the journal. What is none, as a power cut may leave it at the end, is a
// fault only if something is behind it.
func (v *verifier) older() []target {
	text := v.kept
	others := keysIn(text) // Of before a change of the key: good for telling that a note is whole, and for nothing else.
	var targets []target
	var bad []Finding
	torn := 0
	for len(text) > 0 {
		one, rest, whole := cutNote(text)
		c, err := v.opt.Key.open(one)
		if err != nil && !isVKeys(one) {
			if behind := v.opt.Key.behindTorn(text, len(one)); behind != nil {
				torn++
				text = behind
				continue
			}
		}
		text = rest
		switch {
		case err != nil && (isVKeys(one) || others != nil && opens(others, one)):
		case err != nil && whole:
			bad = append(bad, Finding{Path: v.dir.path(fileCheckpoints), Text: "a checkpoint in it is " + err.Error()})
		case err == nil && c.Origin == v.head.Origin && c.Size < v.head.Size:
			targets = append(targets, target{"an older checkpoint", c.Size, c.Root, false})
		case err == nil && c.Origin == v.head.Origin && c.Size > v.head.Size && !v.apart:
			bad = append(bad, Finding{Path: v.dir.path(fileCheckpoints), Text: fmt.Sprintf(
				"it has a checkpoint of %d lines, and the last one is of %d: rolled back", c.Size, v.head.Size,
			)})
		}
	}
	if torn > 0 {
		v.remark("%s: %d of the checkpoints in it are torn: a crash left them half written", v.dir.path(fileCheckpoints), torn)
	}
	v.verdict.Faults = append(v.verdict.Faults, bad[:min(len(bad), maxFindings)]...)
	return targets
}

// keysIn is the verifier of all keys that are written between the kept checkpoints; nil: there are none.
func keysIn(kept []byte) *Verifier {
	v := &Verifier{}
	for line := range bytes.Lines(kept) {
		if isVKeys(line) {
			_ = v.add(string(bytes.TrimSpace(line))) // Of the first name; others are not of this journal.
		}
	}
	if len(v.keys) == 0 {
		return nil
	}
	return v
}

func opens(v *Verifier, signed []byte) bool {
	_, err := v.open(signed)
	return err == nil
}

// cutNote cuts the first note off, or the first lines of keys: the signatures end with an empty line.
func cutNote(text []byte) (one, rest []byte, whole bool) {
	at := 0
	if !isVKeys(text) {
		if at = bytes.Index(text, []byte("\n\n")); at < 0 {
			return text, nil, false
		}
		at += 2
	}
	end := bytes.Index(text[at:], []byte("\n\n"))
	if end < 0 {
		return text, nil, false
	}
	return text[:at+end+1], text[at+end+2:], true
}

// behindTorn returns the text from a signed checkpoint on that begins within the first bytes of text, behind half of another one, as a
// crash leaves it; nil: there is none.
func (v *Verifier) behindTorn(text []byte, within int) []byte {
	for at := 1; at < within; at++ {
		i := bytes.Index(text[at:min(within, len(text))], []byte(v.name))
		if i < 0 {
			return nil
		}
		at += i
		if one, _, whole := cutNote(text[at:]); whole && opens(v, one) {
			return text[at:]
		}
	}
	return nil
}

// isVKeys reports whether a text begins with a vkey, and not with an origin, which has no plus.
func isVKeys(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	return bytes.Count(line, []byte{'+'}) >= 2
}

// find goes over the journal from each start that may be the right one, until the tree comes to the head.
func (v *verifier) find(ctx context.Context) (*pass, error) {
	first, err := v.firstLine(ctx)
	if err != nil {
		return nil, err
	}
	var errScan error
	scan := func() (notes []pruned, began bool) {
		var source read.Source
		if source, errScan = read.Open(v.opt.Options); errScan != nil {
			return nil, false
		}
		defer source.Close()
		notes, began, errScan = scanNotes(ctx, source, v.head.Origin)
		return notes, began
	}
	var best *pass
	for st := range starts(v.dir, v.ledger, v.head.Origin, first, v.standing.Pruned, scan) {
		p, err := v.pass(ctx, st)
		if err != nil {
			return nil, err
		}
		if p.ok {
			return p, nil
		}
		if best == nil {
			best = p
		}
	}
	return best, errScan
}

func (v *verifier) firstLine(ctx context.Context) (Hash, error) {
	source, err := read.Open(v.opt.Options)
	if err != nil {
		return Hash{}, err
	}
	defer source.Close()
	var b read.Block
	for {
		err := source.Read(ctx, &b)
		if errors.Is(err, io.EOF) {
			return Hash{}, nil
		}
		if err != nil {
			return Hash{}, err
		}
		if h := hashBlock(&b); len(h.hashes) > 0 {
			return h.hashes[0], nil
		}
	}
}
