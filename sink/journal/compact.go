package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// MaxDepth is how deep the arrays and objects of a message may nest. jq before 1.7 refuses to read lines that go deeper
// than 256, and the line adds a level of its own.
const MaxDepth = 200

// ErrDepth is wrapped by the errors of Compact about valid beginnings that nest deeper than MaxDepth.
var ErrDepth = errors.New("nested too deep")

// ErrNotUTF8 is returned by Compact for a string that is not UTF-8, if all before it is JSON.
var ErrNotUTF8 = errors.New("not UTF-8")

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int    // of the offending byte, from 0; the length of the text if it ends too soon
	What   string // what is wrong there
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.What, e.Offset) }

// Compact checks that src is one JSON value as RFC 8259 has it, UTF-8 included, and takes out the white space between its
// tokens; nothing else changes. The result is in scratch, if that has room for the length of src, and never longer than
// src. Time and memory are bounded by the length of src, whatever its nesting.
func Compact(scratch, src []byte) ([]byte, error) {
	dst := slices.Grow(scratch[:0], len(src))[:len(src)]
	n, err := compact(dst, src)
	return dst[:n], err
}

// AppendRepaired appends text with U+FFFD for each byte that is not UTF-8. For each it needs two bytes more.
func AppendRepaired(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, r)
		text = text[n:]
	}
	return dst
}

// compact copies src to dst, which is as long, and returns the length of the result: i is where it is in src, and o, never
// after i, where in dst. The key of a member is dealt with here and not in a function of its own, which would cost a
// datagram with many of them a twentieth.
func compact(dst, src []byte) (int, error) {
	var open levels
	i, o := skipSpace(src, 0), 0
	for {
		if open.closer == '}' {
			if i >= len(src) || src[i] != '"' {
				return 0, unexpected(src, i, "expected a quoted key")
			}
			if i, o = copyString(dst, src, i, o); o < 0 {
				return 0, stringError(src, i)
			}
			if i = skipSpace(src, i); i >= len(src) || src[i] != ':' {
				return 0, unexpected(src, i, "expected a colon")
			}
			dst[o] = ':'
			i, o = skipSpace(src, i+1), o+1
		}

		if i >= len(src) {
			return 0, unexpected(src, i, "expected a value")
		}
		switch b := src[i]; {
		case b == '"':
			if i, o = copyString(dst, src, i, o); o < 0 {
				return 0, stringError(src, i)
			}
		case isDigit(b) || b == '-':
			if i, o = copyNumber(dst, src, i, o); o < 0 {
				return 0, unexpected(src, i, "invalid number")
			}
		case b == '{' || b == '[':
			if !open.push(b) {
				return 0, fmt.Errorf("%w: more than %d levels at byte %d", ErrDepth, MaxDepth, i)
			}
			dst[o] = b
			i, o = skipSpace(src, i+1), o+1
			if i >= len(src) || src[i] != open.closer {
				continue
			}
		default:
			if i, o = copyWord(dst, src, i, o); o < 0 {
				return 0, unexpected(src, i, "invalid JSON")
			}
		}

		i, o = closeLevels(dst, src, skipSpace(src, i), o, &open)
		switch {
		case open.depth == 0 && i == len(src):
			return o, nil
		case open.depth == 0:
			return 0, unexpected(src, i, "unexpected byte after the value")
		case i >= len(src) || src[i] != ',':
			return 0, unexpected(src, i, "expected a comma or a closing bracket")
		}
		dst[o] = ','
		i, o = skipSpace(src, i+1), o+1
	}
}

// closeLevels copies the brackets that end here.
func closeLevels(dst, src []byte, i, o int, open *levels) (int, int) {
	for ; open.depth > 0 && i < len(src) && src[i] == open.closer; o++ {
		dst[o] = open.closer
		open.pop()
		i = skipSpace(src, i+1)
	}
	return i, o
}

// unexpected is the error of a text that is not as it should be at byte i, or ends there.
func unexpected(src []byte, i int, what string) error {
	if i >= len(src) {
		what = "unexpected end of JSON"
	}
	return &SyntaxError{Offset: i, What: what}
}

// levels are the arrays and objects that are open.
type levels struct {
	depth  int
	closer byte // of the innermost one: '}' or ']'; 0: none is open
	// objects has a bit for each level: set if it is an object.
	objects [MaxDepth/64 + 1]uint64
}

// push enters an object or array that begins with opener, unless that is too deep.
func (l *levels) push(opener byte) bool {
	if l.depth == MaxDepth {
		return false
	}
	l.closer = opener + 2 // '}' is '{' + 2, and ']' is '[' + 2.
	word, bit := l.depth/64, uint64(1)<<(l.depth%64)
	l.objects[word] &^= bit
	if opener == '{' {
		l.objects[word] |= bit
	}
	l.depth++
	return true
}

// pop leaves the innermost one.
func (l *levels) pop() {
	l.depth--
	if l.depth == 0 {
		l.closer = 0
		return
	}
	l.closer = ']'
	if level := uint(l.depth - 1); l.objects[level/64]>>(level%64)&1 == 1 {
		l.closer = '}'
	}
}

