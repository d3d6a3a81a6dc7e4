package journal

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// field is a compiled Field.
type field struct {
	keys   []string // the path, taken apart
	texts  [][]byte // each key as it stands in a message without escapes: "key":
	path   string   // the path as gjson wants it
	globs  []glob
	needle []byte // stands in each message that matches, unless the message has escapes
}

func compileField(o Field) (field, error) {
	f := field{keys: splitPath(o.Path)}
	if o.Path == "" {
		return f, fmt.Errorf("no field name before = in %q", strings.Join(o.Patterns, ","))
	}
	escaped := make([]string, len(f.keys))
	for i, key := range f.keys {
		escaped[i] = gjson.Escape(key)
		f.texts = append(f.texts, []byte(`"`+key+`":`))
	}
	f.path = strings.Join(escaped, ".")
	for _, pattern := range o.Patterns {
		g, err := compileGlob(pattern)
		if err != nil {
			return f, fmt.Errorf("%s=%s: %w", o.Path, pattern, err)
		}
		f.globs = append(f.globs, g)
	}
	f.needle = f.literal()
	return f, nil
}

// splitPath cuts a dotted path at its dots; \. is a dot within a key.
func splitPath(path string) []string {
	keys := strings.Split(path, ".")
	for i := 0; i+1 < len(keys); {
		if whole, escaped := strings.CutSuffix(keys[i], `\`); escaped {
			keys[i] = whole + "." + keys[i+1]
			keys = append(keys[:i+1], keys[i+2:]...)
		} else {
			i++
		}
	}
	return keys
}

// literal is the text that a compact JSON message holds if the field matches, as far as it is sure.
func (f *field) literal() []byte {
	key := f.keys[len(f.keys)-1]
	if _, err := strconv.Atoi(key); err == nil {
		return nil // It may be an index into an array.
	}
	text := strconv.AppendQuote(nil, key)
	if bytes.IndexByte(text, '\\') >= 0 {
		return nil
	}
	text = append(text, ':')
	if len(f.globs) == 1 {
		text = append(text, f.globs[0].literal()...)
	}
	return text
}

// match reports whether the message has the field with a value that is asked for.
func (f *field) match(message []byte) bool {
	value := f.value(message)
	if !value.Exists() {
		return false
	}
	text := value.String()
	for i := range f.globs {
		if f.globs[i].match(text) {
			return true
		}
	}
	return false
}

// value is the field's value; of several of one key the last one counts, as for jq and other parsers.
func (f *field) value(message []byte) gjson.Result {
	if bytes.IndexByte(message, '\\') < 0 && !f.doubled(message) {
		return gjson.GetBytes(message, f.path)
	}
	value := gjson.ParseBytes(message)
	for _, key := range f.keys {
		value = lastOf(value, key)
	}
	return value
}

// doubled reports whether one of the keys stands in the message more than once, at whatever depth.
func (f *field) doubled(message []byte) bool {
	return slices.ContainsFunc(f.texts, func(text []byte) bool { return bytes.Count(message, text) > 1 })
}

func lastOf(value gjson.Result, key string) (last gjson.Result) {
	if value.IsArray() {
		return value.Get(gjson.Escape(key))
	}
	if value.IsObject() {
		value.ForEach(func(k, v gjson.Result) bool {
			if k.String() == key {
				last = v
			}
			return true
		})
	}
	return last
}

// glob is a compiled pattern.
type glob struct {
	text  string         // the pattern; the whole value if regex is nil
	regex *regexp.Regexp // nil for a pattern without wild cards
}

func compileGlob(pattern string) (glob, error) {
	if !strings.ContainsAny(pattern, `*?[\`) {
		return glob{text: pattern}, nil
	}
	var expr strings.Builder
	expr.WriteString(`^(?s:`)
	for rest := pattern; rest != ""; {
		translated, width := globToken(rest)
		if width == 0 {
			return glob{}, fmt.Errorf("unclosed %q in a glob: write [a-z], or \\[ for the character itself", rest)
		}
		expr.WriteString(translated)
		rest = rest[width:]
	}
	regex, err := regexp.Compile(expr.String() + `)$`)
	if err != nil {
		return glob{}, fmt.Errorf("%w: a glob is of *, ? and [a-z]", err)
	}
	return glob{text: pattern, regex: regex}, nil
}

// globToken translates the first token of a glob into a regular expression. A width of 0 says that it is not closed.
func globToken(rest string) (expr string, width int) {
	switch rest[0] {
	case '*':
		return `.*`, 1
	case '?':
		return `.`, 1
	case '\\':
		if len(rest) == 1 {
			return "", 0
		}
		return regexp.QuoteMeta(rest[1:2]), 2
	case '[':
		end := strings.IndexByte(rest, ']')
		if end < 2 {
			return "", 0
		}
		class := strings.ReplaceAll(rest[1:end], `\`, `\\`)
		if negated, ok := strings.CutPrefix(class, "!"); ok {
			class = "^" + negated
		}
		return "[" + class + "]", end + 1
	}
	end := strings.IndexAny(rest, `*?[\`)
	if end < 0 {
		end = len(rest)
	}
	return regexp.QuoteMeta(rest[:end]), end
}

func (g *glob) match(text string) bool {
	if g.regex == nil {
		return text == g.text
	}
	return g.regex.MatchString(text)
}

// literal is the beginning of the JSON string that a matching value is, or nothing if the value may be no string.
func (g *glob) literal() string {
	text := g.text
	if g.regex != nil {
		text = text[:strings.IndexAny(text, `*?[\`)]
		return quoteOpen(text)
	}
	if open := quoteOpen(text); open != "" {
		return open + `"`
	}
	return ""
}

// quoteOpen is text as the beginning of a JSON string: nothing if text may be the beginning of another JSON value too.
func quoteOpen(text string) string {
	other := text == "" || strings.ContainsAny(text[:1], `-0123456789{["`) ||
		strings.HasPrefix("true", text) || strings.HasPrefix("false", text) || strings.HasPrefix("null", text)
	if quoted := strconv.Quote(text); !other && !strings.Contains(quoted, `\`) {
		return quoted[:len(quoted)-1]
	}
	return ""
}
