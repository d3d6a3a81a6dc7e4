package read

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
)

// A cloak makes what is set aside in temporary files unreadable for all but this process, since a journal that is encrypted
// must not lie there in the clear. It is AES-256 in counter mode with a key that is never kept; each text has a cloak of its
// own, of which no offset is used for two different bytes.
type cloak struct{ block cipher.Block }

func newCloak() (cloak, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // It never fails.
	block, err := aes.NewCipher(key[:])
	return cloak{block}, err
}

// cover covers p, which stands at an offset of the text, or uncovers it again.
func (c cloak) cover(p []byte, offset int64) {
	var counter, skipped [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(offset/aes.BlockSize))
	stream := cipher.NewCTR(c.block, counter[:])
	within := skipped[:offset%aes.BlockSize]
	stream.XORKeyStream(within, within)
	stream.XORKeyStream(p, p)
}

// A cloaked file is a temporary file, written once from its start, whose text is covered.
type cloaked struct {
	file  tempFile
	cloak cloak
	size  int64
}

// Write implements io.Writer. It covers p in its place.
func (c *cloaked) Write(p []byte) (int, error) {
	c.cloak.cover(p, c.size)
	n, err := c.file.WriteAt(p, c.size)
	c.size += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (c *cloaked) ReadAt(p []byte, offset int64) (int, error) {
	n, err := c.file.ReadAt(p, offset)
	c.cloak.cover(p[:n], offset)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read temporary file: %w", err)
	}
	return n, err
}
