package stream

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"hbjournal/sink/journal/read"
)

// A Mark stands beside the lines of a message, as its headers. The last one of a receiver tells how far the stream holds
// its journal, and all together prove that nothing is missing: the next message begins at Hbj-N plus Hbj-Lines of this one,
// but for lines that are in no message, of which Hbj-Gone tells. Marks can be compared.
type Mark struct {
	Journal  string // the journal's id
	From, To read.Cursor
	Number   int64 // of the first line, among all that the receiver ships
	Lines    int
	Last     string // journal.LineHash of the last line
	Gone     Gone
}

// Gone says that the lines numbered [From, Number of the mark) are in no message, and never will be.
type Gone struct {
	From   int64
	Reason string // GoneRefused or GonePruned; "": there are no such lines
}

// Why lines are in no message.
const (
	GoneRefused = "refused" // the stream takes no message so large
	GonePruned  = "pruned"  // the receiver had to make room before they were sent
)

// The headers of a mark.
const (
	headerJournal = "Hbj-Journal"
	headerFrom    = "Hbj-From"
	headerTo      = "Hbj-To"
	headerNumber  = "Hbj-N"
	headerLines   = "Hbj-Lines"
	headerLast    = "Hbj-Last"
	headerGone    = "Hbj-Gone"

	headerEncoding = "Content-Encoding"
	encodingZstd   = "zstd"
)

// MaxJournalID bounds the id of a journal in a header, in bytes.
const MaxJournalID = 256

// Next is the number of the line behind the last one.
func (m Mark) Next() int64 { return m.Number + int64(m.Lines) }

// Begins is the number of the first line that the message tells of, be it in it or gone.
func (m Mark) Begins() int64 {
	if m.Gone.Reason != "" {
		return m.Gone.From
	}
	return m.Number
}

// Headers are the mark's headers, in a fixed order.
func (m Mark) Headers() [][2]string {
	all := [][2]string{
		{headerJournal, m.Journal},
		{headerFrom, m.From.String()},
		{headerTo, m.To.String()},
		{headerNumber, strconv.FormatInt(m.Number, 10)},
		{headerLines, strconv.Itoa(m.Lines)},
		{headerLast, m.Last},
		{headerEncoding, encodingZstd},
	}
	if m.Gone.Reason != "" {
		all = append(all, [2]string{headerGone, strconv.FormatInt(m.Gone.From, 10) + " " + m.Gone.Reason})
	}
	return all
}

// ErrNoMark says that a message was made by another program.
var ErrNoMark = errors.New("it bears no " + headerJournal)

// ParseMark is the inverse of Headers. Whoever may write to the stream may have written them.
func ParseMark(header func(name string) string) (m Mark, err error) {
	if m.Journal = header(headerJournal); m.Journal == "" || len(m.Journal) > MaxJournalID {
		return Mark{}, ErrNoMark
	}
	wrong := func(name string, err error) (Mark, error) {
		return Mark{}, fmt.Errorf("its header %s is not as it is written: %w", name, err)
	}
	if m.From, err = read.ParseCursor(header(headerFrom)); err != nil {
		return wrong(headerFrom, err)
	}
	if m.To, err = read.ParseCursor(header(headerTo)); err != nil {
		return wrong(headerTo, err)
	}
	if m.Number, err = parseCount(header(headerNumber)); err != nil {
		return wrong(headerNumber, err)
	}
	lines, err := parseCount(header(headerLines))
	if err != nil || lines > math.MaxInt32 || m.Number > math.MaxInt64-lines {
		return wrong(headerLines, errCount)
	}
	m.Lines = int(lines)
	if m.Last = header(headerLast); len(m.Last) > 64 {
		return wrong(headerLast, errors.New("too long"))
	}
	if m.Gone, err = parseGone(header(headerGone), m.Number); err != nil {
		return wrong(headerGone, err)
	}
	return m, nil
}

// parseGone reads what is said of lines before the one with this number.
func parseGone(text string, number int64) (g Gone, err error) {
	if text == "" {
		return Gone{}, nil
	}
	first, reason, _ := strings.Cut(text, " ")
	if g.From, err = parseCount(first); err != nil {
		return Gone{}, err
	}
	if g.From >= number || reason != GoneRefused && reason != GonePruned {
		return Gone{}, errors.New("no earlier number with the reason " + GoneRefused + " or " + GonePruned)
	}
	g.Reason = reason
	return g, nil
}

var errCount = errors.New("no count")

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, errCount
	}
	return n, nil
}
