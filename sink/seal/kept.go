package seal

import (
	"bytes"
	"io"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// keepKeys adds the keys to the kept checkpoints, if they are new there: who has the key of today can tell that those of before
// are whole.
func (w *work) keepKeys(origin string) error {
	kept, err := w.s.dir.read(fileCheckpoints, maxKept)
	if ignoreMissing(err) != nil {
		return err
	}
	for _, vkey := range w.s.opts.Key.vkeys(origin) {
		if !bytes.Contains(kept, []byte(vkey)) {
			return w.s.dir.add(fileCheckpoints, []byte(strings.Join(w.s.opts.Key.vkeys(origin), "\n")+"\n\n"), true)
		}
	}
	return nil
}

// load reads the last checkpoint, which our key must have signed. If somebody has put an older one in its place, it takes a newer
// one that was kept: what was signed once is never signed otherwise.
func (w *work) load() (Checkpoint, error) {
	text, err := w.s.dir.read(fileCheckpoint, maxNote)
	if err != nil {
		return Checkpoint{}, err
	}
	v := w.s.opts.Key.Verifier()
	c, err := v.open(text)
	if err != nil {
		return c, err
	}
	c = w.s.dir.ahead(v, c)
	const tail = 64 << 10
	kept, err := readTail(w.s.dir.path(fileCheckpoints), tail)
	if err != nil {
		return c, ignoreMissing(err)
	}
	for len(kept) > 0 {
		one, rest, _ := cutNote(kept)
		kept = rest
		if other, err := v.open(one); err == nil && other.isAfter(c) {
			c = other
		}
	}
	return c, nil
}

// ahead is the checkpoint in the reserve, if it is newer than the last one.
func (d dir) ahead(v *Verifier, last Checkpoint) Checkpoint {
	s, _, ok := d.readStanding(v, last.Origin)
	if !ok || s.Head == nil {
		return last
	}
	if c, err := v.open(s.Head); err == nil && c.isAfter(last) {
		return c
	}
	return last
}

// mendCheckpoints cuts off a note at the end of the kept checkpoints that a power cut has left half written.
func (d dir) mendCheckpoints() error {
	path := d.path(fileCheckpoints)
	info, err := os.Stat(path)
	if err != nil {
		return ignoreMissing(err)
	}
	text, err := readTail(path, maxNote)
	if err != nil {
		return err
	}
	whole := 0
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte("\n\n"))
		if i < 0 {
			break
		}
		last := text[bytes.LastIndexByte(text[:at+i], '\n')+1 : at+i]
		_, errKey := note.NewVerifier(string(last))
		if at += i + 2; bytes.HasPrefix(last, []byte("— ")) || errKey == nil {
			whole = at
		}
	}
	if whole == len(text) {
		return nil
	}
	return os.Truncate(path, info.Size()-int64(len(text)-whole))
}

// isAfter reports whether c is of a later tree of the same key, or of more lines.
func (c Checkpoint) isAfter(other Checkpoint) bool {
	_, a := splitOrigin(c.Origin)
	_, b := splitOrigin(other.Origin)
	return a > b || a == b && c.Size > other.Size
}

// readTail returns the last bytes of a file, from the start of a note on.
func readTail(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-most)
	text, err := io.ReadAll(io.NewSectionReader(file, from, most))
	if from > 0 { // It may begin within a note: what follows its signatures is whole.
		_, text, _ = bytes.Cut(text, []byte("\n\n"))
		if bytes.HasPrefix(text, []byte("— ")) {
			_, text, _ = bytes.Cut(text, []byte("\n\n"))
		}
	}
	return text, err
}
