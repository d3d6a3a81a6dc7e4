package read

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A layer is something that the text of a file may be wrapped in. It is known by the first bytes of the file and not by
// its name, since names are changed by whoever compresses.
type layer struct {
	begins func(magic []byte) bool
	// open returns the text below the layer. If that takes memory, it is also an io.Closer.
	open func(wrapped *bufio.Reader) (io.Reader, error)
}

const (
	// maxLayers bounds how many layers a file may have: logrotate compresses our compressed backups once more.
	maxLayers = 4
	// maxWindow bounds the memory of a zstd decoder. Our own backups need at most 8 MiB; zstd --long=25 fits too.
	maxWindow = 32 << 20
	// maxMagic is how many first bytes tell a layer.
	maxMagic = len(magicArmor)
)

const (
	magicGzip  = "\x1f\x8b"
	magicZstd  = "\x28\xb5\x2f\xfd"
	magicBzip2 = "BZh"
	magicXz    = "\xfd7zXZ\x00"
	magicLz4   = "\x04\x22\x4d\x18"
	magicAge   = "age-encryption.org/"
	magicArmor = "-----BEGIN AGE ENCRYPTED FILE-----"

	magicLzma     = "\x5d\x00\x00"
	magicLzop     = "\x89LZO\x00"
	magicLzip     = "LZIP"
	magicCompress = "\x1f\x9d"
	magicZip      = "PK\x03\x04"
	magic7z       = "7z\xbc\xaf\x27\x1c"
)

// layers are those that an opener knows.
func (o *opener) layers() []layer {
	return []layer{
		{prefix(magicGzip), openGzip},
		{beginsZstd, openZstd},
		{prefix(magicBzip2), func(wrapped *bufio.Reader) (io.Reader, error) { return bzip2.NewReader(wrapped), nil }},
		{prefix(magicXz), refuse("compressed with xz: unpack it first, with xz -d")},
		{prefix(magicLz4), refuse("compressed with lz4: unpack it first, with lz4 -d")},
		{prefix(magicLzma), refuse("compressed with lzma: unpack it first, with xz -d")},
		{prefix(magicLzop), refuse("compressed with lzop: unpack it first, with lzop -d")},
		{prefix(magicLzip), refuse("compressed with lzip: unpack it first, with lzip -d")},
		{prefix(magicCompress), refuse("compressed with compress: unpack it first, with gzip -d")},
		{prefix(magicZip), refuse("in a zip archive: unpack it first, with unzip")},
		{prefix(magic7z), refuse("in a 7z archive: unpack it first, with 7z x")},
		{prefix(magicAge), func(wrapped *bufio.Reader) (io.Reader, error) { return o.openAge(wrapped) }},
		{prefix(magicArmor), func(wrapped *bufio.Reader) (io.Reader, error) { return o.openAge(wrapped) }},
	}
}

func prefix(of string) func([]byte) bool {
	return func(magic []byte) bool { return bytes.HasPrefix(magic, []byte(of)) }
}

// refuse is for a layer that is known, and not taken off.
func refuse(why string) func(*bufio.Reader) (io.Reader, error) {
	return func(*bufio.Reader) (io.Reader, error) { return nil, errors.New(why) }
}

// unwrap takes the layers off r. It returns how many there were, and what is to be closed; outer is what r begins with.
func (o *opener) unwrap(r io.Reader) (text io.Reader, layers int, outer string, closes []io.Closer, err error) {
	known := o.layers()
	for layers = range maxLayers + 1 {
		b := bufio.NewReaderSize(r, 32<<10)
		magic, _ := b.Peek(maxMagic)
		if layers == 0 {
			outer = string(magic)
		}
		i := slices.IndexFunc(known, func(l layer) bool { return l.begins(magic) })
		if i < 0 {
			return b, layers, outer, closes, nil
		}
		if r, err = known[i].open(b); err != nil {
			return nil, layers, outer, closes, err
		}
		if c, ok := r.(io.Closer); ok {
			closes = append(closes, c)
		}
	}
	return nil, layers, outer, closes, fmt.Errorf("compressed more than %d times", maxLayers)
}

// beginsZstd also knows the skippable frames that some programs put first.
func beginsZstd(magic []byte) bool {
	skippable := len(magic) >= 4 && magic[0]&0xf0 == 0x50 && string(magic[1:4]) == "\x2a\x4d\x18"
	return skippable || bytes.HasPrefix(magic, []byte(magicZstd))
}

func openZstd(wrapped *bufio.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(wrapped, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("open zstd: %w", err)
	}
	return z.IOReadCloser(), nil
}

func openGzip(wrapped *bufio.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(wrapped)
	if err != nil {
		return nil, fmt.Errorf("open gzip: %w", err)
	}
	z.Multistream(false)
	return &gzipMembers{from: wrapped, member: z}, nil
}

// gzipMembers reads all members of a gzip file, and passes over the zeros that tapes and block devices pad it with.
type gzipMembers struct {
	from   *bufio.Reader
	member *gzip.Reader
	err    error // that ended it
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	for g.err == nil {
		n, err := g.member.Read(p)
		if err == io.EOF {
			err = g.nextMember()
		}
		if g.err = err; n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	return 0, g.err
}

// nextMember goes on behind the end of a member. Its error is io.EOF if only zeros follow.
func (g *gzipMembers) nextMember() error {
	if next, err := g.from.Peek(1); err != nil || next[0] != 0 {
		if err != nil {
			return err
		}
		if err := g.member.Reset(g.from); err != nil {
			return err
		}
		g.member.Multistream(false)
		return nil
	}
	for {
		c, err := g.from.ReadByte()
		if err != nil {
			return err
		}
		if c != 0 {
			return gzip.ErrHeader
		}
	}
}
