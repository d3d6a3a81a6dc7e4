package output

import (
	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
)

// markOf is the mark of the lines of b, of which there is one at least. It ends right behind the last of them, even where a
// filter leaves out what follows, so that the line before that place is the last one sent.
func markOf(b *forward.Batch) stream.Mark {
	last := b.Len() - 1
	to := b.At(last)
	to.Offset += int64(len(b.Line(last))) + 1
	m := stream.Mark{
		Journal: b.Journal, From: b.From, To: to, Number: b.Number, Lines: b.Len(), Last: journal.LineHash(b.Line(last)),
	}
	if b.Gone != nil {
		m.Gone = stream.Gone{From: b.Gone.From, Reason: b.Gone.Reason}
	}
	return m
}

// heldBy is what a stream holds whose last message bears this mark.
func heldBy(m stream.Mark) forward.Held {
	return forward.Held{At: m.To, Number: m.Next(), Last: m.Last}
}
