package stream

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"hbjournal/sink/journal/read"
)

func TestParseKeyIsTheInverseOfKey(t *testing.T) {
	f := func(kind string, names ...string) {
		t.Helper()
		gotKind, gotNames, err := ParseKey(Key(kind, names...))
		if err != nil || gotKind != kind || !slices.Equal(gotNames, names) {
			t.Errorf("got %s %v, %v; want %s %v", gotKind, gotNames, err, kind, names)
		}
	}
	f(KindArchiver, "a")
	f(KindConfirmed, "a", "rx-1")
	f(KindAsk, "a", "rx_1")
	f(KindFigures, "r")
	f(KindOwner, strings.Repeat("r", 63))
	for _, key := range []string{
		"", "archiver", "archiver.", "confirmed.a", "confirmed.a.b.c", "figures.A", "figures...", "ask.a./", "other.a",
		"owner." + strings.Repeat("r", 64), "figures.a\x00", "figures.\u0430",
	} {
		if kind, names, err := ParseKey(key); err == nil {
			t.Errorf("%q: got %s %v", key, kind, names)
		}
	}
}

func TestCheckNameTakesNoPath(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", ".a", "A", "a b", "a\n", "\x00", strings.Repeat("a", 300), "\u00e4", `a\b`} {
		if CheckName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestDecodeReadsValuesThatItBounds(t *testing.T) {
	want := Confirmation{
		Journal: "j", Number: 5, To: read.Cursor{First: 3, Offset: 9}, Last: "l", Sequence: 8, At: time.Unix(1, 0).UTC(),
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Confirmation
	if err := Decode(append(text[:len(text)-1], `,"later":1}`...), &got); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "{", "[]", `{"to":"x"}`, `{"number":-1.5}`, "{}" + strings.Repeat(" ", MaxValue)} {
		if err := Decode([]byte(bad), &got); err == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
}

func TestUnpackIsBounded(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	var u Unpacker
	defer u.Close()
	if _, err := u.Unpack(encoder.EncodeAll(make([]byte, MaxUnpacked+1), nil)); err == nil {
		t.Error("more than the bound is unpacked")
	}
	if _, err := u.Unpack([]byte("no zstd")); err == nil {
		t.Error("what is no zstd is unpacked")
	}
	want := bytes.Repeat([]byte("line\n"), 1000)
	if got, err := u.Unpack(encoder.EncodeAll(want, nil)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
	}
}
