package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Unfolder unfolds the batches of other programs that stand in a partition of Kafka, up to a bound. Ours are not compressed as
// batches. The other codecs cannot grow beyond a small multiple.
func Unfolder() kgo.Decompressor { return boundedDecompressor{kgo.DefaultDecompressor()} }

type boundedDecompressor struct{ others kgo.Decompressor }

// maxUnfolded is how large a batch may get.
const maxUnfolded = 64 << 20

var errUnfolds = errors.New("a batch of another program unfolds to more than 64 MiB")

// Decompress implements kgo.Decompressor.
func (d boundedDecompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	var reader io.Reader
	switch codec {
	case kgo.CodecGzip:
		z, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return nil, fmt.Errorf("open gzip: %w", err)
		}
		reader = z
	case kgo.CodecZstd:
		z, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxUnfolded))
		if err != nil {
			return nil, fmt.Errorf("open zstd: %w", err)
		}
		defer z.Close()
		reader = z
	default:
		return d.others.Decompress(src, codec)
	}
	text, err := io.ReadAll(io.LimitReader(reader, maxUnfolded+1))
	if err == nil && len(text) > maxUnfolded {
		err = errUnfolds
	}
	return text, err
}
