package output

import (
	"fmt"
	"sort"

	"github.com/klauspost/compress/zstd"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// A bundler makes the payloads of messages in a stream: lines as they stand in the journal, in zstd.
type bundler struct {
	encoder *zstd.Encoder // made when it is first needed: outputs that are down cost no memory
	out     []byte
	ratio   float64 // of the last lines to their payload; 0 before the first
}

// pack packs the first lines of b, as many as fit into limit bytes: all, else half of them, and so on. The payload is valid
// until the next call. It is nil if not even the first line fits; then lines is that one.
func (u *bundler) pack(b *forward.Batch, limit int) (lines *forward.Batch, payload []byte, err error) {
	if u.encoder == nil {
		u.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(stream.PackWindow), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, nil, fmt.Errorf("make a zstd encoder: %w", err)
		}
	}
	for n := u.guess(b, limit); ; n = (n + 1) / 2 {
		lines = b.Slice(0, n)
		u.out = u.encoder.EncodeAll(lines.Text(), u.out[:0])
		u.ratio = float64(lines.Size()) / float64(len(u.out))
		if len(u.out) <= limit {
			return lines, u.out, nil
		}
		if n == 1 {
			return lines, nil, nil
		}
	}
}

// guess is how many lines may fit, by what the last ones were packed to: what does not fit was packed in vain.
func (u *bundler) guess(b *forward.Batch, limit int) int {
	const firstRatio, room = 2, 0.95
	ratio := u.ratio
	if ratio == 0 {
		ratio = firstRatio
	}
	most := int(room * ratio * float64(limit))
	return max(1, sort.Search(b.Len(), func(n int) bool { return b.Slice(0, n+1).Size() > most }))
}

// tooLarge blames a line that does not fit into a message of its own.
func tooLarge(line *forward.Batch, limit int, knob string) error {
	return &forward.RefusedError{
		Code:   "too_large",
		Reason: fmt.Sprintf("a line of %d bytes is more than %d bytes even in zstd, which %s allows", line.Size()-1, limit, knob),
	}
}
