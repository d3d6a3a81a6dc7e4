package journal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

func TestGlobs(t *testing.T) {
	f := func(pattern, text string, want bool) {
		t.Helper()
		g, err := CompileGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.match(text); got != want {
			t.Errorf("%q matches %q: got %v, want %v", pattern, text, got, want)
		}
	}
	f("HTB", "HTB", true)
	f("HTB", "HTBX", false)
	f("HTB", "htb", false)
	f("", "", true)
	f("", "x", false)
	f("*", "", true)
	f("*", "line\nbreak", true)
	f("cpu_*", "cpu_monitor", true)
	f("cpu_*", "cpu", false)
	f("*_monitor", "cpu_monitor", true)
	f("*_monitor", "cpu_monitors", false)
	f("a*b*c", "a-b-b-c", true)
	f("a*b*c", "a-c-b", false)
	f("**a", "bba", true)
	f("9?", "95", true)
	f("9?", "9", false)
	f("?", "é", true)
	f("?", "", false)
	f("[a-c]x", "bx", true)
	f("[a-c]x", "dx", false)
	f("[!a-c]x", "dx", true)
	f("[!a-c]x", "ax", false)
	f("[!a-c]", "", false)
	f("[]]", "]", true)
	f("[a-]", "-", true)
	f("[äö]", "ö", true)
	f(`\*`, "*", true)
	f(`\*`, "x", false)
	f(`a\[b`, "a[b", true)
}

func TestGlobsThatCannotBeReadSayWhy(t *testing.T) {
	for pattern, why := range map[string]string{"[a-z": "unclosed", "[": "unclosed", "[]": "unclosed", `x\`: "must not end", "[z-a]": "backwards"} {
		if _, err := CompileGlob(pattern); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got error %v, want one with %q", pattern, err, why)
		}
	}
}

// TestGlobOfManyStarsIsQuick: a pattern of a user's must not stop the journal.
func TestGlobOfManyStarsIsQuick(t *testing.T) {
	g, err := CompileGlob(strings.Repeat("*a", 50) + "b")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if g.match(strings.Repeat("a", 60_000)) {
		t.Error("matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestFieldsMatchTheTextOfTheirValues(t *testing.T) {
	const message = `{"ID":"PLG","n":1.50,"big":12345678901234567890,"ok":true,"none":null,"":"empty",` +
		`"disk":[{"path":"/"},{"path":"/var","used":[10,20]}],"a.b":"dot","a":{"b":"nested","c":{}},"esc":"\u0041\"","tab\tkey":"x",` +
		`"ID":"HTB","text":"\"fake\":\"1\""}`
	f := func(path, pattern string, want bool) {
		t.Helper()
		m, err := NewFilter(FilterOptions{Fields: []Field{{Path: path, Patterns: []string{pattern}}}})
		if err != nil {
			t.Fatal(err)
		}
		got, valid := m.matchMessage([]byte(message))
		if got != want || !valid {
			t.Errorf("%s=%s: got %v of a message that is valid: %v, want %v", path, pattern, got, valid, want)
		}
	}
	f("ID", "HTB", true)
	f("ID", "PLG", false)
	f("n", "1.50", true)
	f("n", "1.5", false)
	f("big", "12345678901234567890", true)
	f("ok", "true", true)
	f("none", "null", true)
	f("missing", "*", false)
	f("disk.1.path", "/var", true)
	f("disk.1.used.0", "10", true)
	f("disk.2.path", "*", false)
	f("disk.x", "*", false)
	f("disk.-1", "*", false)
	f("a.b", "nested", true)
	f(`a\.b`, "dot", true)
	f("a.c", "{}", true)
	f("a.b.c", "*", false)
	f("esc", `A"`, true)
	f("tab\tkey", "x", true)
	f("fake", "*", false)
	f("path", "*", false)
}

// lastValue is what a Lookup must find, found by decoding everything.
func lastValue(message []byte, keys []string) string {
	value := gjson.ParseBytes(message)
	for _, key := range keys {
		var found gjson.Result
		if value.IsArray() {
			found = value.Get(gjson.Escape(key))
		} else if value.IsObject() {
			value.ForEach(func(k, v gjson.Result) bool {
				if k.String() == key {
					found = v
				}
				return true
			})
		}
		value = found
	}
	return value.Raw
}

// FuzzLookupFindsWhatAParserFinds also holds that no text, valid or not, makes it fail.
func FuzzLookupFindsWhatAParserFinds(f *testing.F) {
	f.Add([]byte(`{"ID":"HTB","disk":[{"path":"/"},2,[]],"a":{"ID":1}}`), "ID", "disk.0.path")
	f.Add([]byte(`{"a":{"b":1},"a":{"b":2,"b":"\\\""}}`), "a.b", "a")
	f.Add([]byte(`{"a":[1,{"b":null}]}`), "a.1.b", "a.0")
	f.Add([]byte(`{"\u0061":1,"x":"\"a\":2"}`), "a", "x")
	f.Add([]byte(`{"a":`), "a", "b")
	f.Fuzz(func(t *testing.T, message []byte, one, two string) {
		paths := []string{one, two}
		l, values := NewLookup(paths...), make([][]byte, 2)
		l.Values(message, values)
		compact, err := Compact(nil, message)
		if err != nil || compact[0] != '{' {
			return
		}
		l.Values(compact, values)
		for i, p := range paths {
			if hasOddIndex(splitPath(p)) {
				continue
			}
			if got, want := string(values[i]), lastValue(compact, splitPath(p)); got != want {
				t.Errorf("%s in %s: got %q, want %q", p, compact, got, want)
			}
		}
	})
}

// hasOddIndex reports whether a key may be an index like 007, or too large for one: how a parser reads these is its own
// affair.
func hasOddIndex(keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool {
		return len(key) > 9 || len(key) > 1 && strings.Trim(key, "0123456789") == "" && key[0] == '0' || strings.ContainsAny(key, "+-")
	})
}

func TestLookingUpAndMatchingAllocateNothing(t *testing.T) {
	l, values := NewLookup("ID", "disk.1.path"), make([][]byte, 2)
	g, err := CompileGlob("/v?r*")
	if err != nil {
		t.Fatal(err)
	}
	message := []byte(`{"ID":"PLG","disk":[{"path":"/"},{"path":"/var"}]}`)
	matched := false
	allocs := testing.AllocsPerRun(100, func() {
		l.Values(message, values)
		matched = g.Match(values[1])
	})
	if allocs != 0 || !matched {
		t.Errorf("got %v allocations and match %v, want none and true", allocs, matched)
	}
}

func BenchmarkLookup(b *testing.B) {
	const htb = `{"ID":"HTB","name":"webserver1","interval":30,"ver":1}`
	const plg = `{"ID":"PLG","plugin":"cpu_monitor","name":"webserver1","cpu_percent":45.2,"load_1min":1.52,"load_5min":1.11,` +
		`"cores":[44.1,46.3,43.7,46.9],"uptime":1234567,"procs":312,"ctx_switches":918273645,"interrupts":123456789,"temp_c":51.5}`
	for _, paths := range [][]string{{"ID"}, {"ID", "plugin", "cores.2"}} {
		for name, message := range map[string]string{"htb": htb, "plg": plg} {
			b.Run(strings.Join(paths, ",")+"/"+name, func(b *testing.B) {
				l, values, text := NewLookup(paths...), make([][]byte, len(paths)), []byte(message)
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					l.Values(text, values)
				}
			})
		}
	}
}
