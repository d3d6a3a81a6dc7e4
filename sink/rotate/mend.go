package rotate

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hbjournal/sink/names"
)

// maxMend is the longest last line that is read as a whole. A longer one without its newline counts as torn, since no line
// that we write comes near it.
const maxMend = 16 << 20

// mendBackups ends the last line of every plain backup, newest first, since a power cut may have torn it: files that are
// read one after the other must not have their lines run together. A backup that cannot be mended is no reason not to
// start. Those beyond the newest few are left to mendRest, since there may be very many.
func (f *File) mendBackups(backups []names.Backup) {
	backups = slices.DeleteFunc(slices.Clone(backups), func(b names.Backup) bool { return b.Ending != "" })
	rest := max(0, len(backups)-fewBackups)
	for _, b := range slices.Backward(backups[rest:]) {
		f.mendBackup(b)
	}
	f.packing.unmended = backups[:rest]
}

// mendRest mends what mendBackups has left. f.packing.mu must be held.
func (f *File) mendRest(p *pace) error {
	for n := len(f.packing.unmended); n > 0; n = len(f.packing.unmended) {
		if err := p.step(); err != nil {
			return err
		}
		f.mendBackup(f.packing.unmended[n-1])
		f.packing.unmended = f.packing.unmended[:n-1]
	}
	f.packing.unmended = nil
	return nil
}

func (f *File) mendBackup(b names.Backup) {
	if err := ignoreMissing(f.mend(filepath.Join(f.opts.Dir, b.Name))); err != nil {
		f.opts.Log.Warn().Err(err).Str("backup", b.Name).Msg("last line of a journal backup cannot be mended")
	}
}

// mend looks at the last byte of the file, and deals with a last line that has no newline: a whole one gets it, any
// other is moved into the state directory. It reads no more than that line.
func (f *File) mend(path string) error {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil // Nothing to mend; what is wrong with the live file, openLive reports.
	}
	if ended, err := endsWithNewline(path); ended || err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|openNoFollow, 0)
	if err != nil {
		return err
	}
	start, err := lastLine(file)
	if err == nil {
		err = f.mendFrom(file, start)
	}
	return errors.Join(err, file.Close())
}

func endsWithNewline(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	var last [1]byte
	_, err = file.Seek(-1, io.SeekEnd)
	if err == nil {
		_, err = io.ReadFull(file, last[:])
	}
	return last[0] == '\n', errors.Join(err, file.Close())
}

// lastLine returns where the last line of file starts.
func lastLine(file *os.File) (int64, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	for end > 0 {
		from := max(0, end-int64(len(block)))
		part := block[:end-from]
		if _, err := file.ReadAt(part, from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, nil
}

func (f *File) mendFrom(file *os.File, start int64) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	line := io.NewSectionReader(file, start, end-start)
	if line.Size() <= maxMend {
		text, err := io.ReadAll(line)
		if err != nil {
			return err
		}
		if f.opts.Whole(text) {
			f.opts.Log.Warn().Str("path", file.Name()).Msg("journal's last line lacked its newline; added it")
			_, err = file.WriteAt([]byte{'\n'}, end)
			return err
		}
	}
	aside, err := f.moveAside(line)
	if err != nil {
		return err
	}
	f.opts.Log.Warn().Str("path", file.Name()).Int64("bytes", end-start).Str("kept_as", aside).
		Msg("journal's last line was torn; moved it aside")
	return file.Truncate(start)
}

// moveAside copies what is torn into a new file of the state directory, and syncs it, before it is cut off.
func (f *File) moveAside(torn *io.SectionReader) (string, error) {
	if _, err := torn.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	pattern := "torn-" + f.opts.Now().UTC().Format(names.StampLayout) + "-*"
	aside, err := os.CreateTemp(f.opts.stateDir(), pattern)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(aside, torn)
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return "", errors.Join(err, os.Remove(aside.Name()))
	}
	return strings.TrimPrefix(aside.Name(), f.opts.Dir+string(filepath.Separator)), nil
}
