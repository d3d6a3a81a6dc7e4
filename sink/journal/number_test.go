package journal

import (
	"math"
	"strconv"
	"testing"

	"github.com/tidwall/gjson"
)

func TestTextBytesIsWhatAValueSays(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		if got := TextBytes([]byte(value)); string(got) != want || Text([]byte(value)) != want {
			t.Errorf("%s: got %q, and as a string %q, want %q", value, got, Text([]byte(value)), want)
		}
	}
	f(`"web1"`, "web1")
	f(`"\u0041\n"`, "A\n")
	f(`12`, "12")
	f(`""`, "")
	f(`null`, "")
	f(``, "")
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
			Number([]byte(text)) // must not panic
			return
		}
		text = gjson.Parse(text).Raw
		want, err := strconv.ParseFloat(text, 64)
		got, ok := Number([]byte(text))
		if ok != (err == nil) || ok && (got != want || math.Signbit(got) != math.Signbit(want)) {
			t.Errorf("%s: got %v, %v, want %v, %v", text, got, ok, want, err)
		}
	})
}
