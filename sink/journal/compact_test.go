package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

func TestCompactTakesOutWhiteSpaceBetweenTokensAndNothingElse(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, err := Compact(nil, []byte(in))
		if err != nil || string(got) != want {
			t.Errorf("Compact(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	f(`{}`, `{}`)
	f("{ \t\r\n}", `{}`)
	f(` {"name": "web server 1"} `, `{"name":"web server 1"}`)
	f("{\n  \"a\" : [ 1 , 2 ,\t{ } , [ ] ]\n}\n", `{"a":[1,2,{},[]]}`)
	f(`{"b":1,"a":2,"b":3}`, `{"b":1,"a":2,"b":3}`)
	f(`{"f":1.0,"e":1e400,"z":-0,"big":9223372036854775807123}`, `{"f":1.0,"e":1e400,"z":-0,"big":9223372036854775807123}`)
	f(`{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud800"}`, `{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud800"}`)
	f("{\"s\":\"\u2028 é \x7f\"}", "{\"s\":\"\u2028 é \x7f\"}")
	f(" [ true , false , null , -1.5E+3 ] ", `[true,false,null,-1.5E+3]`)
	f(` "x y" `, `"x y"`)
}

func TestCompactRefusesWhatIsNotJSON(t *testing.T) {
	f := func(in string, offset int) {
		t.Helper()
		got, err := Compact(nil, []byte(in))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Offset != offset {
			t.Errorf("Compact(%q) = %q, %v; want a syntax error at byte %d", in, got, err, offset)
		}
	}
	f("", 0)
	f("  ", 2)
	f(`{`, 1)
	f(`{"a"`, 4)
	f(`{"a":`, 5)
	f(`{"a":1`, 6)
	f(`{"a":1,}`, 7)
	f(`{"a" 1}`, 5)
	f(`{a:1}`, 1)
	f(`{1:1}`, 1)
	f(`[1,]`, 3)
	f(`[1 2]`, 3)
	f(`[1}`, 2)
	f(`{"a":1]`, 6)
	f(`{}{}`, 2)
	f(`01`, 1)
	f(`-`, 1)
	f(`1.`, 2)
	f(`1e`, 2)
	f(`1e+`, 3)
	f(`.5`, 0)
	f(`+1`, 0)
	f(`NaN`, 0)
	f(`tru`, 0)
	f("\"\n\"", 1)
	f("\"\x00\"", 1)
	f(`"\x"`, 1)
	f(`"\u12g4"`, 1)
	f(`"abc`, 4)
	f(`"abc\`, 4)
	f("\ufeff{}", 0)
	f("{}\x00", 2)
	f("[\v1]", 1)
}

func TestCompactBoundsNesting(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := Compact(nil, deep(MaxDepth)); err != nil {
		t.Errorf("%d levels: %v; want none", MaxDepth, err)
	}
	for _, n := range []int{MaxDepth + 1, 60_000} {
		if _, err := Compact(nil, deep(n)); !errors.Is(err, ErrDepth) {
			t.Errorf("%d levels: %v; want ErrDepth", n, err)
		}
	}
	if _, err := Compact(nil, bytes.Repeat([]byte(`{"a":`), 12_000)); !errors.Is(err, ErrDepth) {
		t.Errorf("12000 open objects: %v; want ErrDepth", err)
	}
}

func TestCompactPutsItsResultIntoScratchIfThereIsRoom(t *testing.T) {
	src := []byte(`{"ID":"HTB","name":"webserver1"}`)
	scratch := make([]byte, 0, len(src))
	got, err := Compact(scratch, src)
	if err != nil || &got[0] != &scratch[:1][0] {
		t.Errorf("Compact did not use the scratch buffer (%v)", err)
	}
}

func TestCompactDoesNotAllocate(t *testing.T) {
	scratch := make([]byte, 0, 4096)
	for _, message := range []string{heartbeat, plugin, spaced} {
		src := []byte(message)
		n := testing.AllocsPerRun(100, func() {
			if _, err := Compact(scratch, src); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%.20q...: got %v allocations, want 0", message, n)
		}
	}
}

// FuzzCompact compares with two well-known parsers: the same texts are valid, and mean the same afterwards.
func FuzzCompact(f *testing.F) {
	for _, s := range []string{heartbeat, plugin, spaced, `[1,{"a":[]} , "\u00e9"]`, `{"a":1e400}`, " null ", `"\ud800"`, "[-0.0e-1]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		before := bytes.Clone(src)
		got, err := Compact(make([]byte, 0, 8), src)
		if !bytes.Equal(src, before) {
			t.Fatalf("source was changed from %q to %q", before, src)
		}
		if errors.Is(err, ErrDepth) {
			return
		}
		isText := utf8.Valid(src)
		if isText && errors.Is(err, ErrNotUTF8) {
			t.Fatalf("Compact(%q): %v, but it is UTF-8", src, err)
		}
		if valid := isText && gjson.ValidBytes(src); valid != (err == nil) || isText && valid != json.Valid(src) {
			t.Fatalf("Compact(%q): %v; gjson says %v, encoding/json %v", src, err, valid, json.Valid(src))
		}
		if err != nil {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, src); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("Compact(%q) = %q, encoding/json makes it %q", src, got, want.Bytes())
		}
	})
}

const (
	heartbeat = `{"ID":"HTB","name":"webserver0001","interval":30,"ver":1,"seq":1000001}`
	plugin    = `{"ID":"PLG","name":"webserver0001","plugin":"cpu_monitor","cpu_percent":45.25,"load_1min":1.5,"load_5min":1.25,"load_15min":0.75,"cores":8,"user":30.5,"system":10.25,"idle":54.75,"iowait":4.5,"steal":0.0,"note":"all is well on this machine today","seq":1234567}`
	spaced    = `{"ID": "PLG", "name": "webserver0001", "plugin": "cpu_monitor", "cpu_percent": 45.25, "load_1min": 1.5, "load_5min": 1.25, "load_15min": 0.75, "cores": 8, "user": 30.5, "system": 10.25, "idle": 54.75, "iowait": 4.5, "note": "all is well", "seq": 1234567}`
)

func BenchmarkCompact(b *testing.B) {
	for name, message := range map[string]string{"heartbeat": heartbeat, "plugin": plugin, "spaced": spaced} {
		src, scratch := []byte(message), make([]byte, 0, 4096)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compact(scratch, src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/gjson.ValidBytes", func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if !gjson.ValidBytes(src) {
					b.Fatal("invalid")
				}
			}
		})
	}
}
