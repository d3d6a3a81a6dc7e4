package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// given is the text of one value in one source.
type given struct {
	text   string
	items  []string // of a list whose source keeps them apart; nil: they stand in text, with the separator between
	origin Origin
}

// shown is v in one text, as a fault may show it: of a URL without its options and what stands before its @.
func (k Key) shown(v given) string {
	if !k.urls {
		if v.items != nil {
			return strings.Join(v.items, k.Separator())
		}
		return v.text
	}
	items := v.items
	if items == nil {
		items = strings.Fields(v.text)
	}
	shown := make([]string, len(items))
	for i, item := range items {
		before, _, cut := strings.Cut(item, "?")
		if scheme, rest, ok := strings.Cut(before, "://"); ok {
			before = scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
		}
		if cut {
			before += "?..."
		}
		shown[i] = before
	}
	return strings.Join(shown, k.Separator())
}

// tidy returns v with what makes no difference taken away: white space around a value that is no path, and capitals in
// a word that the setting knows, so that INFO is info and Yes is true.
func (k Key) tidy(v given) given {
	if k.IsList() {
		if v.items == nil {
			v.items = k.split(v.text)
		}
		v.items = tidyList(v.items)
		return v
	}
	if k.path == "" {
		v.text = strings.TrimSpace(v.text)
	}
	if word, ok := k.word(v.text); ok {
		v.text = word
	}
	return v
}

// split takes the items of a list apart.
func (k Key) split(text string) []string {
	if k.urls {
		return strings.Fields(text)
	}
	return strings.Split(text, k.Separator())
}

// tidyList drops the spaces around the items of a list, and empty items.
func tidyList(list []string) []string {
	var out []string // nil if there are none, as in the defaults
	for _, item := range list {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return slices.Clip(out)
}

// synonyms are words that people write for those of a setting, in YAML 1.1 and in Python's logging.
var synonyms = map[string]string{
	"yes": "true", "on": "true", "y": "true", "1": "true", "t": "true",
	"no": "false", "off": "false", "n": "false", "0": "false", "f": "false",
	"warning": "warn",
}

// word returns the one of the setting's words that text stands for.
func (k Key) word(text string) (string, bool) {
	lower := strings.ToLower(text)
	for _, word := range []string{lower, synonyms[lower]} {
		if word != "" && slices.Contains(k.Words, word) {
			return word, true
		}
	}
	return "", false
}

// oddity returns why v cannot be meant as it stands, or "". Such a value is refused even where it could be used: it is
// what an env file, a secret or a block of YAML adds to the value that its writer saw.
func (k Key) oddity(v given) string {
	texts := v.items
	if !k.IsList() {
		texts = []string{v.text}
	}
	for _, text := range texts {
		if why := oddText(text); why != "" {
			return why
		}
	}
	if k.path != "" {
		return oddPath(v.text)
	}
	return ""
}

// oddText returns what no value of any setting can hold, or "".
func oddText(text string) string {
	if !utf8.ValidString(text) {
		return "is not UTF-8"
	}
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		holds := "holds"
		if strings.Trim(text[i:], "\r\n") == "" {
			holds = "ends in"
		}
		return fmt.Sprintf("%s %s: write it on one line, in YAML without | (or with |-), and end the lines of an env file in LF alone",
			holds, charName(rune(text[i])))
	}
	if strings.IndexFunc(text, isQuote) == 0 {
		return "begins with a quote, which belongs to the value here: leave the quotes out, since an env file keeps them"
	}
	return ""
}

func isQuote(r rune) bool { return strings.ContainsRune(`"'“”‘’`, r) }

// charName names a character that cannot be seen.
func charName(r rune) string {
	switch r {
	case '\n':
		return "a newline"
	case '\r':
		return "a carriage return"
	case '\t':
		return "a tab"
	}
	return fmt.Sprintf("the character %U", r)
}

// doubt returns why v is perhaps not meant as it stands, or "".
func (k Key) doubt(v given) string {
	last, _ := utf8.DecodeLastRuneInString(v.text)
	switch {
	case k.path != "" && isQuote(last):
		return "ends in a quote, which belongs to the value here"
	case strings.Contains(v.text, " #") || slices.ContainsFunc(v.items, func(s string) bool { return strings.Contains(s, " #") }):
		return "holds ' #', and what follows is no comment here: an env file takes comments only on lines of their own"
	}
	return ""
}
