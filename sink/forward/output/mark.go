package output

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"hbjournal/sink/forward"
	"hbjournal/sink/journal/read"
)

// A mark stands beside the lines of a message in a stream, as its headers. The last one of a receiver tells how far the
// stream holds its journal, and all together prove that nothing is missing: the next message begins at Hbj-N plus Hbj-Lines
// of this one, but for lines that the stream refused, which are in dead.jsonl; their numbers are in no message.
type mark struct {
	journal  string
	from, to read.Cursor
	number   int64 // of the first line, among all that this output ships
	lines    int
	last     string // forward.LineHash of the last line
}

// The headers of a mark.
const (
	headerJournal = "Hbj-Journal"
	headerFrom    = "Hbj-From"
	headerTo      = "Hbj-To"
	headerNumber  = "Hbj-N"
	headerLines   = "Hbj-Lines"
	headerLast    = "Hbj-Last"

	headerEncoding = "Content-Encoding"
	encodingZstd   = "zstd"
)

// maxJournalID bounds the id of a journal in a header, in bytes.
const maxJournalID = 256

// markOf is the mark of the lines of b, of which there is one at least. It ends right behind the last of them, even where a
// filter leaves out what follows, so that the line before that place is the last one sent.
func markOf(b *forward.Batch) mark {
	last := b.Len() - 1
	to := b.At(last)
	to.Offset += int64(len(b.Line(last))) + 1
	return mark{
		journal: b.Journal, from: b.From, to: to, number: b.Number, lines: b.Len(), last: forward.LineHash(b.Line(last)),
	}
}

// headers are the mark's headers, in a fixed order.
func (m mark) headers() [][2]string {
	return [][2]string{
		{headerJournal, m.journal},
		{headerFrom, m.from.String()},
		{headerTo, m.to.String()},
		{headerNumber, strconv.FormatInt(m.number, 10)},
		{headerLines, strconv.Itoa(m.lines)},
		{headerLast, m.last},
		{headerEncoding, encodingZstd},
	}
}

// errNoMark says that a message was made by another program.
var errNoMark = errors.New("it bears no " + headerJournal)

// parseMark is the inverse of headers. Whoever may write to the stream may have written them.
func parseMark(header func(name string) string) (m mark, err error) {
	if m.journal = header(headerJournal); m.journal == "" || len(m.journal) > maxJournalID {
		return mark{}, errNoMark
	}
	wrong := func(name string, err error) (mark, error) {
		return mark{}, fmt.Errorf("its header %s is not as it is written: %w", name, err)
	}
	if m.from, err = read.ParseCursor(header(headerFrom)); err != nil {
		return wrong(headerFrom, err)
	}
	if m.to, err = read.ParseCursor(header(headerTo)); err != nil {
		return wrong(headerTo, err)
	}
	if m.number, err = parseCount(header(headerNumber)); err != nil {
		return wrong(headerNumber, err)
	}
	lines, err := parseCount(header(headerLines))
	if err != nil || lines > math.MaxInt32 || m.number > math.MaxInt64-lines {
		return wrong(headerLines, errCount)
	}
	m.lines = int(lines)
	if m.last = header(headerLast); len(m.last) > 64 {
		return wrong(headerLast, errors.New("too long"))
	}
	return m, nil
}

var errCount = errors.New("no count")

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, errCount
	}
	return n, nil
}

// held is what the stream holds whose last message bears this mark.
func (m mark) held() forward.Held {
	return forward.Held{At: m.to, Number: m.number + int64(m.lines), Last: m.last}
}
