package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/seal"
)

// place is what an archiver knows of one receiver's lines, as it stands on the disk: never beyond the lines there.
type place struct {
	chain
	LastAt    journal.Instant `json:"last_at"`          // time of the last line
	First     string          `json:"first,omitempty"`  // journal.LineHash of the first of all its lines; "": that is not known
	Sealed    bool            `json:"sealed,omitempty"` // the receiver seals its journal
	Own       read.Cursor     `json:"own"`              // in the journal here, behind the last of these lines
	Stream    string          `json:"stream,omitempty"`
	Partition int32           `json:"partition,omitempty"`
	Offset    uint64          `json:"offset"` // of the last message that is dealt with
}

// placeFile is a place on the disk. It is opened for each use: a fleet has more receivers than a process has files.
type placeFile struct{ path string }

func placeFileIn(stateDir string) placeFile {
	return placeFile{filepath.Join(stateDir, "archive", "position")}
}

// ShippedIn is what is known of the copy of a receiver's journal whose state directory this is; nil: it is no such copy.
func ShippedIn(stateDir string) *seal.Shipped {
	file := placeFileIn(stateDir)
	if _, err := os.Lstat(file.path); err != nil {
		return nil
	}
	p, err := file.read()
	if err != nil {
		p = place{} // What is not known of it is missed where it matters.
	}
	return &seal.Shipped{First: p.First}
}

// errNoPlace says that there is no place that can be believed.
var errNoPlace = errors.New("the position is lost")

// read returns the place. Its error wraps errNoPlace if there is none.
func (f placeFile) read() (p place, err error) {
	text, err := durable.ReadSlots(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, durable.ErrDamaged):
		return place{}, fmt.Errorf("%w: %w", errNoPlace, err)
	case err != nil:
		return place{}, fmt.Errorf("read the position: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Number < 0 {
		return place{}, fmt.Errorf("%w: %s holds none", errNoPlace, f.path)
	}
	return p, nil
}

// write replaces the place, durably.
func (f placeFile) write(p place) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := replaceSlots(f.path, text); err != nil {
		return fmt.Errorf("write the position: %w", err)
	}
	return nil
}

// replaceSlots replaces the text in a file of slots, durably.
func replaceSlots(path string, text []byte) error {
	slots, _, err := durable.OpenSlots(path)
	if err == nil {
		if err = slots.Write(text); err == nil {
			err = slots.Sync()
		}
		err = errors.Join(err, slots.Close())
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrDamaged) || errors.Is(err, durable.ErrRoom) {
		if slots, err = durable.CreateSlots(path, text); err == nil {
			err = slots.Close()
		}
	}
	return err
}

// endOf is the position behind the last line of a journal.
func endOf(opt read.Options) (read.Cursor, error) {
	back := read.OpenBack(opt)
	defer back.Close()
	var b read.Block
	if err := back.Read(context.Background(), &b); err != nil && !errors.Is(err, io.EOF) {
		return read.Cursor{}, err
	}
	ends := back.Ends()
	if len(ends) != 1 || ends[0] == nil {
		return read.Cursor{}, errors.New("the journal cannot be read")
	}
	return *ends[0], nil
}

// hasLines reports whether a journal has any file with something in it.
func hasLines(opt read.Options) (bool, error) {
	files, err := read.Files(opt.Dir, opt.Base)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, file := range files {
		if info, err := os.Stat(file.Path); err == nil && info.Size() > 0 {
			return true, nil
		}
	}
	return false, nil
}
