package read

import (
	"bufio"
	"bytes"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"
)

// An opener opens the files of a journal as the text that they hold, whatever layers are around it.
type opener struct {
	count     *atomic.Int64 // counts the bytes that are read from the files, as they are on the disk; may be nil
	decrypter Decrypter     // nil: what is encrypted cannot be read
}

func newOpener(opt Options) *opener { return &opener{count: opt.Count, decrypter: opt.Decrypter} }

// file is one open file of a journal, read as the text that it holds.
type file struct {
	names.File
	raw         *os.File    // nil for a text that the caller owns
	info        os.FileInfo // nil with raw
	regular     bool        // a real file, not a pipe
	plain       bool        // regular and without layers: raw can be read at any offset
	clear       io.ReaderAt // the text of a regular file that is encrypted and not compressed
	clearSize   int64       // its bytes
	text        io.Reader   // the lines, without layers; set by begin
	closes      []io.Closer // of the layers around text, and of its copy
	fingerprint fingerprint // of a regular file
	opener      *opener
	count       *atomic.Int64 // that of the opener, once the first line was looked at
	from        time.Time     // all backups that are older than this file have earlier stamps than this
	behind      bool          // the file before it has no stamp, so that from alone does not tell where this one is
	closed      bool
}

// fingerprint is what a file is known by after it has been renamed or compressed: its first line.
type fingerprint struct {
	hash   uint64 // of the line's bytes; 0 while the file holds no whole line
	millis int64  // its time, if timed
	timed  bool
}

// open opens f and looks at its first line. The caller begins to read it when its turn comes, and closes it.
func (o *opener) open(f names.File) (*file, error) {
	raw, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	opened := &file{File: f, raw: raw, opener: o}
	if err := opened.start(); err != nil {
		return nil, errors.Join(err, opened.close())
	}
	opened.count = o.count
	return opened, nil
}

// openStream makes a file of a text that comes from r, which cannot be rewound; closing it leaves r open.
func (o *opener) openStream(r io.Reader) (*file, error) {
	f := &file{File: names.File{Path: Stdin}, opener: o}
	if _, _, err := f.unwrap(&counter{r, o.count}); err != nil {
		return nil, errors.Join(&CorruptError{Path: Stdin, Err: err}, f.close())
	}
	return f, nil
}

func (f *file) start() (err error) {
	if f.info, err = f.raw.Stat(); err != nil {
		return err
	}
	if f.info.IsDir() {
		return &os.PathError{Op: "read", Path: f.Path, Err: syscall.EISDIR}
	}
	if f.regular = f.info.Mode().IsRegular(); !f.regular {
		return nil
	}
	if err := f.begin(); err != nil {
		return err
	}
	f.fingerprint = readFingerprint(f.text, !f.Live())
	f.release()
	return nil
}

// begin sets text to the start of the first line. A text that is not a file's is there already.
func (f *file) begin() error {
	if f.raw == nil {
		return nil
	}
	f.release()
	if f.regular {
		if _, err := f.raw.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	f.clear = nil
	layers, outer, err := f.unwrap(&counter{f.raw, f.count})
	if err != nil {
		return err
	}
	if f.regular && layers == 1 && strings.HasPrefix(outer, magicAge) {
		f.openClear()
	}
	if f.plain = f.regular && layers == 0; f.plain {
		f.text = &counter{f.raw, f.count}
		_, err = f.raw.Seek(0, io.SeekStart)
	}
	return err
}

// countPlain counts n bytes that were read from raw past text.
func (f *file) countPlain(n int) {
	if f.count != nil && f.plain {
		f.count.Add(int64(n))
	}
}

// A counter counts what is read through it, if count is not nil.
type counter struct {
	r     io.Reader
	count *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.count != nil {
		c.count.Add(int64(n))
	}
	return n, err
}

// identify looks at the first line again if there was none. A plain file may grow and be cut; others stay as they are.
func (f *file) identify() {
	if f.plain && f.fingerprint.hash == 0 {
		f.fingerprint = readFingerprint(io.NewSectionReader(f.raw, 0, maxFirstLine), !f.Live())
	}
}

// identifyBy is identify by what was read: the file may have been cut since.
func (f *file) identifyBy(b *Block) {
	if f.plain && f.fingerprint.hash == 0 && b.Offset == 0 && len(b.Data) > 0 {
		f.fingerprint = readFingerprint(bytes.NewReader(b.Data), true)
	}
}

// at is the position of an offset in f.
func (f *file) at(offset int64) Cursor {
	f.identify()
	return Cursor{From: f.from, First: f.fingerprint.hash, Offset: offset}
}

// placeless reports whether a position in f says nothing: without a line to know it by, and behind a file without a stamp.
// The end of that file is to be given in its place.
func (f *file) placeless() bool { return f.behind && f.fingerprint.hash == 0 }

// growing reports whether f may be the file that is being written.
func (f *file) growing() bool { return f.regular && f.Live() }

// mayGrow also holds for a file that has just been rotated by another program: its writer goes on in it for a moment.
func (f *file) mayGrow() bool {
	const moment = 10 * time.Second
	return f.growing() || f.Rotated && f.plain && time.Since(f.info.ModTime()) < moment
}

// unwrap sets text to what is in r below its layers, and returns how many there are, and what r begins with.
func (f *file) unwrap(r io.Reader) (layers int, outer string, err error) {
	var closes []io.Closer
	f.text, layers, outer, closes, err = f.opener.unwrap(r)
	f.closes = append(f.closes, closes...)
	return layers, outer, err
}

// release lets go of the layers and their memory. Their errors do not matter: their text is not wanted any more.
func (f *file) release() {
	for _, c := range slices.Backward(f.closes) {
		_ = c.Close()
	}
	f.closes = nil
}

func (f *file) close() error {
	f.release()
	if f.raw == nil {
		return nil
	}
	f.identify()
	f.closed = true
	return f.raw.Close()
}

// current is the file that a source reads.
type current struct{ cur *file } // nil between two files

func (c *current) closeFile() error {
	f := c.cur
	c.cur = nil
	return f.close()
}

// Close implements Source.
func (c *current) Close() error {
	if c.cur == nil {
		return nil
	}
	return c.closeFile()
}

// same reports whether f and g are one file by inode and first line: an inode alone is used again after a removal.
func (f *file) same(g *file) bool {
	return g != nil && os.SameFile(f.info, g.info) && f.fingerprint.hash == g.fingerprint.hash
}

// maxFirstLine is how many bytes of a first line a fingerprint is made of.
const maxFirstLine = 64 << 10

// readFingerprint reads the first line of text; the zero fingerprint if that line is not whole yet. If ends, a last line
// without a newline counts as whole.
func readFingerprint(text io.Reader, ends bool) fingerprint {
	line, err := bufio.NewReaderSize(io.LimitReader(text, maxFirstLine), 4<<10).ReadBytes('\n')
	if ended := ends && err == io.EOF && len(line) > 0; err != nil && len(line) < maxFirstLine && !ended {
		return fingerprint{}
	}
	h := fnv.New64a()
	h.Write(bytes.TrimSuffix(line, newline))
	millis, timed := journal.LineTime(line)
	return fingerprint{hash: max(h.Sum64(), 1), millis: millis, timed: timed}
}
