package stream

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestABatchOfAnotherProgramUnfoldsToABound(t *testing.T) {
	small, large := []byte("a small text"), make([]byte, maxUnfolded+1)
	gz := func(text []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(text)
		w.Close()
		return b.Bytes()
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	zs := func(text []byte) []byte { return encoder.EncodeAll(text, nil) }
	d := Unfolder()
	for codec, pack := range map[kgo.CompressionCodecType]func([]byte) []byte{kgo.CodecGzip: gz, kgo.CodecZstd: zs} {
		if got, err := d.Decompress(pack(small), codec); err != nil || !bytes.Equal(got, small) {
			t.Errorf("codec %d: got %q, %v", codec, got, err)
		}
		if _, err := d.Decompress(pack(large), codec); !errors.Is(err, errUnfolds) {
			t.Errorf("codec %d: a bomb gives %v", codec, err)
		}
	}
}
