package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// dirBehind is where it is kept what is known of the tree where the files of a copy end.
const dirBehind = "behind"

// behind is what is known of the receiver's tree at the end of a file of a copy. Which of the edges is right, the next checkpoint
// among the lines shows: so none of it needs to be believed.
type behind struct {
	Name  string      `json:"-"`               // of the file, as it was rotated to
	Limit string      `json:"limit,omitempty"` // for which it was removed
	Sure  bool        `json:"sure,omitempty"`  // there is no other way to go on
	Edges []edgeState `json:"edges"`
}

// edgeState is an edge as it is kept.
type edgeState struct {
	Size   int64  `json:"size"`
	Hashes []Hash `json:"hashes"`
}

// readBehind returns what is kept, in the order of the files.
func (d dir) readBehind() []behind {
	entries, err := os.ReadDir(d.path(dirBehind))
	if err != nil {
		return nil
	}
	var all []behind
	for _, e := range entries { // Sorted by name, and so by the time of rotation.
		b := behind{Name: e.Name()}
		text, err := d.read(filepath.Join(dirBehind, e.Name()), maxNote)
		if err == nil && !strings.HasSuffix(e.Name(), ".new") && json.Unmarshal(text, &b) == nil {
			all = append(all, b)
		}
	}
	return all
}

// CopiedOptions say what a Copied keeps. Dir, Base and State are required.
type CopiedOptions struct {
	Dir, Base string // of the copy
	State     string // the state directory of the copy
	Decrypter read.Decrypter
	Log       zerolog.Logger
}

// Copied keeps what proves the rest of an archive's copy of a sealed journal, before a file of it is removed, or is encrypted: the
// edge of the receiver's tree behind that file. It has no key, and signs nothing. It does nothing until Sealed is called.
type Copied struct {
	opts   CopiedOptions
	dir    dir
	sealed atomic.Bool
	mu     sync.Mutex
}

// NewCopied makes a Copied.
func NewCopied(o CopiedOptions) *Copied { return &Copied{opts: o, dir: dir(DirOf(o.State))} }

// Sealed says that the receiver seals its journal.
func (c *Copied) Sealed() { c.sealed.Store(true) }

// MayHaveNotes reports whether lines may have an entry of a seal among them.
func MayHaveNotes(lines []byte) bool { return bytes.Contains(lines, []byte(`"event":"seal"`)) }

// Wrote implements rotate.Sealer.
func (*Copied) Wrote(int64) {}

// Changed implements rotate.Sealer.
func (*Copied) Changed(_, _ int64) {}

// Turned implements rotate.Sealer.
func (*Copied) Turned(string, int64) {}

// Packed implements rotate.Sealer: what is encrypted cannot be read any more.
func (c *Copied) Packed(backup, stored string, _ int64, _ [sha256.Size]byte) {
	if c.sealed.Load() && filepath.Ext(stored) == ".age" {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, err := c.reach(backup)
		c.tell(err)
	}
}

// Pruning implements rotate.Sealer.
func (c *Copied) Pruning(backups []string, limit string) {
	if !c.sealed.Load() || len(backups) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := backups[len(backups)-1]
	b, err := c.reach(last)
	if err == nil {
		b.Limit = limit
		err = c.keep(b)
	}
	if err == nil {
		err = c.forget(last)
	}
	c.tell(err)
}

func (c *Copied) tell(err error) {
	if err != nil {
		c.opts.Log.Warn().Err(err).Str("dir", c.opts.Dir).
			Msg("what proves the lines behind a file that is removed or encrypted cannot be kept: verify --key will not prove all of them")
	}
}

// keep keeps what is known at the end of a file, durably.
func (c *Copied) keep(b behind) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir.path(dirBehind), 0o750); err != nil {
		return err
	}
	return c.dir.replace(filepath.Join(dirBehind, b.Name), text)
}

