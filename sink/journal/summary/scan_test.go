package summary

import (
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
