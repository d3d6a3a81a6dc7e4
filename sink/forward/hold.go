package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// BackfillEnding ends the name of an output that sends a part of the past apart from the rest. It holds nothing.
const BackfillEnding = ".backfill"

// A Hold knows which backups the outputs of a journal still need: all outputs that have a state, whoever ships to them, until they are
// forgotten.
type Hold struct {
	States  string       // the directory that holds one of each output
	Journal read.Options // Dir and Base
}

// A Loss is what an output has not sent and will not find any more.
type Loss struct {
	Output      string
	Lines       uint64
	From, To    read.Cursor // before the first and behind the last of them
	First, Last time.Time   // when they were received, if that can be told
}

// positions are those of all outputs, by their names. One that cannot be read needs everything.
func (h Hold) positions() map[string]read.Cursor {
	dirs, err := os.ReadDir(h.States)
	if err != nil {
		return nil
	}
	all := make(map[string]read.Cursor)
	for _, dir := range dirs {
		if !dir.IsDir() {
			continue
		}
		record, err := ReadRecord(filepath.Join(h.States, dir.Name()))
		if errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(dir.Name(), BackfillEnding) {
			continue
		}
		all[dir.Name()] = record.Cursor.Cursor
	}
	return all
}

// Done is how many of the backups with these stamps, oldest first, no output needs.
func (h Hold) Done(stamps []time.Time) int {
	done := len(stamps)
	for _, at := range h.positions() {
		needed := slices.IndexFunc(stamps, func(stamp time.Time) bool { return !stamp.Before(at.From) })
		if needed >= 0 {
			done = min(done, needed)
		}
	}
	return done
}

// Losses is what each output loses when these backups go, which are names without endings and oldest first.
func (h Hold) Losses(ctx context.Context, backups []string) []Loss {
	var all []Loss
	for name, at := range h.positions() {
		loss := Loss{Output: name}
		for _, backup := range backups {
			h.count(ctx, backup, at, &loss)
		}
		if loss.Lines > 0 {
			all = append(all, loss)
		}
	}
	slices.SortFunc(all, func(a, b Loss) int { return strings.Compare(a.Output, b.Output) })
	return all
}

// count adds the lines of a backup that lie behind a position.
func (h Hold) count(ctx context.Context, backup string, at read.Cursor, loss *Loss) {
	paths, err := filepath.Glob(filepath.Join(h.Journal.Dir, backup+"*"))
	if err != nil || len(paths) == 0 {
		return
	}
	slices.Sort(paths) // The plain file before its compressed copy.
	source, err := read.Open(read.Options{Paths: paths[:1]})
	if err != nil {
		return
	}
	defer source.Close()
	stamp := stampOf(backup, h.Journal.Base)
	if stamp.Before(at.From) {
		return
	}
	var b read.Block
	for {
		if err := source.Read(ctx, &b); err != nil {
			return // io.EOF, or a file that readers will not get more of either.
		}
		for pos := 0; pos < len(b.Data); {
			line, next := lineAt(b.Data, pos)
			start := b.At(pos)
			if start.First != at.First || start.Offset >= at.Offset {
				start.From = stamp
				loss.add(line, start, next-pos)
			}
			pos = next
		}
	}
}

func (l *Loss) add(line []byte, start read.Cursor, size int) {
	if l.Lines == 0 {
		l.From = start
	}
	l.Lines++
	l.To = start
	l.To.Offset += int64(size)
	if millis, timed := journal.LineTime(line); timed {
		l.Last = time.UnixMilli(millis)
		if l.First.IsZero() {
			l.First = l.Last
		}
	}
}

// Message appends the message of the journal's own entry about the loss.
func (l Loss) Message(dst []byte) ([]byte, error) {
	note := journal.GapNote{Reason: "forward", Lost: l.Lines}
	if !l.First.IsZero() {
		note.First, note.Last = journal.InstantOf(l.First), journal.InstantOf(l.Last)
	}
	more, err := json.Marshal(struct {
		Output string `json:"output"`
		From   string `json:"from"`
		To     string `json:"to"`
	}{l.Output, l.From.String(), l.To.String()})
	if err != nil {
		return dst, err
	}
	dst = note.Append(dst)
	dst[len(dst)-1] = ','
	return append(dst, more[1:]...), nil
}

// stampOf is the clock text in a backup's name, which has no ending.
func stampOf(backup, base string) time.Time {
	b, _ := names.Parse(base, backup)
	return b.Stamp
}

// lineAt cuts the line off that starts at pos, and returns the position behind its newline.
func lineAt(data []byte, pos int) (line []byte, next int) {
	if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
		return data[pos : pos+i], pos + i + 1
	}
	return data[pos:], len(data)
}
