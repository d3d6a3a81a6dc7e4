package presence

import (
	"slices"
	"testing"
)

func TestABoardThatWasSavedGoesOnAsItWouldHave(t *testing.T) {
	all := merged(every("a", 10, 0, 300), every("b", 15, 40, 200), every("a", 10, 500, 600), every("c", 7, 100, 150), every("c", 7, 400, 900),
		[]told{{30, `{"ID":"PLG","name":"p"}`}, {210, `{"ID":"JRN","event":"gap","reason":"kernel","lost":3,"first":1774699390.000,"last":1774699400.000}`}})
	whole := boardOf(t, Options{}, all...)
	want := append(whole.Changes(at(2000)), Event{ID: states(whole, 2000)})
	for cut := range all {
		b := boardOf(t, Options{}, all[:cut]...)
		got := b.Changes(b.Now())
		text, err := b.Save()
		if err != nil {
			t.Fatal(err)
		}
		if b, err = Load(Options{Events: true}, text); err != nil {
			t.Fatal(err)
		}
		for _, one := range all[cut:] {
			b.Add(entry(t, "/j", one))
		}
		got = append(append(got, b.Changes(at(2000))...), Event{ID: states(b, 2000)})
		if !slices.Equal(got, want) {
			t.Fatalf("saved after %d entries:\ngot  %v\nwant %v", cut, got, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	b := New(Options{})
	for _, one := range merged(every("a", 10, 0, 60), every("b", 15, 2, 20), []told{{70, `{}`}}) {
		b.Add(entry(f, "/j", one))
	}
	text, err := b.Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"hosts":[{"name":"a","receiver":0,"interval":1,"nth":1,"told":true}],"receivers":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Load(Options{Events: true}, text)
		if err != nil {
			return
		}
		b.Judge(at(0))
		b.Add(entry(t, "/j", beatOf("a", 10, 1)[0]))
		b.Changes(at(100))
	})
}
