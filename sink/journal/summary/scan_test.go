package summary

import (
	"bytes"
	"math"
	"strconv"
	"testing"

	"github.com/tidwall/gjson"
)

// FuzzAppendPairs holds the scan against another parser: the same members for every valid object, no panic for the rest.
func FuzzAppendPairs(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":"\"","b":{"c":["}",2]},"d":null}`, ` { "a" : [ ] , "b":-1e5 } `, `{"a":1,"a":2}`,
		`{"a"`, `{"a":`, `{"a":1`, `{"a":"`, `{"a":[`, `{"a":1,`, `{"":""}`, `[1]`, `{"a":"\`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		got := appendPairs(nil, object)
		if !gjson.ValidBytes(object) || !gjson.ParseBytes(object).IsObject() {
			return
		}
		i := 0
		gjson.ParseBytes(object).ForEach(func(key, value gjson.Result) bool {
			if i >= len(got) {
				t.Fatalf("%q: got %d members, want more", object, len(got))
			}
			wantKey := key.Raw[1 : len(key.Raw)-1]
			if string(got[i].key) != wantKey || string(got[i].value) != value.Raw {
				t.Fatalf("%q: got %q: %q, want %q: %q", object, got[i].key, got[i].value, wantKey, value.Raw)
			}
			i++
			return true
		})
		if i != len(got) {
			t.Fatalf("%q: got %d members, want %d", object, len(got), i)
		}
	})
}

func TestTextIsWhatAStringSays(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		if got := text([]byte(value)); !bytes.Equal(got, []byte(want)) {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
	f(`"web1"`, "web1")
	f(`"\u0041\n"`, "A\n")
	f(`12`, "12")
	f(`""`, "")
}

// FuzzNumber holds the short way of reading a number against the standard library's.
func FuzzNumber(f *testing.F) {
	for _, seed := range []string{
		"0", "-0", "1", "45.2", "-0.001", "123456789012345", "0.00000000000001", "1e5", "1.5E-3", "1e400", "1.", "-", "1.2.3", ".5",
		"12345.678901234", "9007199254740993", "", "true", "1-2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !gjson.Valid(text) || gjson.Parse(text).Type != gjson.Number {
			number([]byte(text)) // must not panic
			return
		}
		text = gjson.Parse(text).Raw
		want, err := strconv.ParseFloat(text, 64)
		got, ok := number([]byte(text))
		if ok != (err == nil) || ok && (got != want || math.Signbit(got) != math.Signbit(want)) {
			t.Errorf("%s: got %v, %v, want %v, %v", text, got, ok, want, err)
		}
	})
}
