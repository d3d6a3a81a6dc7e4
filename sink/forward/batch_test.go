package forward

import (
	"bytes"
	"strings"
	"testing"

	"hbjournal/sink/journal/read"
)

// batchOf makes a batch of lines that stand in a file one behind the other.
func batchOf(first uint64, lines ...string) *Batch {
	at := read.Cursor{First: first}
	b := NewBatch("journal", 7, at)
	for _, line := range lines {
		next := at
		next.Offset += int64(len(line)) + 1
		b.Add([]byte(line), at, next)
		at = next
	}
	return b
}

func TestAPartOfABatchKnowsWhereItStands(t *testing.T) {
	b := batchOf(1, "one", "three", "seven")
	part := b.Slice(1, 2)
	if got := string(part.Text()); got != "three\n" {
		t.Errorf("text: got %q", got)
	}
	if part.From.Offset != 4 || part.To.Offset != 10 || part.Number != 8 {
		t.Errorf("part: got from %d to %d, number %d; want 4, 10 and 8", part.From.Offset, part.To.Offset, part.Number)
	}
	if part.ID(0) != b.ID(1) {
		t.Error("a line has another id in a part of its batch")
	}
	if b.Slice(3, 3).Text() != nil {
		t.Error("an empty part has a text")
	}
}

func TestAnIDIsOneLines(t *testing.T) {
	seen := make(map[string]bool)
	for _, b := range []*Batch{batchOf(1, "a", "a", "b"), batchOf(2, "a"), batchOf(1, "c")} {
		for i := range b.Len() {
			id := b.ID(i)
			if seen[id] || len(id) != 26 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
				t.Errorf("id of %q at %d: %q, seen before: %v", b.Line(i), i, id, seen[id])
			}
			seen[id] = true
		}
	}
}

func TestAHugeLineDoesNotKeepItsMemory(t *testing.T) {
	b := NewBatch("j", 0, read.Cursor{})
	b.Add(make([]byte, 3*grownBatch), read.Cursor{}, read.Cursor{})
	if b.reset(1, read.Cursor{}); cap(b.text) > 2*grownBatch {
		t.Errorf("an empty batch keeps %d bytes", cap(b.text))
	}
}

func TestAnIDDoesNotAllocate(t *testing.T) {
	b := NewBatch("0123456789abcdef0123456789abcdef", 0, read.Cursor{First: 1})
	b.Add(bytes.Repeat([]byte("x"), 900), read.Cursor{First: 1, Offset: 5}, read.Cursor{First: 1, Offset: 906})
	id := b.AppendID(nil, 0)
	if n := testing.AllocsPerRun(100, func() { id = b.AppendID(id[:0], 0) }); n > 0 {
		t.Errorf("got %v allocations", n)
	}
	if string(id) != b.ID(0) {
		t.Errorf("got %s and %s", id, b.ID(0))
	}
}
