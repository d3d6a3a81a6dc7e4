package ingest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"hbjournal/sink/journal"
)

func zlibbed(text string) []byte {
	return compressed(text, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func gzipped(text string) []byte {
	return compressed(text, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func compressed(text string, to func(io.Writer) io.WriteCloser) []byte {
	var b bytes.Buffer
	w := to(&b)
	if _, err := io.WriteString(w, text); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestDecodeKeepsObjectsAsTheyAre(t *testing.T) {
	var d Decoder
	f := func(datagram []byte, want string) {
		t.Helper()
		m := d.Decode(datagram)
		if string(m.JSON) != want || m.Invalid != nil || m.Repaired {
			t.Errorf("Decode(%q) = %q, invalid %v, repaired %v; want %q", datagram, m.JSON, m.Invalid, m.Repaired, want)
		}
	}
	f([]byte(`{"ID":"HTB","n":1.0,"n":18446744073709551616}`), `{"ID":"HTB","n":1.0,"n":18446744073709551616}`)
	f([]byte("{\"ID\": \"HTB\",\r\n\t\"s\": \"a b\"}\n"), `{"ID":"HTB","s":"a b"}`)
	f(zlibbed(`{"ID": "PLG"}`), `{"ID":"PLG"}`)
	f(gzipped(`{"ID": "PLG"}`), `{"ID":"PLG"}`)
	f(zlibbed(`{"again":true}`), `{"again":true}`)
	f([]byte(`{"a":1e400,"b":-0}`), `{"a":1e400,"b":-0}`)
}

func TestDecodeWrapsWhatIsNoObject(t *testing.T) {
	var d Decoder
	f := func(datagram []byte, want string) {
		t.Helper()
		m := d.Decode(datagram)
		if string(m.JSON) != want || m.Invalid == nil {
			t.Errorf("Decode(%q) = %q, invalid %v; want %q", datagram, m.JSON, m.Invalid, want)
		}
	}
	f(nil, `{"_raw":"","_error":"empty datagram"}`)
	f([]byte("[1, 2]"), `{"_value":[1,2]}`)
	f([]byte(" 42 "), `{"_value":42}`)
	f([]byte("null"), `{"_value":null}`)
	f(zlibbed(`"text"`), `{"_value":"text"}`)
	f([]byte("hello\nworld\x00\x7f\\\""), `{"_raw":"hello\nworld\u0000\u007f\\\"","_error":"invalid JSON at byte 0"}`)
	f([]byte(`{"a":1`), `{"_raw":"{\"a\":1","_error":"unexpected end of JSON at byte 6"}`)
	f([]byte("\xff\x00"), `{"_raw_base64":"/wA=","_error":"invalid JSON at byte 0"}`)
	f([]byte("x^ is how zlib starts too"), `{"_raw":"x^ is how zlib starts too","_error":"inflate: flate: corrupt input before offset 5"}`)
}

func TestDecodeReplacesEachByteThatIsNotUTF8(t *testing.T) {
	var d Decoder
	m := d.Decode([]byte("{\"s\": \"a\xff\xfeb\xc3\"}"))
	if want := "{\"s\":\"a\ufffd\ufffdb\ufffd\"}"; string(m.JSON) != want || !m.Repaired || m.Invalid != nil {
		t.Errorf("got %q, repaired %v, invalid %v; want %q", m.JSON, m.Repaired, m.Invalid, want)
	}
}

func TestDecodeKeepsDamagedCompressedDatagramsByteForByte(t *testing.T) {
	good := zlibbed(`{"ID":"PLG","text":"` + strings.Repeat("hello ", 50) + `"}`)
	for name, datagram := range map[string][]byte{
		"cut":                good[:len(good)-5],
		"header only":        good[:2],
		"wrong checksum":     append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1),
		"bytes after it":     append(bytes.Clone(good), 'x'),
		"corrupt":            append(bytes.Clone(good[:10]), bytes.Repeat([]byte{0xff}, 20)...),
		"gzip cut":           gzipped(`{"ID":"PLG"}`)[:15],
		"gzip header broken": []byte("\x1f\x8b\x09\xff"),
	} {
		var d Decoder
		m := d.Decode(datagram)
		if m.Invalid == nil {
			t.Errorf("%s: taken for a good message: %q", name, m.JSON)
		}
		if got := original(t, m.JSON); !bytes.Equal(got, datagram) {
			t.Errorf("%s: got back %q, want %q", name, got, datagram)
		}
		// The decoder is as good as new for the next datagram.
		if m := d.Decode(zlibbed(`{"ok":1}`)); string(m.JSON) != `{"ok":1}` {
			t.Errorf("%s: the next datagram became %q", name, m.JSON)
		}
	}
}

// original undoes the wrapping of bytes that are no JSON.
func original(t *testing.T, message []byte) []byte {
	t.Helper()
	var wrapped struct {
		Raw    *string `json:"_raw"`
		Base64 *string `json:"_raw_base64"`
		Error  string  `json:"_error"`
	}
	if err := json.Unmarshal(message, &wrapped); err != nil || wrapped.Error == "" {
		t.Fatalf("unwrap %q: %v", message, err)
	}
	if wrapped.Raw != nil {
		return []byte(*wrapped.Raw)
	}
	b, err := base64.StdEncoding.DecodeString(*wrapped.Base64)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeStopsInflatingAtTheLimit(t *testing.T) {
	d := Decoder{MaxMessageBytes: 1000}
	for name, text := range map[string]string{
		"a byte too many": `{"s":"` + strings.Repeat("x", 993) + `"}`,
		"a bomb":          strings.Repeat("\x00", 50<<20),
	} {
		m := d.Decode(zlibbed(text))
		if !errors.Is(m.Invalid, ErrTooLarge) {
			t.Errorf("%s: %v; want ErrTooLarge", name, m.Invalid)
		}
		if d.inflated.Cap() > 64<<10 {
			t.Errorf("%s: %d bytes were inflated, with a limit of %d", name, d.inflated.Cap(), d.MaxMessageBytes)
		}
	}
	exact := `{"s":"` + strings.Repeat("x", 992) + `"}`
	if m := d.Decode(zlibbed(exact)); string(m.JSON) != exact {
		t.Errorf("a message of exactly the limit was not taken: %v", m.Invalid)
	}
}

func TestDecodeDoesNotAllocateForGoodMessages(t *testing.T) {
	for name, datagram := range map[string][]byte{
		"plain":  []byte(`{"ID":"HTB","name":"webserver1","interval":30,"ver":1}`),
		"spaced": []byte(`{"ID": "HTB", "name": "webserver1", "interval": 30, "ver": 1}`),
		"zlib":   zlibbed(`{"ID": "HTB", "name": "webserver1", "interval": 30, "ver": 1}`),
		"array":  []byte(`[1, 2, 3]`),
	} {
		var d Decoder
		if n := testing.AllocsPerRun(100, func() { d.Decode(datagram) }); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, n)
		}
	}
}

// FuzzDecode: whatever comes in, one line comes out, which holds an object.
func FuzzDecode(f *testing.F) {
	for _, seed := range [][]byte{
		nil, []byte(`{"ID":"HTB"}`), []byte("[1, \n2]"), []byte("\xff\xfe"), []byte("{\"a\":\"\xff\n\"}"), []byte(`{"a":"\u0000"}`),
		zlibbed(`{"a": 1}`), gzipped(`{"a": 1}`), zlibbed("\x00\n"), []byte(strings.Repeat("[", 60_000)), []byte("8\x05x"),
	} {
		f.Add(seed)
	}
	d := Decoder{MaxMessageBytes: 1 << 16}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		before := bytes.Clone(datagram)
		m := d.Decode(datagram)
		if !bytes.Equal(before, datagram) {
			t.Fatalf("the datagram was changed")
		}
		if bytes.ContainsAny(m.JSON, "\n\r") || !json.Valid(m.JSON) || m.JSON[0] != '{' {
			t.Fatalf("Decode(%q) = %q: not one line with one JSON object", datagram, m.JSON)
		}
		if m.Invalid != nil && !bytes.HasPrefix(m.JSON, []byte(`{"_value":`)) && !isZlib(datagram) && !isGzip(datagram) {
			if got := original(t, m.JSON); !bytes.Equal(got, datagram) {
				t.Fatalf("Decode(%q) gives back %q", datagram, got)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	noise := make([]byte, 250)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	message := `{"ID":"PLG","name":"webserver0001","plugin":"cpu_monitor","cpu_percent":45.25,"load_1min":1.5,"cores":8,"note":"` +
		strings.Repeat("all is well ", 10) + `","seq":1234567}`
	for name, datagram := range map[string][]byte{
		"heartbeat": []byte(`{"ID":"HTB","name":"webserver0001","interval":30,"ver":1,"seq":1000001}`),
		"plugin":    []byte(message),
		"spaced":    []byte(strings.NewReplacer(`,"`, `, "`, `":`, `": `).Replace(message)),
		"zlib":      zlibbed(message),
		"noise":     noise,
	} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			b.SetBytes(int64(len(datagram)))
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(datagram)
			}
		})
	}
}

func TestDecodeTakesPaddingOff(t *testing.T) {
	var d Decoder
	const want = `{"ID":"HTB"}`
	for _, datagram := range []string{
		want + "\x00", want + strings.Repeat("\x00", 200), want + "\r\n\x00\x00", want + "\x00\n", "\ufeff" + want, "\ufeff" + want + "\n\x00",
		string(zlibbed(want)) + "\x00\x00", string(gzipped(want)) + "\x00", string(zlibbed(want + "\x00")),
	} {
		if m := d.Decode([]byte(datagram)); string(m.JSON) != want || m.Invalid != nil || m.Wrapped {
			t.Errorf("Decode(%q) = %s, invalid %v", datagram, m.JSON, m.Invalid)
		}
	}
	for _, datagram := range []string{"\x00", "hello\x00", want + "\x00x", string(zlibbed(want)) + "\x00x"} {
		m := d.Decode([]byte(datagram))
		if got, err := journal.AppendOriginal(nil, m.JSON); err != nil || string(got) != datagram || m.Invalid == nil {
			t.Errorf("Decode(%q) = %s, of which %q comes back, %v", datagram, m.JSON, got, err)
		}
	}
}

func TestDecodeTellsWhatBearsOurMarksFromOurOwn(t *testing.T) {
	var d Decoder
	f := func(datagram, want string) {
		t.Helper()
		m := d.Decode([]byte(datagram))
		if string(m.JSON) != want || m.Invalid != nil || !m.Wrapped {
			t.Errorf("Decode(%q) = %s, invalid %v, wrapped %v; want %s", datagram, m.JSON, m.Invalid, m.Wrapped, want)
		}
	}
	f(`{"ID": "JRN", "event": "gap", "lost": 1000000}`, `{"_value":{"ID":"JRN","event":"gap","lost":1000000},"_error":"reserved"}`)
	f(`{ "\u0049D" : "JRN" }`, `{"_value":{"\u0049D":"JRN"},"_error":"reserved"}`)
	f(`{"_raw":"x","_error":"y"}`, `{"_value":{"_raw":"x","_error":"y"},"_error":"reserved"}`)
	f(`{"_value":{"a":1},"_error":"reserved"}`, `{"_value":{"_value":{"a":1},"_error":"reserved"},"_error":"reserved"}`)
	f(string(zlibbed(`{"ID":"JRN"}`)), `{"_value":{"ID":"JRN"},"_error":"reserved"}`)
}

func TestDecodeKeepsASenderThatHasNoNumber(t *testing.T) {
	var d Decoder
	f := func(datagram, object string) {
		t.Helper()
		m := d.Decode([]byte(datagram))
		if !strings.HasPrefix(string(m.JSON), object+`,"_raw":`) || m.Invalid != nil || !m.Wrapped {
			t.Errorf("Decode(%q) = %s, invalid %v; want it to begin with %s", datagram, m.JSON, m.Invalid, object)
		}
		if got, err := journal.AppendOriginal(nil, m.JSON); err != nil || string(got) != datagram {
			t.Errorf("%s: got back %q, %v; want %q", m.JSON, got, err, datagram)
		}
	}
	f(`{"ID": "PLG", "name": "web1", "cpu": NaN}`, `{"ID":"PLG","name":"web1","cpu":null`)
	f(`{"a": Infinity, "b": [-Infinity, 1, NaN], "c": {"d": nan}}`, `{"a":null,"b":[null,1,null],"c":{"d":null}`)
	f(`{"a":-nan,"b":inf,"c":+Inf}`, `{"a":null,"b":null,"c":null`)
	f(`{"NaN":"NaN, \" Infinity","x":NaN}`, `{"NaN":"NaN, \" Infinity","x":null`)
	for _, datagram := range []string{`{"a":NaNs}`, `{NaN:1}`, `NaN`, `[NaN]`, `{"a":NaN`, `{"a":Info}`, `{"_raw":NaN}`, `{"ID":"JRN","x":NaN}`} {
		m := d.Decode([]byte(datagram))
		if got, err := journal.AppendOriginal(nil, m.JSON); m.Invalid == nil || err != nil || string(got) != datagram {
			t.Errorf("Decode(%q) = %s, of which %q comes back, %v", datagram, m.JSON, got, err)
		}
	}
}

// FuzzWhatIsKeptComesBack: what was sent, but for white space between tokens and padding, and never as one of our own.
func FuzzWhatIsKeptComesBack(f *testing.F) {
	for _, datagram := range []string{
		`{"ID":"HTB"}`, `{"ID":"JRN"}`, `{"_raw":"a","_error":"b"}`, `{"_value":1}`, `[1]`, "x", "\xff", `{"a":NaN}`, "{}\x00",
		`{"a":null,"_raw":"x","_error":"not a JSON number: NaN or Infinity"}`, `{"_value":{},"_error":"reserved"}`, "\ufeff{}",
	} {
		f.Add([]byte(datagram))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		var d Decoder
		m := d.Decode(datagram)
		if journal.IsNote(m.JSON) {
			t.Fatalf("%q is kept as a note: %s", datagram, m.JSON)
		}
		if isZlib(datagram) || isGzip(datagram) || m.Repaired {
			return
		}
		got, err := journal.AppendOriginal(nil, m.JSON)
		want := datagram
		if compact, err := journal.Compact(nil, withoutPadding(datagram)); err == nil {
			want = compact
		} else if m.Invalid == nil {
			want = withoutPadding(datagram)
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q is kept as %s, and comes back as %q, %v", datagram, m.JSON, got, err)
		}
	})
}
