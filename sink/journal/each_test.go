package journal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestOfAMemberThatStandsTwiceTheLastOneCountsAtTheFirstPlace(t *testing.T) {
	f := func(object, want string) {
		t.Helper()
		var got strings.Builder
		for _, m := range AppendMembers(nil, []byte(object)) {
			fmt.Fprintf(&got, "%s=%s ", m.Name, m.Value)
		}
		if strings.TrimSpace(got.String()) != want {
			t.Errorf("%s: got %q, want %q", object, got.String(), want)
		}
	}
	f(`{"a":1,"b":2}`, "a=1 b=2")
	f(`{"a":1,"b":2,"a":{"c":3}}`, `a={"c":3} b=2`)
	f(`{"a":1, "\u0061" : null}`, "a=null")
	f(`{}`, "")
	f(`[1]`, "")
	var many, want strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"k%d":0,`, i)
		fmt.Fprintf(&want, "k%d=%d ", i, i)
	}
	for i := range 100 {
		fmt.Fprintf(&many, `,"k%d":%d`, i, i)
	}
	f("{"+strings.Replace(many.String(), ",,", ",", 1)+"}", strings.TrimSpace(want.String()))
}

func TestElementsOfAnArray(t *testing.T) {
	f := func(array, want string) {
		t.Helper()
		if got := string(bytes.Join(AppendElements(nil, []byte(array)), []byte("|"))); got != want {
			t.Errorf("%s: got %q, want %q", array, got, want)
		}
	}
	f(`[1,"a,]",[2,[3]], {"b":[4]} ,null]`, `1|"a,]"|[2,[3]]|{"b":[4]}|null`)
	f(` [ true ] `, `true`)
	f(`[]`, ``)
	f(`{"a":1}`, ``)
	f(``, ``)
	f(`[1,2`, `1|2`)
	f(`[1,,2]`, `1`)
}
