package journal

import (
	"crypto/sha256"
	"encoding/hex"
)

// LineHash is what a line, given without its newline, is compared by where only its hash is at hand.
func LineHash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:16])
}
