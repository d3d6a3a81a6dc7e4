package life

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hbjournal/sink/forward/durable"
)

// Span is a time in which the daemon listened, up to its last sign of life.
type Span struct {
	From, To time.Time
	Ended    bool // by itself
}

const (
	fileName  = "life"
	mostSpans = 1000
	mostBytes = 64 * 2 * mostSpans // of a file that is read
)

// Path is the file in the state directory of a journal.
func Path(stateDir string) string { return filepath.Join(stateDir, fileName) }

// Read returns the spans that stand in the state directory of a journal, in the order in which they began. There are none
// if the file is not there.
func Read(stateDir string) ([]Span, error) {
	spans, err := read(Path(stateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read when the daemon listened: %w", err)
	}
	return spans, nil
}

func read(path string) ([]Span, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|durable.NoFollow, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostBytes))
	if err != nil {
		return nil, err
	}
	if spans, whole := parse(text); whole {
		return spans, nil
	}
	// The last line may have been written at this moment. What is not whole the second time is damaged.
	if n, err := file.ReadAt(text, 0); err == nil || err == io.EOF {
		text = text[:n]
	}
	spans, _ := parse(text)
	return spans, nil
}

// parse reads the lines, and reports whether all of them are whole.
func parse(text []byte) (spans []Span, whole bool) {
	whole = true
	for line := range bytes.Lines(text) {
		span, ok := parseLine(string(line))
		if !ok {
			whole = false
			continue
		}
		spans = append(spans, span)
	}
	return spans[max(0, len(spans)-mostSpans):], whole
}

// The words for how a span ends, of equal length, so that a line can be written over.
const (
	wordAlive = "alive"
	wordEnded = "ended"
)

func appendLine(dst []byte, s Span) []byte {
	word := wordAlive
	if s.Ended {
		word = wordEnded
	}
	from := len(dst)
	dst = append(appendSeconds(dst, s.From), ' ')
	dst = append(appendSeconds(dst, s.To), ' ')
	dst = append(append(dst, word...), ' ')
	return fmt.Appendf(dst, "%08x\n", crc32.ChecksumIEEE(dst[from:]))
}

// appendSeconds appends t in a text of fixed length.
func appendSeconds(dst []byte, t time.Time) []byte {
	millis := max(0, t.UnixMilli())
	return fmt.Appendf(dst, "%012d.%03d", millis/1000, millis%1000)
}

func parseLine(line string) (s Span, ok bool) {
	words := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	if len(words) != 4 {
		return s, false
	}
	from, errFrom := strconv.ParseInt(strings.Replace(words[0], ".", "", 1), 10, 64)
	to, errTo := strconv.ParseInt(strings.Replace(words[1], ".", "", 1), 10, 64)
	if errFrom != nil || errTo != nil {
		return s, false
	}
	s = Span{From: time.UnixMilli(from).UTC(), To: time.UnixMilli(to).UTC(), Ended: words[2] == wordEnded}
	return s, string(appendLine(nil, s)) == line
}
