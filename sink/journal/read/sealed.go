package read

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"hbjournal/sink/names"
)

// A Decrypter takes the encryption off the files of a journal. crypt.Identities is one.
type Decrypter interface {
	// Decrypt returns the text of a file. Where it was cut or changed, the text ends with an error other than io.EOF.
	Decrypt(src io.Reader) (io.Reader, error)
	// DecryptReaderAt returns the text of a file of size bytes, to be read at any offset, and the size of the text.
	DecryptReaderAt(src io.ReaderAt, size int64) (text io.ReaderAt, textSize int64, err error)
}

// ErrEncrypted is wrapped by the faults of files that are encrypted and cannot be decrypted: nothing of them was read.
var ErrEncrypted = errors.New("encrypted")

var errNoIdentity = errors.New("no identity was given")

// openAge is the text of a file that age has encrypted.
func (o *opener) openAge(wrapped io.Reader) (io.Reader, error) {
	err := errNoIdentity
	if o.decrypter != nil {
		var text io.Reader
		if text, err = o.decrypter.Decrypt(wrapped); err == nil {
			return text, nil
		}
	}
	return nil, fmt.Errorf("%w, left out: %w", ErrEncrypted, err)
}

// openClear makes a file that is encrypted and nothing else readable at any offset. A file that was cut is not: what is
// there of it can still be read from its start.
func (f *file) openClear() {
	text, size, err := f.opener.decrypter.DecryptReaderAt(&counterAt{f}, f.info.Size())
	if err != nil {
		return
	}
	f.clear, f.clearSize = fullAt{text}, size
	f.text = io.NewSectionReader(text, 0, size)
}

// A fullAt gives no error with all that was asked for, as an io.ReaderAt may do at the end of its text.
type fullAt struct{ at io.ReaderAt }

func (f fullAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.at.ReadAt(p, off)
	if n == len(p) && err == io.EOF {
		err = nil
	}
	return n, err
}

// A counterAt counts what is read through it at offsets.
type counterAt struct{ f *file }

func (c *counterAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.f.raw.ReadAt(p, off)
	if c.f.count != nil {
		c.f.count.Add(int64(n))
	}
	return n, err
}

// random is the text for reading at any offset, and its size when the file was opened; nil: it can only be read forwards.
func (f *file) random() (io.ReaderAt, int64) {
	switch {
	case f.plain:
		return f.raw, f.info.Size()
	case f.clear != nil:
		return f.clear, f.clearSize
	}
	return nil, 0
}

// goTo has text, which begin has set, go on at an offset, if the file can be read at any.
func (f *file) goTo(offset int64) error {
	if f.plain {
		_, err := f.raw.Seek(offset, io.SeekStart)
		return err
	}
	offset = min(offset, f.clearSize)
	f.text = io.NewSectionReader(f.clear, offset, f.clearSize-offset)
	return nil
}

// becameSealed reports whether a backup that cannot be decrypted is the file that was handed out as the live one and is
// still held open: an encrypted copy has the time of the file that it was made of. If so, it is dealt with.
func (c *chain) becameSealed(f names.File, err error) bool {
	if !errors.Is(err, ErrEncrypted) || c.last == nil || !c.last.Live() || c.last.raw == nil {
		return false
	}
	was, errWas := c.last.raw.Stat()
	is, errIs := os.Stat(f.Path)
	if errWas != nil || errIs != nil || !was.ModTime().Equal(is.ModTime()) {
		return false
	}
	c.last.identify()
	c.last.File, c.ended = f, false
	c.pass(&file{File: f, fingerprint: c.last.fingerprint})
	return true
}

// Offsets from UTC of the zones that there are. A name does not tell which one its stamp is in.
const (
	mostAhead  = 14 * time.Hour
	mostBehind = 12 * time.Hour
)

// needless reports whether the names prove that an encrypted backup holds nothing of the time asked for, so that it is not
// missed: its stamp is the moment at which it was ended, and that of the backup before it the one at which it was begun.
func (c *chain) needless(f names.File, err error) bool {
	if !errors.Is(err, ErrEncrypted) {
		return false
	}
	if c.since != 0 && f.Stamp.Add(mostBehind+maxStepBack).UnixMilli() < c.since {
		return true
	}
	at := min(c.at, len(c.files)-1)
	for at > 0 && c.files[at] != f {
		at--
	}
	for at--; at >= 0; at-- {
		if before := c.files[at].Stamp; !before.IsZero() {
			return c.over(before.Add(-mostAhead).UnixMilli())
		}
	}
	return false
}
