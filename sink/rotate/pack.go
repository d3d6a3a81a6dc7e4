package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is what backups are compressed with. Its text is what their names then end in; "": they stay plain.
type Compression string

// The compressions that there are.
const (
	Gzip Compression = ".gz"
	Zstd Compression = ".zst"
)

// packBlock is how much is compressed, or compared, before others are let through: a millisecond or so.
const packBlock = 64 << 10

// zstdWindow bounds the memory of compressing and of reading; larger ones hardly save more on journal lines.
const zstdWindow = 1 << 20

// errStopped ends a compression that the caller does not want to wait for. It is begun anew another time.
var errStopped = errors.New("compression stopped")

// politeReader reads in small blocks, letting other goroutines run before each, and ends with errStopped when stop is
// closed.
type politeReader struct {
	from io.Reader
	stop <-chan struct{}
}

func (p politeReader) Read(b []byte) (int, error) {
	select {
	case <-p.stop:
		return 0, errStopped
	default:
	}
	runtime.Gosched()
	return p.from.Read(b[:min(len(b), packBlock)])
}

// pack writes what source holds to dst, compressed.
func (c Compression) pack(dst io.Writer, source io.Reader, name os.FileInfo) error {
	packer, err := c.packer(dst, name)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(packer, struct{ io.Reader }{source}, make([]byte, packBlock))
	if err != nil {
		// What Close would still write is thrown away with the rest.
		return errors.Join(err, packer.Close())
	}
	return packer.Close()
}

func (c Compression) packer(dst io.Writer, name os.FileInfo) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		packer := gzip.NewWriter(dst)
		packer.Name, packer.ModTime = name.Name(), name.ModTime()
		return packer, nil
	case Zstd:
		return zstd.NewWriter(dst, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
	}
	return nil, fmt.Errorf("unknown compression %q", string(c))
}

// unpacker returns the text of what pack has written. It is closed when it is read no more.
func (c Compression) unpacker(packed io.Reader) (io.ReadCloser, error) {
	switch c {
	case Gzip:
		return gzip.NewReader(packed)
	case Zstd:
		unpacker, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return unpacker.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("unknown compression %q", string(c))
}

// holds returns nil if packed is whole and unpacks to exactly what source holds.
func (c Compression) holds(packed, source io.Reader) error {
	unpacker, err := c.unpacker(packed)
	if err != nil {
		return err
	}
	return errors.Join(equal(unpacker, source), unpacker.Close())
}

var errDiffers = errors.New("the compressed copy differs")

// equal reads a and b to their ends.
func equal(a, b io.Reader) error {
	blockA, blockB := make([]byte, packBlock), make([]byte, packBlock)
	for {
		n, errA := fill(blockA, a)
		m, errB := fill(blockB, b)
		switch {
		case errA != nil || errB != nil:
			return errors.Join(errA, errB)
		case !bytes.Equal(blockA[:n], blockB[:m]):
			return errDiffers
		case n < len(blockA):
			return nil
		}
	}
}

// fill reads until block is full or the text ends. Unlike io.ReadFull it tells that end from one in the middle of what
// is compressed, which is io.ErrUnexpectedEOF.
func fill(block []byte, from io.Reader) (n int, err error) {
	for n < len(block) && err == nil {
		var more int
		more, err = from.Read(block[n:])
		n += more
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
