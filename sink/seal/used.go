package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// Used says where a key of this name has sealed the journal before; "": nowhere.
func Used(ctx context.Context, opt read.Options, sealDir, name string) (string, error) {
	d := dir(sealDir)
	for _, file := range []string{fileCheckpoint, fileCheckpoints} {
		text, err := d.read(file, maxKept)
		if ignoreMissing(err) != nil {
			return "", err
		}
		if bytes.HasPrefix(text, []byte(name+"\n")) || bytes.Contains(text, []byte("\n"+name+"\n")) {
			return "a checkpoint of it is in " + d.path(file), nil
		}
	}
	source, err := read.Open(opt)
	if err != nil {
		return "", err
	}
	_, began, err := scanNotes(ctx, source, name)
	if err = errors.Join(err, source.Close()); ignoreMissing(err) != nil {
		return "", err
	}
	if began {
		return "an entry of the journal says so", nil
	}
	return "", nil
}

// ReadCheckpoints reads the checkpoints in a file, such as journal_checkpoints_to names. Of very many it takes the newest. By the key it
// knows those that a crash has left half written, which are none.
func ReadCheckpoints(path string, key *Verifier) ([]Outside, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	const tail = 64 << 10
	text, err := os.ReadFile(path)
	if info.Size() > tail {
		text, err = readTail(path, tail)
	}
	if err != nil {
		return nil, err
	}
	var found []Outside
	for len(text) > 0 {
		one, rest, whole := cutNote(text)
		if !opens(key, one) {
			if behind := key.behindTorn(text, len(one)); behind != nil {
				text = behind
				continue
			}
		}
		text = rest
		if isTorn := !whole && len(found) > 0; !isVKeys(one) && !isTorn { // A power cut may leave half of the last.
			found = append(found, Outside{path, one})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no checkpoint", path)
	}
	return found, nil
}

// Standing returns how many lines are under the last checkpoint. begun is false if nothing will be sealed before somebody says so;
// the error is that the checkpoint is not one of the key.
func Standing(o Options) (lines int64, begun bool, err error) {
	d := dir(DirOf(o.State))
	text, err := d.read(fileCheckpoint, maxNote)
	if notThere(err) {
		files, err := names.Files(o.Dir, o.Base)
		if notThere(err) {
			return 0, true, nil
		}
		for _, f := range files {
			if info, err := os.Stat(f.Path); err == nil && info.Size() > 0 {
				return 0, false, nil
			}
		}
		return 0, true, err
	}
	if err != nil {
		return 0, false, err
	}
	c, err := o.Key.Verifier().open(text)
	return c.Size, true, err
}
