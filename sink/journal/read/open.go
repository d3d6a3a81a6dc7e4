package read

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/names"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory of a zstd decoder. The journal's own backups need at most 8 MiB; zstd --long=25 fits too.
const maxWindow = 32 << 20

// maxLayers bounds how often a file may be compressed: logrotate compresses our compressed backups once more.
const maxLayers = 4

// file is one open file of a journal, read as the text that it holds.
type file struct {
	names.File
	raw     *os.File      // nil for a text that the caller owns
	info    os.FileInfo   // nil with raw
	regular bool          // a real file, not a pipe
	plain   bool          // regular and not compressed: raw can be read at any offset
	text    io.Reader     // the lines, decompressed; set by begin
	closes  []func()      // of the decompressors behind text
	head    head          // of a regular file
	count   *atomic.Int64 // of bytes read from raw by text; may be nil
	from    time.Time     // no backup that is older than this file has this stamp or a later one
}

// head is the first line of a file: what the file is known by after it has been renamed or compressed.
type head struct {
	hash   uint64 // of the line's bytes; 0 while the file holds no whole line
	millis int64  // its time, if timed
	timed  bool
}

// openFile opens f and looks at its first line. The caller begins to read it when its turn comes, and closes it.
func openFile(f names.File) (*file, error) {
	raw, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	o := &file{File: f, raw: raw}
	if err := o.start(); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// openStream makes a file of a text that comes from r, which cannot be rewound; closing it leaves r open.
func openStream(r io.Reader) (*file, error) {
	f := &file{File: names.File{Path: Stdin}}
	text, _, err := f.decompress(r)
	if err != nil {
		return nil, &CorruptError{Path: Stdin, Err: err}
	}
	f.text = text
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
	f.head = readHead(f.text)
	f.release()
	return nil
}

// begin sets text to the first line. What has a text without a file is there already.
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
	text, layers, err := f.decompress(&counter{f.raw, f.count})
	if err != nil {
		return err
	}
	f.text = text
	if f.plain = f.regular && layers == 0; f.plain {
		f.text = &counter{f.raw, f.count}
		_, err = f.raw.Seek(0, io.SeekStart)
	}
	return err
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
	if f.plain && f.head.hash == 0 {
		f.head = readHead(io.NewSectionReader(f.raw, 0, maxHead))
	}
}

// at is the position of an offset in f.
func (f *file) at(offset int64) Cursor {
	f.identify()
	return Cursor{From: f.from, First: f.head.hash, Offset: offset}
}

// growing reports whether f may be the file that is being written.
func (f *file) growing() bool { return f.regular && f.Live() }

// decompress takes the compressions off r, which it knows by their first bytes and not by the name of the file.
func (f *file) decompress(r io.Reader) (text io.Reader, layers int, err error) {
	for layers = range maxLayers + 1 {
		b := bufio.NewReaderSize(r, 32<<10)
		magic, _ := b.Peek(len(magicAge))
		switch {
		case bytes.HasPrefix(magic, []byte(magicGzip)):
			r, err = f.gzip(b)
		case bytes.HasPrefix(magic, []byte(magicZstd)):
			r, err = f.zstd(b)
		case string(magic) == magicAge:
			return nil, 0, errors.New("encrypted by age: decrypt it first, with age -d -i KEYFILE")
		default:
			return b, layers, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, fmt.Errorf("compressed more than %d times", maxLayers)
}

// The first bytes of the formats that a backup can have.
const (
	magicGzip = "\x1f\x8b"
	magicZstd = "\x28\xb5\x2f\xfd"
	magicAge  = "age-encryption.org/"
)

func (f *file) gzip(r io.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("open gzip: %w", err)
	}
	return z, nil
}

func (f *file) zstd(r io.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("open zstd: %w", err)
	}
	f.closes = append(f.closes, z.Close)
	return z, nil
}

// release lets go of the decompressors and their memory.
func (f *file) release() {
	for _, c := range f.closes {
		c()
	}
	f.closes = nil
}

func (f *file) close() error {
	f.release()
	if f.raw == nil {
		return nil
	}
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
	return g != nil && os.SameFile(f.info, g.info) && f.head.hash == g.head.hash
}

// maxHead is how much of a first line is looked at.
const maxHead = 64 << 10

// readHead reads the first line of text, or nothing if that line is not whole yet.
func readHead(text io.Reader) head {
	line, err := bufio.NewReaderSize(io.LimitReader(text, maxHead), 4<<10).ReadBytes('\n')
	if err != nil && len(line) < maxHead {
		return head{}
	}
	h := fnv.New64a()
	h.Write(line)
	millis, timed := journal.LineTime(line)
	return head{hash: max(h.Sum64(), 1), millis: millis, timed: timed}
}
