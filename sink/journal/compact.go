package journal

import (
	"errors"
	"fmt"
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
	c.skipSpace()
	c.start = c.pos
	for {
		if err := c.value(); err != nil {
			return nil, err
		}
		more, err := c.after()
		if err != nil {
			return nil, err
		}
		if !more {
			return c.result()
		}
	}
}

// compactor is a scanner over src. What it has passed since start is neither copied nor dropped yet.
type compactor struct {
	src   []byte
	dst   []byte
	pos   int
	start int
	depth int
	// objects has a bit for each level: set if it is an object.
	objects [MaxDepth/64 + 1]uint64
}

// value passes one value, or the opening of an array or object up to its first value.
func (c *compactor) value() error {
	for {
		if c.pos == len(c.src) {
			return c.fail("unexpected end of JSON")
		}
		switch b := c.src[c.pos]; {
		case b == '"':
			return c.str()
		case b == '-' || isDigit(b):
			return c.number()
		case b == '{' || b == '[':
			empty, err := c.open(b == '{')
			if err != nil || empty {
				return err
			}
		default:
			return c.literal()
		}
	}
}

// open enters an array or object, and passes the first key of an object. If there is nothing in it, it leaves it again.
func (c *compactor) open(object bool) (empty bool, err error) {
	if c.depth == MaxDepth {
		return false, fmt.Errorf("%w: more than %d levels at byte %d", ErrDepth, MaxDepth, c.pos)
	}
	word, bit := c.depth/64, uint64(1)<<(c.depth%64)
	c.objects[word] &^= bit
	closing := byte(']')
	if object {
		c.objects[word] |= bit
		closing = '}'
	}
	c.depth++
	c.pos++
	c.skipSpace()
	if c.pos < len(c.src) && c.src[c.pos] == closing {
		c.pos++
		c.depth--
		return true, nil
	}
	if object {
		return false, c.key()
	}
	return false, nil
}

func (c *compactor) inObject() bool {
	return c.objects[(c.depth-1)/64]>>((c.depth-1)%64)&1 == 1
}

// key passes a name of an object and its colon.
func (c *compactor) key() error {
	if c.pos == len(c.src) || c.src[c.pos] != '"' {
		return c.fail("expected a quoted key")
	}
	if err := c.str(); err != nil {
		return err
	}
	c.skipSpace()
	if c.pos == len(c.src) || c.src[c.pos] != ':' {
		return c.fail("expected a colon")
	}
	c.pos++
	c.skipSpace()
	return nil
}

// after passes what follows a value: closings, and a comma up to the next value. It reports whether a value follows.
func (c *compactor) after() (more bool, err error) {
	for {
		c.skipSpace()
		if c.depth == 0 {
			if c.pos < len(c.src) {
				return false, c.fail("unexpected byte after the value")
			}
			return false, nil
		}
		if c.pos == len(c.src) {
			return false, c.fail("unexpected end of JSON")
		}
		object := c.inObject()
		b := c.src[c.pos]
		c.pos++
		switch {
		case b == ',':
			c.skipSpace()
			if object {
				return true, c.key()
			}
			return true, nil
		case object && b == '}' || !object && b == ']':
			c.depth--
		default:
			c.pos--
			return false, c.fail("expected a comma or a closing bracket")
		}
	}
}

// skipSpace passes white space, and takes it out of the result.
func (c *compactor) skipSpace() {
	if c.pos == len(c.src) || c.src[c.pos] > ' ' {
		return
	}
	from := c.pos
	for c.pos < len(c.src) && isSpace(c.src[c.pos]) {
		c.pos++
	}
	if c.pos > from {
		c.dst = append(c.dst, c.src[c.start:from]...)
		c.start = c.pos
	}
}

func (c *compactor) result() ([]byte, error) {
	if len(c.dst) == 0 {
		return c.src[c.start:c.pos], nil
	}
	return append(c.dst, c.src[c.start:c.pos]...), nil
}

// str passes a string, from its opening quote to its closing one.
func (c *compactor) str() error {
	src := c.src
	for i := c.pos + 1; i < len(src); i++ {
		switch b := src[i]; {
		case plain[b]:
		case b == '"':
			c.pos = i + 1
			return nil
		case b == '\\':
			n := escapeLen(src[i:])
			if n == 0 {
				c.pos = i
				return c.fail("invalid escape")
			}
			i += n - 1
		default:
			c.pos = i
			return c.fail("control character in a string")
		}
	}
	c.pos = len(src)
	return c.fail("unexpected end of JSON")
}

// plain are the bytes of a string that need no second look.
var plain = func() (table [256]bool) {
	for b := range table {
		table[b] = b >= ' ' && b != '"' && b != '\\'
	}
	return table
}()

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
func (c *compactor) number() error {
	if c.src[c.pos] == '-' {
		c.pos++
	}
	if c.at('0') {
		c.pos++
	} else if c.digits() == 0 {
		return c.fail("invalid number")
	}
	if c.at('.') {
		c.pos++
		if c.digits() == 0 {
			return c.fail("invalid number")
		}
	}
	if c.at('e') || c.at('E') {
		c.pos++
		if c.at('+') || c.at('-') {
			c.pos++
		}
		if c.digits() == 0 {
			return c.fail("invalid number")
		}
	}
	return nil
}

func (c *compactor) at(b byte) bool { return c.pos < len(c.src) && c.src[c.pos] == b }

func (c *compactor) digits() int {
	from := c.pos
	for c.pos < len(c.src) && isDigit(c.src[c.pos]) {
		c.pos++
	}
	return c.pos - from
}

func (c *compactor) literal() error {
	rest := c.src[c.pos:]
	for _, word := range [...]string{"true", "false", "null"} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			c.pos += len(word)
			return nil
		}
	}
	return c.fail("invalid JSON")
}

func (c *compactor) fail(what string) error { return &SyntaxError{Offset: c.pos, What: what} }

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isHex(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }
