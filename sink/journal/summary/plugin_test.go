package summary

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fieldsOf returns the fields of the only plugin in messages, as name=minimum..maximum.
func fieldsOf(t *testing.T, messages ...string) []string {
	t.Helper()
	var all []told
	for i, message := range messages {
		all = append(all, told{float64(i), message})
	}
	var out []string
	for _, f := range summarize(t, all...).Plugins[0].Fields {
		out = append(out, fmt.Sprintf("%s=%v..%v", f.Name, f.Min, f.Max))
	}
	return out
}

func TestNumbersInsideOfObjectsAndArraysAreFieldsToo(t *testing.T) {
	f := func(message string, want ...string) {
		t.Helper()
		if got := fieldsOf(t, message); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
	f(`{"plugin":"p","a":1,"mem":{"used":2,"of":{"max":3}},"b":4}`, "a=1..1", "mem.used=2..2", "mem.of.max=3..3", "b=4..4")
	f(`{"plugin":"p","disk":[{"path":"/","used_percent":41.5},{"used_percent":50}]}`,
		"disk.0.used_percent=41.5..41.5", "disk.1.used_percent=50..50")
	f(`{"plugin":"p","load":[1.5,"x",[],{},2.5]}`, "load.0=1.5..1.5", "load.4=2.5..2.5")
	f(`{"plugin":"p","mem":{"ID":1,"interval":2,"ver":3}}`, "mem.ID=1..1", "mem.interval=2..2", "mem.ver=3..3")
	f(`{"plugin":"p","a.b":1,"a":{"b":2}}`, `a\.b=1..1`, "a.b=2..2")
	f(`{"plugin":"p","\u006dem":{"\u0075sed":1}}`, "mem.used=1..1")
	f(`{"plugin":"p", "mem" : { "used" : 1 , "free" : 2 } , "l" : [ 1 , 2 ] }`, "mem.used=1..1", "mem.free=2..2", "l.0=1..1", "l.1=2..2")
}

func TestOfAKeyThatStandsTwiceTheLastOneIsAField(t *testing.T) {
	f := func(message string, want ...string) {
		t.Helper()
		if got := fieldsOf(t, message); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", message, got, want)
		}
	}
	f(`{"plugin":"p","x":1,"x":2}`, "x=2..2")
	f(`{"plugin":"p","x":1,"\u0078":2}`, "x=2..2")
	f(`{"plugin":"p","x":1,"x":"text"}`)
	f(`{"plugin":"p","mem":{"used":1},"mem":{"used":2}}`, "mem.used=2..2")
	f(`{"plugin":"p","mem":{"used":1},"mem":3}`, "mem=3..3")
	f(`{"plugin":"q","mem":{"used":1,"used":2},"plugin":"p"}`, "mem.used=2..2")
	var many strings.Builder
	for i := range 2 * fewPairs {
		fmt.Fprintf(&many, `"k%d":0,`, i%(fewPairs+10))
	}
	if got := fieldsOf(t, `{`+many.String()+`"plugin":"p","k3":7}`); len(got) != fewPairs+10 || got[len(got)-1] != "k3=7..7" {
		t.Errorf("many keys: got %d fields, the last %q, want %d and k3 of 7", len(got), got[len(got)-1], fewPairs+10)
	}
}

func TestNestedFieldsAreBounded(t *testing.T) {
	deep := strings.Repeat(`{"d":`, 150) + "1" + strings.Repeat("}", 150)
	if got := fieldsOf(t, `{"plugin":"p","deep":`+deep+`,"flat":1}`); !slices.Equal(got, []string{"flat=1..1"}) {
		t.Errorf("deep: got %q, want flat only", got)
	}
	nested := strings.Repeat(`{"d":`, maxDepth-1) + "1" + strings.Repeat("}", maxDepth-1)
	if got := fieldsOf(t, `{"plugin":"p","deep":`+nested+`}`); len(got) != 1 {
		t.Errorf("%d levels: got %q, want the field", maxDepth, got)
	}
	long := "[" + strings.Repeat("1,", 10_000) + "1]"
	if got := fieldsOf(t, `{"plugin":"p","long":`+long+`,"flat":1}`); len(got) != maxElements+1 || got[maxElements] != "flat=1..1" {
		t.Errorf("long: got %d fields, want the first %d elements, and flat", len(got), maxElements)
	}
	f := func(what, message string, want int64) {
		t.Helper()
		if got := summarize(t, told{0, message}).Unfollowed; got != want {
			t.Errorf("%s: got %d values left out, want %d", what, got, want)
		}
	}
	f("deep", `{"plugin":"p","deep":`+deep+`,"flat":1}`, 1)
	f("long", `{"plugin":"p","long":`+long+`,"flat":1}`, 1)
	f("exactly so long", `{"plugin":"p","long":[`+strings.Repeat("1,", maxElements-1)+`1]}`, 0)
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	f("many", `{"plugin":"p"`+many.String()+`}`, 10_000-maxFields)
	for _, torn := range []string{`{"plugin":"p","a":[1,2`, `{"plugin":"p","a":[1,,2]}`, `{"plugin":"p","a":[1 2]}`, `{"plugin":"p","a":{"b":1`} {
		appendElements(nil, []byte(torn[16:])) // must not panic
	}
}

func TestNullIsNoName(t *testing.T) {
	r := summarize(t, told{0, `{"ID":null,"name":null,"plugin":null,"x":1}`})
	if len(r.Hosts) != 0 || len(r.Plugins) != 0 || r.IDs[0].Name != "" || r.Unnamed.Messages != 1 {
		t.Errorf("got hosts %+v, plugins %+v, IDs %+v, want none and a message without a name", r.Hosts, r.Plugins, r.IDs)
	}
}

func TestNestedFieldsOfKnownNamesAllocateNothing(t *testing.T) {
	s := New()
	e := parse(t, noon, 1, `{"ID":"PLG","plugin":"p","name":"a","mem":{"used":1},"disk":[{"used_percent":2},{"used_percent":3}],"a.b":4}`)
	s.Add(&e)
	if got := testing.AllocsPerRun(100, func() { s.Add(&e) }); got != 0 {
		t.Errorf("allocations per entry: got %v, want 0", got)
	}
}