// skipSpace returns where the white space that starts at i ends.
func skipSpace(src []byte, i int) int {
	for i < len(src) && src[i] <= ' ' && isSpace(src[i]) {
		i++
	}
	return i
}

// copyString copies the string that begins at i to o, and returns where both end. If it is none, o is negative, and i
// the offending byte. It copies eight bytes at a time: most strings are so short that the end of a loop over bytes would be
// mispredicted. What it copies beyond the end is still within dst, and is overwritten.
func copyString(dst, src []byte, i, o int) (int, int) {
	dst[o] = '"'
	for i, o = i+1, o+1; len(src)-i >= 8; {
		word := binary.LittleEndian.Uint64(src[i:])
		binary.LittleEndian.PutUint64(dst[o:], word)
		n := plainBytes(word)
		if i, o = i+n, o+n; n == 8 {
			continue
		}
		if src[i] == '"' { // It has been copied with its word.
			return i + 1, o + 1
		}
		if n = special(src[i:]); n == 0 {
			return i, -1
		}
		i, o = i+n, o+copy(dst[o:], src[i:i+n])
	}
	return copyStringEnd(dst, src, i, o)
}

// copyStringEnd is the rest of copyString where fewer than eight bytes are left, byte by byte.
func copyStringEnd(dst, src []byte, i, o int) (int, int) {
	for i < len(src) {
		if src[i] == '"' {
			dst[o] = '"'
			return i + 1, o + 1
		}
		n := 1
		if !isPlain[src[i]] {
			n = special(src[i:])
		}
		if n == 0 {
			return i, -1
		}
		i, o = i+n, o+copy(dst[o:], src[i:i+n])
	}
	return i, -1
}

// special is how many bytes the escape has that s starts with, or the characters beyond ASCII; 0: it starts with neither.
func special(s []byte) int {
	n := 0
	for n < len(s) && s[n] >= utf8.RuneSelf {
		r, size := utf8.DecodeRune(s[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	if n == 0 {
		return len(escape(s))
	}
	return n
}

// plainBytes is how many of the eight bytes of word, from the lowest on, are ASCII that stands for itself in a string.
func plainBytes(word uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	// The high bit of each byte says whether the byte is to be stopped at; borrowing spoils only those above the first. To
	// be below '!' once '"' and ' ' have changed places is to be a control character or the quote.
	low := (word ^ ones*('"'^' ')) - ones*'!'
	backslash := (word ^ ones*'\\') - ones
	return bits.TrailingZeros64((low|backslash|word)&highs) / 8 // Of none they are 64.
}

// isPlain says of each byte whether it is ASCII that stands for itself in a string.
var isPlain = func() (plain [256]bool) {
	for b := range utf8.RuneSelf {
		plain[b] = b >= ' ' && b != '"' && b != '\\'
	}
	return plain
}()

// stringError is the error of a string whose byte i is not allowed there.
func stringError(src []byte, i int) error {
	switch {
	case i < len(src) && src[i] == '\\':
		return unexpected(src, i, "invalid escape")
	case i < len(src) && src[i] >= utf8.RuneSelf:
		return ErrNotUTF8
	}
	return unexpected(src, i, "control character in a string")
}

// escape is the escape that s starts with; nil: it starts with none.
func escape(s []byte) []byte {
	if len(s) < 2 || s[0] != '\\' {
		return nil
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return s[:2]
	case 'u':
		if len(s) >= 6 && isHex(s[2]) && isHex(s[3]) && isHex(s[4]) && isHex(s[5]) {
			return s[:6]
		}
	}
	return nil
}

// copyNumber copies the number that begins at i to o, and returns where both end. If it is none, o is negative, and i
// the offending byte. A number is -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func copyNumber(dst, src []byte, i, o int) (int, int) {
	if src[i] == '-' {
		dst[o] = '-'
		i, o = i+1, o+1
	}
	if i < len(src) && src[i] == '0' { // A digit after a leading zero is for the caller to stumble over.
		dst[o] = '0'
		i, o = i+1, o+1
	} else if i, o = copyDigits(dst, src, i, o); o < 0 {
		return i, o
	}
	if i < len(src) && src[i] == '.' {
		dst[o] = '.'
		if i, o = copyDigits(dst, src, i+1, o+1); o < 0 {
			return i, o
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		dst[o] = src[i]
		i, o = i+1, o+1
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			dst[o] = src[i]
			i, o = i+1, o+1
		}
		return copyDigits(dst, src, i, o)
	}
	return i, o
}

// copyDigits copies the digits that begin at i to o, and returns where both end. If there is none, o is negative.
func copyDigits(dst, src []byte, i, o int) (int, int) {
	from := i
	for i < len(src) && isDigit(src[i]) {
		dst[o] = src[i]
		i, o = i+1, o+1
	}
	if i == from {
		return i, -1
	}
	return i, o
}

// words are JSON's literals.
var words = [...]string{"true", "false", "null"}

// copyWord copies the literal that begins at i to o, and returns where both end. If there is none, o is negative.
func copyWord(dst, src []byte, i, o int) (int, int) {
	for _, word := range words {
		if rest := src[i:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return i + len(word), o + copy(dst[o:], word)
		}
	}
	return i, -1
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isHex(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }
