package journal

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNotesAreTheDocumentedMessages(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(GapNote{"kernel", 42, 1774699200000, 1774699201500}.Append(nil),
		`{"ID":"JRN","event":"gap","reason":"kernel","lost":42,"first":1774699200.000,"last":1774699201.500}`)
	f(DuplicateNote{2, 1711234567123, 1711234567900, netip.MustParseAddr("192.168.1.100")}.Append(nil),
		`{"ID":"JRN","event":"duplicate","count":2,"first":1711234567.123,"last":1711234567.900,"source_ip":"192.168.1.100"}`)
	f(DuplicateNote{1, 0, -1, netip.MustParseAddr("fe80::1%2")}.Append(nil),
		`{"ID":"JRN","event":"duplicate","count":1,"first":0.000,"last":-0.001,"source_ip":"fe80::1"}`)
}

func TestNoteOfATakeoverIsTheDocumentedMessage(t *testing.T) {
	want := TakeoverNote{Journal: "new", Before: "ol\"d"}
	text := want.Append(nil)
	if string(text) != `{"ID":"JRN","event":"takeover","journal":"new","before":"ol\"d"}` {
		t.Errorf("got %s", text)
	}
	if got, ok := ParseTakeoverNote(text); !ok || got != want {
		t.Errorf("got %+v, %v; want %+v", got, ok, want)
	}
}

func TestNotesOfTheSealAreTheDocumentedMessages(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(SealNote{Origin: "example.com/hb", Began: true}.Append(nil),
		`{"ID":"JRN","event":"seal","origin":"example.com/hb","began":true}`)
	f(SealNote{Origin: "x/2", Began: true, Broken: "ends early", Checkpoint: "x\n1\n"}.Append(nil),
		`{"ID":"JRN","event":"seal","origin":"x/2","began":true,"broken":"ends early","checkpoint":"x\n1\n"}`)
	f(StoredNote{Origin: "x", From: 7, Number: 3, Files: 2}.Append(nil),
		`{"ID":"JRN","event":"stored","origin":"x","from":7,"number":3,"files":2,"sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`)
	f(SealNote{Origin: "x", Adopted: 7}.Append(nil), `{"ID":"JRN","event":"seal","origin":"x","adopted":7}`)
	f(PrunedNote{Origin: "x", Before: 3, Limit: "max_age", Edge: [][32]byte{{}, {31: 1}}}.Append(nil),
		`{"ID":"JRN","event":"pruned","origin":"x","before":3,"limit":"max_age","edge":[`+
			`"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="]}`)
}

func TestEdgeThatIsNoneHasNoHashes(t *testing.T) {
	for _, edge := range []string{`null`, `[1]`, `["AA=="]`, `{}`, `["` + strings.Repeat("A", 5000) + `"]`, `["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="]`} {
		n, ok := ParsePrunedNote([]byte(`{"ID":"JRN","event":"pruned","before":3,"edge":` + edge + `}`))
		if !ok || n.Before != 3 || len(n.Edge) != 0 {
			t.Errorf("%s: got %+v, %v", edge, n, ok)
		}
	}
}

func TestNoteIsReadWhateverElseMayStandInIt(t *testing.T) {
	f := func(message string, want GapNote) {
		t.Helper()
		got, ok := ParseGapNote([]byte(message))
		if !ok || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", message, got, ok, want)
		}
	}
	f(`{"ID":"JRN","event":"gap","reason":"disk","lost":7}`, GapNote{Reason: "disk", Lost: 7})
	f(`{ "event" : "gap", "lost" : 7.0, "\u0049D" : "\u004aRN", "more" : [] }`, GapNote{Lost: 7})
	f(`{"ID":"HTB","ID":"JRN","event":"gap","lost":1,"lost":2}`, GapNote{Lost: 2})
	f(`{"ID":"JRN","event":"gap","lost":1e300,"first":1e300,"last":1.7112345671239e9}`, GapNote{Lost: 1 << 53, Last: 1711234567124})
	f(`{"ID":"JRN","event":"gap","lost":-1,"first":"x","last":null,"reason":null}`, GapNote{})
	f(`{"ID":"JRN","event":"gap","lost":99999999999999999999999,"first":1774699200,"last":1774699200.5}`,
		GapNote{Lost: 1 << 53, First: 1774699200000, Last: 1774699200500})
}

