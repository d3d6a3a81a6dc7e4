package stream

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// PackWindow is the window of the zstd of messages. It bounds the memory of who packs, and of who unpacks.
const PackWindow = 1 << 20

// MaxUnpacked is how large the lines of a message may get, in bytes.
const MaxUnpacked = 64 << 20

// keptUnpacked is the most memory that is kept after one large message, in bytes.
const keptUnpacked = 4 << 20

// An Unpacker unpacks messages, one at a time.
type Unpacker struct {
	decoder *zstd.Decoder // made when it is first needed
	out     []byte
}

// Unpack returns the lines in a message, each with its newline. They are valid until the next call.
func (u *Unpacker) Unpack(payload []byte) (lines []byte, err error) {
	if u.decoder == nil {
		u.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8*PackWindow), zstd.WithDecoderMaxMemory(MaxUnpacked))
		if err != nil {
			return nil, fmt.Errorf("make a zstd decoder: %w", err)
		}
	}
	if cap(u.out) > keptUnpacked {
		u.out = nil
	}
	if u.out, err = u.decoder.DecodeAll(payload, u.out[:0]); err != nil {
		return nil, fmt.Errorf("unpack zstd: %w", err)
	}
	return u.out, nil
}

// Close gives back what the unpacker holds.
func (u *Unpacker) Close() {
	if u.decoder != nil {
		u.decoder.Close()
	}
}
