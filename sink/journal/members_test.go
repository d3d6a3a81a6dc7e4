package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzObjectIsValidIfCompactTakesIt holds the two ways of checking a message against each other.
func FuzzObjectIsValidIfCompactTakesIt(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : [ 1 , { } , [ ] ] } `, `{"a":-0.5e+7,"b":"\u00e9\n","c":true,"d":false,"e":null}`, `{"a":1,"a":2}`, `[1]`, `1`, ``,
		`{`, `{"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{a:1}`, `{"a" 1}`, `{"a":}`, `{"a":[}`, `{"a":[1,]}`, `{"a":[1}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.1}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`, `{"a":nulll}`, `{"a":"` + "\x1f" + `"}`, `{"a":"\x"}`,
		`{"a":"\u12g4"}`, `{"a":"1234567\"8"}`, `{"a":"12345678` + "\x00" + `"}`, `{"a":"12345678\"}`, "{\"a\":\"\xff\x80\"}", `{} {}`, `{}x`, "\xef\xbb\xbf{}",
		`{"a":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`,
		`{"a":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `}`,
		strings.Repeat(`{"a":`, MaxDepth) + `1` + strings.Repeat("}", MaxDepth),
		strings.Repeat(`{"a":`, MaxDepth+1) + `1` + strings.Repeat("}", MaxDepth+1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		compact, err := Compact(nil, text)
		want := err == nil && compact[0] == '{'
		if got := isObject(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
		values := make([][]byte, 1)
		if got := NewLookup("a").Values(text, values); got != want {
			t.Errorf("looking into %q: got %v, want %v", text, got, want)
		}
	})
}

func TestEveryByteOfAStringIsCheckedWhereverItStands(t *testing.T) {
	for length := range 20 {
		text := []byte(`{"a":"` + strings.Repeat("x", length) + `"}`)
		for at := range length {
			for b := range 256 {
				text[len(`{"a":"`)+at] = byte(b)
				want := json.Valid(text) && utf8.Valid(text)
				if got := isObject(text); got != want {
					t.Errorf("%q: got valid %v, want %v", text, got, want)
				}
				compact, err := Compact(nil, text)
				if got := err == nil; got != want || want && !bytes.Equal(compact, text) {
					t.Errorf("%q: got %q and %v, want valid %v", text, compact, err, want)
				}
			}
			text[len(`{"a":"`)+at] = 'x'
		}
	}
}

func TestCharactersOfEveryLengthAreTextWhereverTheyStand(t *testing.T) {
	for length := range 20 {
		for at := range length + 1 {
			for _, char := range []string{"\u007f", "é", "\u2028", "漢字", "😀", "\u20ac\"", "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80", "é\xff"} {
				inner := strings.Repeat("x", at) + strings.ReplaceAll(char, `"`, `\"`) + strings.Repeat("y", length-at)
				text := []byte(`{"` + inner + `":"` + inner + `"}`)
				want := utf8.Valid(text)
				if got := isObject(text); got != want {
					t.Errorf("%q: got valid %v, want %v", text, got, want)
				}
				compact, err := Compact(nil, text)
				if want && !bytes.Equal(compact, text) || !want && !errors.Is(err, ErrNotUTF8) {
					t.Errorf("%q: got %q and %v, want UTF-8 %v", text, compact, err, want)
				}
			}
		}
	}
}
