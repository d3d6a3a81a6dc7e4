package journal

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// Glob is a compiled pattern: * stands for any text, ? for one character, [a-z] for one of these and [!a-z] for one of
// all others, and a backslash takes the meaning from what follows it. The whole text must match. Matching takes no
// memory, and in the worst case time in proportion to the text times the pattern. It may be used by several goroutines.
type Glob struct {
	pattern string
	parts   []globPart
}

// globPart is one part of a pattern.
type globPart struct {
	kind    byte   // one of globText, globAny, globOne and globClass
	text    string // of globText
	ranges  []rune // of globClass: from, to, from, to, ...
	negated bool   // of globClass
}

const (
	globText = iota
	globAny
	globOne
	globClass
)

// CompileGlob reads a pattern. The error shows the part that is wrong.
func CompileGlob(pattern string) (Glob, error) {
	g := Glob{pattern: pattern}
	for rest := pattern; rest != ""; {
		part, width, err := globPartOf(rest)
		if err != nil {
			return Glob{}, err
		}
		rest = rest[width:]
		g.add(part)
	}
	return g, nil
}

// add appends part; what follows a text is joined with it, and a second star says nothing more.
func (g *Glob) add(part globPart) {
	if n := len(g.parts); n > 0 {
		last := &g.parts[n-1]
		switch {
		case last.kind == globText && part.kind == globText:
			last.text += part.text
			return
		case last.kind == globAny && part.kind == globAny:
			return
		}
	}
	g.parts = append(g.parts, part)
}

// globPartOf reads the first part of a pattern and says how long it is there.
func globPartOf(rest string) (part globPart, width int, err error) {
	switch rest[0] {
	case '*':
		return globPart{kind: globAny}, 1, nil
	case '?':
		return globPart{kind: globOne}, 1, nil
	case '\\':
		if len(rest) == 1 {
			return part, 0, fmt.Errorf(`a glob must not end in \: write \\ for the character itself`)
		}
		return globPart{text: rest[1:2]}, 2, nil
	case '[':
		return globClassOf(rest)
	}
	end := strings.IndexAny(rest, `*?[\`)
	if end < 0 {
		end = len(rest)
	}
	return globPart{text: rest[:end]}, end, nil
}

// globClassOf reads a class such as [a-z_] or [!0-9]. A ] that comes first in it stands for itself.
func globClassOf(rest string) (part globPart, width int, err error) {
	part.kind = globClass
	body := rest[1:]
	if part.negated = strings.HasPrefix(body, "!"); part.negated {
		body = body[1:]
	}
	end := strings.IndexByte(body[min(1, len(body)):], ']') + 1
	if end == 0 {
		return part, 0, fmt.Errorf("unclosed %q in a glob: write [a-z], or \\[ for the character itself", rest)
	}
	width = len(rest) - len(body) + end + 1
	for chars := []rune(body[:end]); len(chars) > 0; {
		from, to, n := chars[0], chars[0], 1
		if len(chars) > 2 && chars[1] == '-' {
			to, n = chars[2], 3
		}
		if from > to {
			return part, 0, fmt.Errorf("range %c-%c in a glob goes backwards: write [%c-%c]", from, to, to, from)
		}
		part.ranges = append(part.ranges, from, to)
		chars = chars[n:]
	}
	return part, width, nil
}

// Match reports whether a JSON value matches: by what it says if it is a string, and otherwise by its JSON text. It
// allocates nothing unless the value has escapes.
func (g *Glob) Match(value []byte) bool {
	if len(value) > 1 && value[0] == '"' {
		if bytes.IndexByte(value, '\\') >= 0 {
			return g.match(gjson.ParseBytes(value).String())
		}
		value = value[1 : len(value)-1]
	}
	return g.match(unsafe.String(unsafe.SliceData(value), len(value)))
}

// MatchText is Match for a text that is no JSON.
func (g *Glob) MatchText(text string) bool { return g.match(text) }

// match reports whether the whole text matches.
func (g *Glob) match(text string) bool {
	part, pos := 0, 0
	afterStar, starPos := -1, 0 // where to go on when the last star must take one character more
	for {
		switch {
		case part < len(g.parts) && g.parts[part].kind == globAny:
			part++
			afterStar, starPos = part, pos
			if part == len(g.parts) {
				return true
			}
			continue
		case part < len(g.parts):
			if n := g.parts[part].width(text[pos:]); n > 0 {
				pos += n
				part++
				continue
			}
		case pos == len(text):
			return true
		}
		if afterStar < 0 || starPos == len(text) {
			return false
		}
		_, n := utf8.DecodeRuneInString(text[starPos:])
		starPos += n
		part, pos = afterStar, starPos
	}
}

// width is how many bytes at the start of text the part takes; 0: it does not match.
func (p *globPart) width(text string) int {
	if p.kind == globText {
		if strings.HasPrefix(text, p.text) {
			return len(p.text)
		}
		return 0
	}
	char, n := utf8.DecodeRuneInString(text)
	if n > 0 && p.kind == globClass && p.holds(char) == p.negated {
		return 0
	}
	return n
}

func (p *globPart) holds(char rune) bool {
	for i := 0; i < len(p.ranges); i += 2 {
		if p.ranges[i] <= char && char <= p.ranges[i+1] {
			return true
		}
	}
	return false
}

// wild reports whether the pattern stands for more than one text.
func (g *Glob) wild() bool {
	return len(g.parts) > 1 || len(g.parts) == 1 && g.parts[0].kind != globText
}

// prefix is the text that all that matches begins with.
func (g *Glob) prefix() string {
	if len(g.parts) == 0 || g.parts[0].kind != globText {
		return ""
	}
	return g.parts[0].text
}

// literal is the beginning of the JSON string that a matching value is, or nothing if the value may be no string.
func (g *Glob) literal() string {
	open := quoteOpen(g.prefix())
	if open != "" && !g.wild() {
		open += `"`
	}
	return open
}
