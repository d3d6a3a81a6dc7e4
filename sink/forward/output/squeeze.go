package output

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A squeezer compresses one body after another, in the same memory. The zero value is ready.
type squeezer struct {
	buf  bytes.Buffer
	gzip *gzip.Writer
	zstd *zstd.Encoder
	out  []byte // of zstd
}

// squeeze returns body as it is to be sent, and what the header Content-Encoding says of it. It is valid until the next call.
func (s *squeezer) squeeze(how string, body []byte) (squeezed []byte, encoding string, err error) {
	switch how {
	case "gzip":
		squeezed, err = s.withGzip(body)
	case "zstd":
		squeezed, err = s.withZstd(body)
	default:
		return body, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("compress with %s: %w", how, err)
	}
	return squeezed, how, nil
}

func (s *squeezer) withGzip(body []byte) ([]byte, error) {
	if s.gzip == nil {
		var err error
		if s.gzip, err = gzip.NewWriterLevel(&s.buf, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	s.buf.Reset()
	s.gzip.Reset(&s.buf)
	if _, err := s.gzip.Write(body); err != nil {
		return nil, err
	}
	err := s.gzip.Close()
	return s.buf.Bytes(), err
}

func (s *squeezer) withZstd(body []byte) ([]byte, error) {
	if s.zstd == nil {
		var err error
		s.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
	}
	s.out = s.zstd.EncodeAll(body, s.out[:0])
	return s.out, nil
}
