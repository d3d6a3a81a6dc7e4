package output

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"hbjournal/sink/forward"
)

// A bundler makes the payloads of messages in a stream: lines as they stand in the journal, in zstd.
type bundler struct {
	encoder *zstd.Encoder // made when it is first needed: outputs that are down cost no memory
	out     []byte
	size    int // bytes of lines that went into the last payload, 0 before the first
}

// packWindow bounds the memory of who packs, and of who unpacks.
const packWindow = 1 << 20

// pack packs the first lines of b, as many as fit into limit bytes: all, else half of them, and so on. The payload is valid
// until the next call. It is nil if not even the first line fits; then lines is that one.
func (u *bundler) pack(b *forward.Batch, limit int) (lines *forward.Batch, payload []byte, err error) {
	if u.encoder == nil {
		u.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(packWindow), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, nil, fmt.Errorf("make a zstd encoder: %w", err)
		}
	}
	n := b.Len()
	for u.size > 0 && n > 1 && b.Slice(0, n).Size() > 2*u.size {
		n /= 2
	}
	for ; ; n /= 2 {
		lines = b.Slice(0, n)
		u.out = u.encoder.EncodeAll(lines.Text(), u.out[:0])
		if len(u.out) <= limit {
			u.size = lines.Size()
			return lines, u.out, nil
		}
		if n == 1 {
			return lines, nil, nil
		}
	}
}

// tooLarge blames a line that does not fit into a message of its own.
func tooLarge(line *forward.Batch, limit int, knob string) error {
	return &forward.RefusedError{
		Code:   "too_large",
		Reason: fmt.Sprintf("a line of %d bytes is more than %d bytes even in zstd, which %s allows", line.Size()-1, limit, knob),
	}
}
