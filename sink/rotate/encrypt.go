package rotate

import (
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"hbjournal/sink/names"
)

// An Encrypter encrypts backups. crypt.Recipients is one.
type Encrypter interface {
	// Encrypt begins a file: what is written to w is encrypted into dst, and Close writes the end. As long as back is kept,
	// it reads the file again without a secret key, so that it can be compared with what it was made of.
	Encrypt(dst io.Writer) (w io.WriteCloser, back func(src io.Reader) (io.Reader, error), err error)
}

// encrypted is what the name of an encrypted backup ends with.
const encrypted = ".age"

func isEncrypted(b names.Backup) bool { return strings.HasSuffix(b.Ending, encrypted) }

// unencrypted are those of the files of a backup that everybody can read who may read files.
func (s stock) unencrypted() []names.Backup {
	return slices.DeleteFunc(slices.Clone(s.files), isEncrypted)
}

// A form is what a backup is made into: compressed, encrypted, or both in this order.
type form struct {
	compression Compression
	encrypter   Encrypter // nil: it is not encrypted
	ending      string    // of its name
}

// formOf is what b, a file of s, is to be made into. An encrypted copy that a crash left beside it cannot be compared any
// more, since its key is forgotten: the new one takes its place.
func (f *File) formOf(b names.Backup, s stock) form {
	if f.opts.Encrypter == nil {
		return form{f.opts.Compression, nil, string(f.opts.Compression)}
	}
	if b.Ending != "" {
		return form{"", f.opts.Encrypter, b.Ending + encrypted}
	}
	compression := f.opts.Compression
	if i := slices.IndexFunc(s.files, isEncrypted); i >= 0 {
		compression = Compression(strings.TrimSuffix(s.files[i].Ending, encrypted))
	}
	return form{compression, f.opts.Encrypter, string(compression) + encrypted}
}

// nameOf is the name that the file b of a backup has in this form.
func (o form) nameOf(b names.Backup) names.Backup {
	return names.Backup{Name: strings.TrimSuffix(b.Name, b.Ending) + o.ending, Stamp: b.Stamp, Ending: o.ending}
}

// write writes what source holds to dst in this form. Nothing of it is in dst in any other form, at any time. The returned
// function reads it back.
func (o form) write(dst io.Writer, source io.Reader, info fs.FileInfo) (back func(io.Reader) (io.Reader, error), err error) {
	if o.encrypter == nil {
		return func(r io.Reader) (io.Reader, error) { return r, nil }, o.compression.pack(dst, source, info)
	}
	w, back, err := o.encrypter.Encrypt(dst)
	if err != nil {
		return nil, err
	}
	if err := o.compression.pack(w, source, info); err != nil {
		return nil, err // Without its end the file is none, so Close is of no use.
	}
	return back, w.Close()
}

// encryptStock encrypts all of a backup that is not. A plain file whose compressed copy a crash has left beside it goes first.
func (f *File) encryptStock(s stock, p *pace) error {
	left := s.unencrypted()
	if left[0].Ending == "" && len(left) > 1 {
		// What is no copy of it is encrypted beside it.
		switch err := f.finishCompression(left[0], left[1], p); {
		case isStopped(err):
			return err
		case err == nil:
			left = left[1:]
		}
	}
	f.tellEncrypting(s)
	for _, b := range left {
		if err := f.pack(b, f.formOf(b, s), p); err != nil {
			return err
		}
	}
	return nil
}

// held says which of the backups, the newest first, are not to be encrypted yet.
func (f *File) held(todo []stock) map[time.Time]bool {
	if f.opts.Encrypter == nil || f.opts.MayEncrypt == nil || f.opts.HoldBytes == 0 {
		return nil
	}
	held := map[time.Time]bool{}
	open := f.Stats().Bytes
	for _, s := range todo {
		if !f.mayEncrypt(s) {
			open += s.bytes
			held[s.stamp] = open <= f.opts.HoldBytes
		}
	}
	return held
}

func (f *File) mayEncrypt(s stock) bool {
	return f.opts.MayEncrypt == nil || f.opts.MayEncrypt(s.files[0].Name)
}

// tellEncrypting tells the Holder, once, that it cannot read a backup any more that it needs.
func (f *File) tellEncrypting(s stock) {
	if f.opts.Holder == nil || f.opts.HoldBytes == 0 || f.packing.told[s.stamp] || f.mayEncrypt(s) {
		return
	}
	if f.packing.told == nil {
		f.packing.told = map[time.Time]bool{}
	}
	f.packing.told[s.stamp] = true
	f.tellLosing([]stock{s})
}

// waiting are the backups that are to be encrypted, by their stamps, and since when they wait: since their rotation, or
// since this process knows of them. figures.mu guards it.
type waiting map[time.Time]time.Time

// noteWaiting enters that a backup waits to be encrypted.
func (f *File) noteWaiting(stamp time.Time) {
	if f.opts.Encrypter == nil {
		return
	}
	now := f.opts.Now()
	f.figures.change(func(*Stats) {
		if f.figures.waiting == nil {
			f.figures.waiting = waiting{}
		}
		if _, known := f.figures.waiting[stamp]; !known {
			f.figures.waiting[stamp] = now
		}
	})
}

// listWaiting enters exactly those that are left. f.tidying must be held, and the inventory be up to date.
func (f *File) listWaiting() {
	if f.opts.Encrypter == nil {
		return
	}
	there := map[time.Time]bool{}
	for _, s := range f.inventory.stocks {
		if len(s.unencrypted()) > 0 {
			there[s.stamp] = true
			f.noteWaiting(s.stamp)
		}
	}
	f.mu.Lock()
	for _, s := range f.rotated {
		there[s.stamp] = true // It will be in the inventory.
	}
	f.mu.Unlock()
	f.figures.change(func(*Stats) {
		for stamp := range f.figures.waiting {
			if !there[stamp] {
				delete(f.figures.waiting, stamp)
			}
		}
	})
}

// statsLocked are the figures about what waits. figures.mu must be held.
func (w waiting) statsLocked(s *Stats) {
	s.Unencrypted = len(w)
	for _, since := range w {
		if s.UnencryptedSince.IsZero() || since.Before(s.UnencryptedSince) {
			s.UnencryptedSince = since
		}
	}
}
