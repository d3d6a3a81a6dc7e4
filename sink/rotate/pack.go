package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

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

// packBlock is how much is compressed, or compared, at once.
const packBlock = 64 << 10

// zstdWindow bounds the memory of compressing and of reading; larger ones hardly save more on journal lines.
const zstdWindow = 1 << 20

// errStopped ends a compression that the caller does not want to wait for. It is begun anew another time.
var errStopped = errors.New("compression stopped")

// pace makes work in the background give way: after each step of a millisecond or so it rests as long as the step
// took. Where others need the processor a step takes longer, and so does the rest. Lowering the priority of the thread
// instead could stop the whole program whenever the garbage collector waits for that thread.
type pace struct {
	stop    <-chan struct{} // closed: the work is to end with errStopped
	restful bool            // false: there is nobody to give way to
	resumed time.Time

	interrupt func() error // what comes before the next step; nil: nothing
	depth     int          // of interruptions
}

const (
	paceStep  = time.Millisecond       // so half a processor is used at most
	paceLimit = 100 * time.Millisecond // of one rest
)

// step rests if it is time to.
func (p *pace) step() error {
	select {
	case <-p.stop:
		return errStopped
	default:
	}
	if p.interrupt != nil {
		if err := p.interrupt(); err != nil {
			return err
		}
	}
	worked := time.Since(p.resumed)
	if !p.restful || worked < paceStep {
		return nil
	}
	rest := time.NewTimer(min(worked, paceLimit))
	defer rest.Stop()
	select {
	case <-p.stop:
		return errStopped
	case <-rest.C:
		p.resumed = time.Now()
		return nil
	}
}

// pacedReader takes a step before each small block.
type pacedReader struct {
	from io.Reader
	pace *pace
}

func (p pacedReader) Read(b []byte) (int, error) {
	if err := p.pace.step(); err != nil {
		return 0, err
	}
	return p.from.Read(b[:min(len(b), packBlock)])
}

func isStopped(err error) bool { return errors.Is(err, errStopped) }

// pack writes what source holds to dst, compressed if c says so.
func (c Compression) pack(dst io.Writer, source io.Reader, info os.FileInfo) error {
	packer, err := c.packer(dst, info)
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

func (c Compression) packer(dst io.Writer, info os.FileInfo) (io.WriteCloser, error) {
	switch c {
	case "":
		return unclosed{dst}, nil
	case Gzip:
		packer := gzip.NewWriter(dst)
		packer.Name, packer.ModTime = info.Name(), info.ModTime()
		return packer, nil
	case Zstd:
		return zstd.NewWriter(dst, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
	}
	return nil, fmt.Errorf("unknown compression %q", string(c))
}

// unclosed is a writer that others close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// unpacker returns the text of what pack has written. It is closed when it is read no more.
func (c Compression) unpacker(packed io.Reader) (io.ReadCloser, error) {
	switch c {
	case "":
		return io.NopCloser(packed), nil
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

var errDiffers = errors.New("the copy differs")

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