func TestOnlyTheMessageItselfMakesANote(t *testing.T) {
	for _, message := range []string{
		`{}`, `{"ID":"HTB"}`, `{"ID":"jrn"}`, `{"id":"JRN"}`, `{"ID":["JRN"]}`, `{"ID":{"ID":"JRN"}}`, `{"name":"JRN"}`, `{"ID":"JRN "}`,
		`{"ID":"JRN","ID":"HTB"}`, `{"x":"\"ID\":\"JRN\""}`, `{"x":{"ID":"JRN","event":"gap"}}`, `{"ID":null}`,
		`{"_value":{"ID":"JRN","event":"gap","lost":1},"_error":"reserved"}`,
	} {
		if IsNote([]byte(message)) {
			t.Errorf("%s is taken for a note", message)
		}
	}
	if _, ok := ParseGapNote([]byte(`{"ID":"JRN","event":"duplicate"}`)); ok {
		t.Error("a note of a duplicate is taken for one of a gap")
	}
	if _, ok := ParseDuplicateNote([]byte(`{"ID":"JRN","event":"gap"}`)); ok {
		t.Error("a note of a gap is taken for one of a duplicate")
	}
}

func FuzzGapNote(f *testing.F) {
	f.Add("kernel", uint64(42), int64(1774699200000), int64(-1))
	f.Add("a\"\\\n\x00 é", uint64(1<<53), int64(0), int64(999))
	f.Fuzz(func(t *testing.T, reason string, lost uint64, first, last int64) {
		want := GapNote{strings.ToValidUTF8(reason, "?"), lost % (1<<53 + 1), Instant(first % 1e18), Instant(last % 1e18)}
		message := want.Append(nil)
		got, ok := ParseGapNote(message)
		if !ok || got != want || !isObject(message) || !utf8.Valid(message) {
			t.Errorf("%s: got %+v, %v; want %+v", message, got, ok, want)
		}
	})
}

func FuzzDuplicateNote(f *testing.F) {
	f.Add(uint64(2), int64(1711234567123), int64(-1), "192.168.1.100")
	f.Add(uint64(0), int64(0), int64(1), "fe80::1")
	f.Fuzz(func(t *testing.T, count uint64, first, last int64, source string) {
		addr, _ := netip.ParseAddr(source)
		if !addr.IsValid() {
			t.Skip()
		}
		want := DuplicateNote{count % (1<<53 + 1), Instant(first % 1e18), Instant(last % 1e18), addr.WithZone("")}
		message := want.Append(nil)
		got, ok := ParseDuplicateNote(message)
		if !ok || got != want || !isObject(message) {
			t.Errorf("%s: got %+v, %v; want %+v", message, got, ok, want)
		}
	})
}

func FuzzSealNote(f *testing.F) {
	f.Add("x", true, "why", uint64(7), "close", "x\n1\n")
	f.Fuzz(func(t *testing.T, origin string, began bool, broken string, adopted uint64, at, checkpoint string) {
		for _, text := range []string{origin, broken, at, checkpoint} {
			if !utf8.ValidString(text) {
				t.Skip()
			}
		}
		want := SealNote{origin, began, broken, adopted % (1 << 53), at, checkpoint}
		message := want.Append(nil)
		if compact, err := Compact(nil, message); err != nil || string(compact) != string(message) {
			t.Fatalf("%s is not compact JSON: %v", message, err)
		}
		if got, ok := ParseSealNote(message); !ok || got != want {
			t.Errorf("got %+v, %v; want %+v", got, ok, want)
		}
	})
}

func FuzzStoredNote(f *testing.F) {
	f.Add("x", uint64(1000), uint64(7), uint64(3), []byte("01234567890123456789012345678901"))
	f.Fuzz(func(t *testing.T, origin string, from, number, files uint64, sum []byte) {
		if !utf8.ValidString(origin) || len(sum) < 32 {
			t.Skip()
		}
		want := StoredNote{origin, from % (1 << 53), number % (1 << 53), files % (1 << 53), [32]byte(sum[:32])}
		if got, ok := ParseStoredNote(want.Append(nil)); !ok || got != want {
			t.Errorf("got %+v, %v; want %+v", got, ok, want)
		}
	})
}

func FuzzPrunedNote(f *testing.F) {
	f.Add("x", uint64(1000), "max_backups", []byte("01234567890123456789012345678901"))
	f.Fuzz(func(t *testing.T, origin string, before uint64, limit string, hashes []byte) {
		if !utf8.ValidString(origin) || !utf8.ValidString(limit) {
			t.Skip()
		}
		want := PrunedNote{Origin: origin, Before: before % (1 << 53), Limit: limit}
		for ; len(hashes) >= 32 && len(want.Edge) < maxEdge; hashes = hashes[32:] {
			want.Edge = append(want.Edge, [32]byte(hashes))
		}
		got, ok := ParsePrunedNote(want.Append(nil))
		if !ok || got.Origin != want.Origin || got.Before != want.Before || got.Limit != want.Limit || !slices.Equal(got.Edge, want.Edge) {
			t.Errorf("got %+v, %v; want %+v", got, ok, want)
		}
	})
}
