package streams

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// engine is a server that can be killed, with a proxy before it.
type engine interface {
	kill()
	restart()
	between() *proxy
	url(receiver string) string
	isSend(data []byte) bool
	messages(t testing.TB, receiver string) []message
	foreign(t testing.TB, receiver string) // stores a message of another program in the receiver's place
}

// message is one message of a stream, taken apart by the documentation and not by the code under test.
type message struct {
	journal, from, to string
	number            int
	lines             []string
}

func parseMessage(t testing.TB, place string, header func(string) string, body []byte) message {
	t.Helper()
	if got := header("Content-Encoding"); got != "zstd" {
		t.Fatalf("%s: Content-Encoding is %q", place, got)
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	text, err := decoder.DecodeAll(body, nil)
	if err != nil {
		t.Fatalf("%s: %v", place, err)
	}
	m := message{journal: header("Hbj-Journal"), from: header("Hbj-From"), to: header("Hbj-To")}
	if m.number, err = strconv.Atoi(header("Hbj-N")); err != nil {
		t.Fatalf("%s: Hbj-N: %v", place, err)
	}
	m.lines = strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	for i := range m.lines {
		m.lines[i] = strings.TrimSuffix(m.lines[i], "\n")
	}
	if n, err := strconv.Atoi(header("Hbj-Lines")); err != nil || n != len(m.lines) {
		t.Fatalf("%s: Hbj-Lines is %q, and it has %d", place, header("Hbj-Lines"), len(m.lines))
	}
	return m
}

// wantExactly checks that the stream holds these lines, each once and in their order, and that the numbers of its messages
// prove it.
func wantExactly(t testing.TB, all []message, journal string, want []string) {
	t.Helper()
	var got []string
	for _, m := range all {
		if m.journal != journal {
			t.Fatalf("a message of journal %q, want %q", m.journal, journal)
		}
		if m.number != len(got) {
			t.Fatalf("a message begins with line %d, want %d", m.number, len(got))
		}
		got = append(got, m.lines...)
	}
	if len(got) != len(want) {
		t.Fatalf("the stream holds %d lines, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("line %d: got %.200q, want %.200q", i, got[i], want[i])
		}
	}
}

func contains(data []byte, text string) bool { return bytes.Contains(data, []byte(text)) }
