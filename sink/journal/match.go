package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is a compiled Field. It may be used by several goroutines.
type field struct {
	named  bool // it is one of those in which null stands for no name
	globs  []Glob
	needle []byte // stands in each message that matches, unless the message has escapes
}

func compileField(o Field) (field, error) {
	var f field
	if o.Path == "" {
		return f, fmt.Errorf("no field name before = in %q", strings.Join(o.Patterns, ","))
	}
	for _, pattern := range o.Patterns {
		g, err := CompileGlob(pattern)
		if err != nil {
			return f, fmt.Errorf("%s=%s: %w", o.Path, pattern, err)
		}
		f.globs = append(f.globs, g)
	}
	f.named, f.needle = IsName(o.Path), literal(o.Path, f.globs)
	return f, nil
}

// CheckCondition says what is wrong with a condition field=pattern that a person wrote: there is only equality, and a
// field that no message can be meant to have would match nothing in silence.
func CheckCondition(field, pattern string) error {
	switch {
	case field == "":
		return errors.New("no field before the =: write field=glob, such as ID=HTB")
	case strings.ContainsAny(field[len(field)-1:], "!<>~"):
		return fmt.Errorf("there is no %s=, only =", field[len(field)-1:])
	case strings.HasPrefix(pattern, "="), strings.HasPrefix(pattern, "~"):
		return fmt.Errorf("there is no =%[1]s, only =: write [%[1]s] where the value begins with %[1]s", pattern[:1])
	case field[0] == '!':
		return fmt.Errorf("there is no !, only =: a field cannot be %q", field)
	case strings.HasPrefix(field, "$."):
		return fmt.Errorf("field %q begins with $.: write it as in disk.0.path", field)
	case strings.TrimSpace(field) != field:
		return fmt.Errorf("field %q has a blank at its end: write field=glob without", field)
	case slices.Contains(splitPath(field), ""):
		return fmt.Errorf("field %q has an empty part: write it as in disk.0.path", field)
	}
	return nil
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
func literal(path string, globs []Glob) []byte {
	keys := splitPath(path)
	key := keys[len(keys)-1]
	if _, err := strconv.Atoi(key); err == nil {
		return nil // It may be an index into an array.
	}
	text := strconv.AppendQuote(nil, key)
	if bytes.IndexByte(text, '\\') >= 0 {
		return nil
	}
	text = append(text, ':')
	if len(globs) == 1 {
		text = append(text, globs[0].literal()...)
	}
	return text
}

// match reports whether the field's value, nil if the message has none, is one that is asked for.
func (f *field) match(value []byte) bool {
	if value == nil || f.named && isNull(value) {
		return false
	}
	return slices.ContainsFunc(f.globs, func(g Glob) bool { return g.Match(value) })
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
