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
	Err         error       // why the output will not know how many they were
}

// records are those of all outputs, by their names. One that cannot be read needs everything.
func (h Hold) records() map[string]Record {
	dirs, err := os.ReadDir(h.States)
	if err != nil {
		return nil
	}
	all := make(map[string]Record)
	for _, dir := range dirs {
		if !dir.IsDir() {
			continue
		}
		record, err := ReadRecord(filepath.Join(h.States, dir.Name()))
		if errors.Is(err, fs.ErrNotExist) || strings.HasSuffix(dir.Name(), BackfillEnding) {
			continue
		}
		all[dir.Name()] = record
	}
	return all
}

// needs is the position behind what nobody needs of an output any more: it was sent, and archivers have it, if there are any.
func (r Record) needs() read.Cursor {
	if r.Fleet.Held {
		return r.Fleet.Confirmed.Cursor
	}
	return r.Cursor.Cursor
}

// Done is how many of the backups with these stamps, oldest first, no output needs.
func (h Hold) Done(stamps []time.Time) int {
	done := len(stamps)
	for _, record := range h.records() {
		at := record.needs()
		needed := slices.IndexFunc(stamps, func(stamp time.Time) bool { return !stamp.Before(at.From) })
		if needed >= 0 {
			done = min(done, needed)
		}
	}
	return done
}

// Losses is what each output loses when these backups go, which are names without endings and oldest first. It notes that in the
// output's state, too.
func (h Hold) Losses(ctx context.Context, backups []string) []Loss {
	var all []Loss
	for name, record := range h.records() {
		loss := Loss{Output: name}
		var parts []lostPart
		for _, backup := range backups {
			part := lostPart{Stamp: stampOf(backup, h.Journal.Base)}
			h.each(ctx, backup, record.Cursor.Cursor, func(line []byte, start read.Cursor, size int) {
				loss.add(line, start, size)
				if part.First = start.First; len(bytes.TrimSpace(line)) > 0 { // Others have no number.
					part.Lines++
				}
			})
			if part.First != 0 {
				parts = append(parts, part)
			}
		}
		if loss.Lines > 0 {
			loss.Err = noteLost(filepath.Join(h.States, name), record, parts)
			all = append(all, loss)
		}
	}
	slices.SortFunc(all, func(a, b Loss) int { return strings.Compare(a.Output, b.Output) })
	return all
}

// each gives the lines of a backup that lie behind a position, with where each starts and how many bytes it takes.
func (h Hold) each(ctx context.Context, backup string, at read.Cursor, give func(line []byte, start read.Cursor, size int)) {
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
				give(line, start, next-pos)
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
