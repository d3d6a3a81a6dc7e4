package journal

import (
	"strings"
	"testing"
)

func TestFilterBySource(t *testing.T) {
	f := func(want bool, prefixes ...string) {
		t.Helper()
		var opt FilterOptions
		for _, p := range prefixes {
			n, err := ParseNetwork(p)
			if err != nil {
				t.Fatal(err)
			}
			opt.Sources = append(opt.Sources, n)
		}
		filter, err := NewFilter(opt)
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseLine([]byte(`{"timestamp":1774699200.000,"datetime":"2026-03-28T12:00:00","source_ip":"192.168.1.100","source_port":50003,"message":{"ID":"HTB"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Match(&e); got != want {
			t.Errorf("%v: got %v, want %v", prefixes, got, want)
		}
	}
	f(true)
	f(true, "192.168.1.100/32")
	f(true, "10.0.0.0/8", "192.168.0.0/16")
	f(false, "10.0.0.0/8", "::/0")
}

func TestFilterTellsWhatIsWrongWithAField(t *testing.T) {
	f := func(field Field, want string) {
		t.Helper()
		_, err := NewFilter(FilterOptions{Fields: []Field{field}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q in it", field, err, want)
		}
	}
	f(Field{"a", []string{"[x"}}, `a=[x: unclosed "[x"`)
	f(Field{"", []string{"x"}}, `no field name before = in "x"`)
}