// forget removes what is known of files before one that is about to be removed.
func (c *Copied) forget(name string) error {
	var errs []error
	for _, b := range c.dir.readBehind() {
		if b.Name < name {
			errs = append(errs, ignoreMissing(os.Remove(c.dir.path(dirBehind, b.Name))))
		}
	}
	return errors.Join(errs...)
}

// reach goes over the files up to one, keeps what is known at the end of each, and returns what is known at the end of the last.
func (c *Copied) reach(name string) (behind, error) {
	all, err := names.Backups(c.opts.Dir, c.opts.Base)
	if err != nil {
		return behind{}, err
	}
	var start behind
	for _, b := range c.dir.readBehind() {
		if b.Name <= name {
			start = b
		}
	}
	if start.Name == name {
		return start, nil
	}
	var paths []string
	for _, b := range all {
		if n := names.OfBackup(c.opts.Base, b.Stamp); n > start.Name && n <= name && !slices.ContainsFunc(paths, func(p string) bool {
			return withoutEnding(filepath.Base(p)) == n
		}) {
			paths = append(paths, filepath.Join(c.opts.Dir, b.Name))
		}
	}
	if len(paths) == 0 || withoutEnding(filepath.Base(paths[len(paths)-1])) != name {
		return behind{}, fmt.Errorf("%s is not there", filepath.Join(c.opts.Dir, name))
	}
	found, sure, err := c.over(paths, start, shippedNotes{})
	if err == nil && !sure { // What comes later in the journal tells more.
		var notes shippedNotes
		if notes, err = c.scan(start.Name); err == nil {
			found, _, err = c.over(paths, start, notes)
		}
	}
	for _, b := range found {
		if err == nil {
			err = c.keep(b)
		}
	}
	if err != nil {
		return behind{}, err
	}
	return found[len(found)-1], nil
}

// scan reads what the files behind one say.
func (c *Copied) scan(name string) (shippedNotes, error) {
	files, err := names.Files(c.opts.Dir, c.opts.Base)
	if err != nil {
		return shippedNotes{}, err
	}
	var paths []string
	for _, f := range files {
		if withoutEnding(filepath.Base(f.Path)) > name || f.Live() {
			paths = append(paths, f.Path)
		}
	}
	return scanShipped(context.Background(), read.Options{Paths: paths, Decrypter: c.opts.Decrypter}, anybody{})
}

// over goes over files, and returns what is known at the end of each, and whether it is sure.
func (c *Copied) over(paths []string, start behind, notes shippedNotes) (found []behind, sure bool, err error) {
	k := &tracker{threads: newThreads(notes.claims, nil), by: anybody{}, notes: notes, lenient: true, behindFirst: start.Name != ""}
	if start.Name != "" {
		k.behind = []behind{start}
	}
	sure = start.Name == "" || start.Sure
	k.unsure = func(Finding) { sure = false }
	k.settled = func(_ claim, t *thread, _ bool, _ place) {
		if t != nil && len(k.threads.all) == 1 {
			sure, k.lost = true, nil
		}
	}
	for _, path := range paths {
		fault := func(*read.CorruptError) { k.unreadable(path) }
		if err := k.run(context.Background(), read.Options{Paths: []string{path}, Decrypter: c.opts.Decrypter}, fault); err != nil {
			return nil, false, err
		}
		if start.Name == "" && !k.begins {
			sure = false
		}
		b := behind{Name: withoutEnding(filepath.Base(path)), Sure: sure}
		for _, t := range k.threads.all {
			b.Edges = append(b.Edges, edgeState{t.tree.size, slices.Clone(t.tree.hashes)})
		}
		found = append(found, b)
	}
	return found, sure, nil
}

// anybody is the notary of an archive, which has no key: what is wrong shows when it is verified.
type anybody struct{}

func (anybody) open(signed []byte) (Checkpoint, error) {
	end := bytes.LastIndex(signed, []byte("\n\n")) // Before the signatures.
	if end < 0 {
		return Checkpoint{}, ErrSignature
	}
	return parseCheckpoint(string(signed[:end+1]), signed)
}

func (anybody) knows(string) bool { return true }
