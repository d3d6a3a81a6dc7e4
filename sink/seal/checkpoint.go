package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// ErrSignature is wrapped by the errors about a checkpoint that is none, or that the key has not signed.
var ErrSignature = errors.New("not signed by the key")

// maxNote bounds a signed note: a checkpoint with a hundred cosignatures is a tenth of it.
const maxNote = 64 << 10

// Checkpoint is what a tree was at one moment, signed.
type Checkpoint struct {
	Origin string
	Size   int64 // lines
	Root   Hash
	Note   []byte // the signed note, verbatim
}

func (c Checkpoint) text() string {
	return string(log.Checkpoint{Origin: c.Origin, Size: uint64(c.Size), Hash: c.Root[:]}.Marshal())
}

// signCheckpoint makes the note of a tree.
func (k *Key) signCheckpoint(origin string, tree *edge) (Checkpoint, error) {
	c := Checkpoint{Origin: origin, Size: tree.size, Root: tree.root()}
	var err error
	if c.Note, err = k.sign(origin, c.text()); err != nil {
		return c, fmt.Errorf("sign checkpoint: %w", err)
	}
	_, err = k.Verifier().open(c.Note) // A flipped bit in memory is found before anybody else sees it.
	return c, err
}

// open verifies a signed note. Signatures of keys that are not known are left alone, as the specification has it. Its errors
// wrap ErrSignature.
func (v *Verifier) open(signed []byte) (Checkpoint, error) {
	if len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("%w: longer than a checkpoint", ErrSignature)
	}
	origin, _, _ := bytes.Cut(signed, []byte{'\n'})
	verifiers := v.of(string(origin))
	if verifiers == nil {
		return Checkpoint{}, fmt.Errorf("%w %s: it is of %.100q", ErrSignature, v.name, origin)
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w %s: %w", ErrSignature, v.name, err)
	}
	return parseCheckpoint(n.Text, signed)
}

// parseCheckpoint reads the text of a checkpoint, exactly as it is written.
func parseCheckpoint(text string, signed []byte) (Checkpoint, error) {
	var parsed log.Checkpoint
	rest, err := parsed.Unmarshal([]byte(text))
	if err != nil || len(rest) > 0 || len(parsed.Hash) != hashBytes || parsed.Size > 1<<62 || string(parsed.Marshal()) != text {
		return Checkpoint{}, fmt.Errorf("%w: it is no checkpoint of three lines", ErrSignature)
	}
	return Checkpoint{parsed.Origin, int64(parsed.Size), Hash(parsed.Hash), bytes.Clone(signed)}, nil
}
