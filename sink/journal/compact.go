package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// MaxDepth is how deep the arrays and objects of a message may nest. jq before 1.7 refuses to read lines that go deeper
// than 256, and the line adds a level of its own.
const MaxDepth = 200

// ErrDepth is wrapped by the errors of Compact about valid beginnings that nest deeper than MaxDepth.
var ErrDepth = errors.New("nested too deep")

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int    // of the offending byte, from 0; the length of the text if it ends too soon
	What   string // what is wrong there
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.What, e.Offset) }

// Compact checks that src is one JSON value as RFC 8259 has it, and takes out the white space between its tokens;
// nothing else changes. Where there is none it returns a part of src, otherwise bytes appended to scratch[:0].
//
// Bytes from 0x80 up are taken for text: that they are UTF-8 is the caller's to see to. Time and memory are bounded by
// the length of src, whatever its nesting.
func Compact(scratch, src []byte) ([]byte, error) {
	c := compactor{src: src, dst: scratch[:0]}
	i := c.space(0)
	c.start = i
	for {
		if i = c.value(i); i < 0 {
			return nil, c.err
		}
		if i = c.after(i); i < 0 {
			return nil, c.err
		}
		if c.depth == 0 {
			return c.result(i), nil
		}
	}
}

// compactor is a scanner over src. Its methods take the position where something begins and return the one where it
// ends, or -1 with err set. What lies between start and the position is neither copied nor dropped yet.
type compactor struct {
	src   []byte
	dst   []byte
	start int
	err   error
	depth int
	// objects has a bit for each level: set if it is an object.
	objects [MaxDepth/64 + 1]uint64
}

func (c *compactor) fail(i int, what string) int {
	c.err = &SyntaxError{Offset: i, What: what}
	return -1
}

// value passes one value, or the openings of arrays and objects up to the first value in them.
func (c *compactor) value(i int) int {
	for i < len(c.src) {
		switch b := c.src[i]; b {
		case '"':
			return c.str(i)
		case '{', '[':
			if i = c.open(i, b == '{'); i < 0 {
				return i
			}
			if i < len(c.src) && c.src[i] == b+2 { // '}' is '{' + 2, and ']' is '[' + 2.
				c.depth--
				return i + 1
			}
			if b == '{' {
				if i = c.key(i); i < 0 {
					return i
				}
			}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return c.number(i)
		default:
			return c.literal(i)
		}
	}
	return c.fail(i, "unexpected end of JSON")
}

// open enters an array or object.
func (c *compactor) open(i int, object bool) int {
	if c.depth == MaxDepth {
		c.err = fmt.Errorf("%w: more than %d levels at byte %d", ErrDepth, MaxDepth, i)
		return -1
	}
	word, bit := c.depth/64, uint64(1)<<(c.depth%64)
	if object {
		c.objects[word] |= bit
	} else {
		c.objects[word] &^= bit
	}
	c.depth++
	return c.space(i + 1)
}

func (c *compactor) inObject() bool {
	level := uint(c.depth - 1)
	return c.objects[level/64]>>(level%64)&1 == 1
}

// key passes a name of an object and its colon, up to the value.
func (c *compactor) key(i int) int {
	if i >= len(c.src) || c.src[i] != '"' {
		return c.fail(i, "expected a quoted key")
	}
	if i = c.str(i); i < 0 {
		return i
	}
	i = c.space(i)
	if i >= len(c.src) || c.src[i] != ':' {
		return c.fail(i, "expected a colon")
	}
	return c.space(i + 1)
}

// after passes what follows a value, up to the next value or the end of src.
func (c *compactor) after(i int) int {
	for i = c.space(i); c.depth > 0; i = c.space(i + 1) {
		if i >= len(c.src) {
			return c.fail(i, "unexpected end of JSON")
		}
		object := c.inObject()
		switch b := c.src[i]; {
		case b == ',' && object:
			return c.key(c.space(i + 1))
		case b == ',':
			return c.space(i + 1)
		case b == '}' && object, b == ']' && !object:
			c.depth--
		default:
			return c.fail(i, "expected a comma or a closing bracket")
		}
	}
	if i < len(c.src) {
		return c.fail(i, "unexpected byte after the value")
	}
	return i
}

// space passes white space, and takes it out of the result.
func (c *compactor) space(i int) int {
	if i < len(c.src) && c.src[i] <= ' ' {
		return c.dropSpace(i)
	}
	return i
}

func (c *compactor) dropSpace(from int) int {
	i := from
	for i < len(c.src) && isSpace(c.src[i]) {
		i++
	}
	if i > from {
		c.dst = append(c.dst, c.src[c.start:from]...)
		c.start = i
	}
	return i
}

func (c *compactor) result(end int) []byte {
	if len(c.dst) == 0 {
		return c.src[c.start:end]
	}
	return append(c.dst, c.src[c.start:end]...)
}

// str passes a string, from its opening quote to its closing one.
func (c *compactor) str(i int) int {
	src := c.src
	for i++; ; {
		for i+8 <= len(src) {
			special := specialBytes(binary.LittleEndian.Uint64(src[i:]))
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		if i >= len(src) {
			return c.fail(len(src), "unexpected end of JSON")
		}
		switch b := src[i]; {
		case b == '"':
			return i + 1
		case b == '\\':
			n := escapeLen(src[i:])
			if n == 0 {
				return c.fail(i, "invalid escape")
			}
			i += n
		case b < ' ':
			return c.fail(i, "control character in a string")
		default:
			i++
		}
	}
}

// specialBytes looks at eight bytes of a string at once. The lowest bit that is set in the result is the highest bit of
// the first byte that needs a second look: a quote, a backslash or a control character.
func specialBytes(word uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := word^(ones*'"'), word^(ones*'\\')
	return ((word-ones*' ')&^word | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
}

// escapeLen is the length of the escape that s starts with; 0: it is none.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) >= 6 && isHex(s[2]) && isHex(s[3]) && isHex(s[4]) && isHex(s[5]) {
			return 6
		}
	}
	return 0
}

// number passes -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (c *compactor) number(i int) int {
	src := c.src
	if src[i] == '-' {
		i++
	}
	whole := digits(src, i)
	if whole > i+1 && src[i] == '0' {
		whole = i + 1 // A digit after a leading zero is for the caller to stumble over.
	}
	ok := whole > i
	i = whole
	if ok && i < len(src) && src[i] == '.' {
		fraction := digits(src, i+1)
		ok = fraction > i+1
		i = fraction
	}
	if ok && i < len(src) && src[i]|0x20 == 'e' {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		exponent := digits(src, i)
		ok = exponent > i
		i = exponent
	}
	if !ok {
		return c.fail(i, "invalid number")
	}
	return i
}

// digits returns where the digits that start at i end.
func digits(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

func (c *compactor) literal(i int) int {
	rest := c.src[i:]
	for _, word := range [...]string{"true", "false", "null"} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return i + len(word)
		}
	}
	return c.fail(i, "invalid JSON")
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isHex(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }
