package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"hbjournal/sink/journal/read"
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

// ReadCheckpoints reads the checkpoints in a file, such as journal_checkpoints_to names. Of very many it takes the newest.
func ReadCheckpoints(path string) ([]Outside, error) {
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
		one, rest, _ := cutNote(text)
		text = rest
		if !isVKeys(one) {
			found = append(found, Outside{path, one})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no checkpoint", path)
	}
	return found, nil
}
