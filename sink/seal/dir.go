package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// dir is the directory of the seal's state. Nothing in it is secret.
type dir string

// The files in it; see the package comment.
const (
	fileCheckpoint  = "checkpoint"
	fileWitnessed   = "witnessed"
	fileCheckpoints = "checkpoints"
	fileLedger      = "files"
	fileReserve     = "reserve"
	dirLeaves       = "leaves"
	dirEdges        = "edges"
)

var tileFiles = [...]string{"tiles.1", "tiles.2"}

func (d dir) path(name ...string) string {
	return filepath.Join(append([]string{string(d)}, name...)...)
}

// numbered is the path of a file that is named by an index, in 20 digits.
func (d dir) numbered(sub string, index int64) string {
	return d.path(sub, fmt.Sprintf("%020d", index))
}

// HasCheckpoint reports whether a journal has a seal of its own in this directory, from DirOf.
func HasCheckpoint(sealDir string) bool {
	_, err := os.Lstat(dir(sealDir).path(fileCheckpoint))
	return err == nil
}

// make makes the directory, and those below it.
func (d dir) make() error {
	for _, sub := range []string{"", dirLeaves, dirEdges} {
		if err := os.MkdirAll(d.path(sub), 0o750); err != nil {
			return fmt.Errorf("make directory of the seal: %w", err)
		}
	}
	return nil
}

// read returns a file of at most so many bytes.
func (d dir) read(name string, most int64) ([]byte, error) {
	file, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes", file.Name(), most)
	}
	return text, errors.Join(err, file.Close())
}

// replace gives the file its new content in one step: a power cut leaves the old one or the new one.
func (d dir) replace(name string, content []byte) error {
	err := d.replaceLater(name, content)
	if err == nil {
		err = syncDir(filepath.Dir(d.path(name)))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path(name), err)
	}
	return nil
}

// replaceLater is replace, which a power cut may take back until the directory is synced.
func (d dir) replaceLater(name string, content []byte) error {
	path := d.path(name)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // What a kill left there.
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return nil
}

// add appends to a file, all or nothing as far as a full disk is concerned.
func (d dir) add(name string, content []byte, sync bool) error {
	path := d.path(name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		if _, err = file.Write(content); err != nil {
			err = errors.Join(err, file.Truncate(info.Size()))
		}
	}
	if sync && err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
