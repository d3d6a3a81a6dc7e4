package output

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// batchOfLines makes a batch of lines that stand in a file one behind the other, with a line between them that a filter left
// out if gap.
func batchOfLines(gap bool, lines ...string) *forward.Batch {
	at := read.Cursor{First: 1}
	b := forward.NewBatch("a-journal", 7, at)
	for _, line := range lines {
		next := at
		next.Offset += int64(len(line)) + 1
		if gap {
			next.Offset += 100
		}
		b.Add([]byte(line), at, next)
		at = next
	}
	return b
}

func TestAMarkSaysWhatTheReceiverHolds(t *testing.T) {
	for _, gap := range []bool{false, true} {
		m := markOf(batchOfLines(gap, "one", "three"))
		header := make(nats.Header)
		for _, h := range m.Headers() {
			header[h[0]] = []string{h[1]}
		}
		got, err := stream.ParseMark(header.Get)
		if err != nil || got != m {
			t.Fatalf("got %+v, %v; want %+v", got, err, m)
		}
		held := heldBy(got)
		if held.Number != 9 || held.Last != journal.LineHash([]byte("three")) {
			t.Errorf("got number %d and last line %s", held.Number, held.Last)
		}
		if want := int64(10); !gap && held.At.Offset != want || gap && held.At.Offset != want+100 {
			t.Errorf("gap %v: it holds lines up to %d, want right behind the last one sent", gap, held.At.Offset)
		}
	}
}

func TestPackingHalvesUntilItFits(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	var lines []string
	for range 100 {
		raw := make([]byte, 500)
		random.Read(raw)
		for i := range raw {
			raw[i] = 'a' + raw[i]%64
		}
		lines = append(lines, string(raw))
	}
	all := batchOfLines(false, lines...)
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	var p bundler
	var got []byte
	messages := 0
	for done := 0; done < all.Len(); messages++ {
		part, payload, err := p.pack(all.Slice(done, all.Len()), 8<<10)
		if err != nil || len(payload) == 0 || len(payload) > 8<<10 {
			t.Fatalf("got %d bytes of %d lines, %v", len(payload), part.Len(), err)
		}
		if got, err = decoder.DecodeAll(payload, got); err != nil {
			t.Fatal(err)
		}
		done += part.Len()
	}
	if !bytes.Equal(got, all.Text()) {
		t.Error("the messages together are not the batch")
	}
	if messages > 12 {
		t.Errorf("%d messages, want no more than twice what is needed", messages)
	}
	part, payload, err := p.pack(all, 100)
	if err != nil || payload != nil || part.Len() != 1 || part.Number != all.Number {
		t.Errorf("a line too large: got %d lines, %d bytes, %v; want its first line and no payload", part.Len(), len(payload), err)
	}
	control := batchOfLines(false, strings.Repeat(`\u0001`, 1<<20))
	if part, payload, err := p.pack(control, 1<<20); err != nil || part.Len() != 1 || payload == nil {
		t.Errorf("1 MiB of control bytes: got %d bytes, %v; want one message", len(payload), err)
	}
}
