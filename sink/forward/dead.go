package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hbjournal/sink/forward/durable"
)

// A Letter is a line that the receiver refused, as it stands in dead.jsonl; or a range of lines, of which it refused some
// without saying which. Those of a range are not sent again.
type Letter struct {
	Time   time.Time `json:"time"` // when it was refused
	Output string    `json:"output"`
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	ID     string    `json:"id"`
	Cursor string    `json:"cursor"`            // where the line starts in the journal
	To     string    `json:"to,omitempty"`      // of a range: behind its last line
	Lines  int       `json:"lines,omitempty"`   // of a range
	Count  int       `json:"refused,omitempty"` // of a range: lines that were refused; which, the receiver did not say
	Line   string    `json:"line,omitempty"`
	Base64 []byte    `json:"line_base64,omitempty"` // in place of Line, of one that is not UTF-8
}

// Text is the line, without its newline.
func (l Letter) Text() []byte {
	if l.Base64 != nil {
		return l.Base64
	}
	return []byte(l.Line)
}

// maxReason is how much of a receiver's words is kept.
const maxReason = 1 << 10

// letterOf is the i-th line of b as it is put aside.
func letterOf(b *Batch, i int, refused Refused, output string, now time.Time) Letter {
	l := Letter{
		Time: now.UTC(), Output: output, Code: printable(refused.Code, 64), Reason: printable(refused.Reason, maxReason),
		ID: b.ID(i), Cursor: b.At(i).String(),
	}
	if line := b.Line(i); utf8.Valid(line) {
		l.Line = string(line)
	} else {
		l.Base64 = append([]byte{}, line...)
	}
	return l
}

// rangeOf is a range of b as it is put aside.
func rangeOf(b *Batch, u Unnamed, output string, now time.Time) Letter {
	part := b.Slice(u.From, u.To)
	return Letter{
		Time: now.UTC(), Output: output, Code: printable(u.Code, 64), Reason: printable(u.Reason, maxReason),
		ID: part.ID(0), Cursor: part.From.String(), To: part.To.String(), Lines: part.Len(), Count: u.Count,
	}
}

// printable is what a stranger said, on one line and not longer than most bytes.
func printable(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), most)], "")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// errDeadFull says that dead.jsonl has no room: the output waits until somebody has looked at it.
var errDeadFull = errors.New("dead.jsonl is full")

// letters is dead.jsonl.
type letters struct {
	dir   string
	limit int64 // bytes that it may grow to; 0: no limit
}

func (d letters) path() string { return filepath.Join(d.dir, deadFile) }

// lock keeps another process from taking dead.jsonl away meanwhile.
func (d letters) lock() (*os.File, error) {
	lock, err := durable.Lock(filepath.Join(d.dir, deadLock))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d.path(), err)
	}
	return lock, nil
}

// size is how long dead.jsonl is; 0 if it is not there.
func (d letters) size() (int64, error) {
	info, err := os.Stat(d.path())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// put appends letters durably behind the first hold bytes, and cuts off what else is there: it was written for lines that
// are dealt with again. It returns how many bytes hold then. A file that somebody took away is begun anew.
func (d letters) put(all []Letter, hold int64) (int64, error) {
	text, err := appendLetters(nil, all)
	if err != nil {
		return hold, err
	}
	lock, err := d.lock()
	if err != nil {
		return hold, err
	}
	defer lock.Close()
	size, err := d.size()
	if err != nil {
		return hold, fmt.Errorf("put lines aside: %w", err)
	}
	hold = min(hold, size)
	if len(text) == 0 && size == hold {
		return hold, nil
	}
	if d.limit > 0 && len(text) > 0 && hold+int64(len(text)) > d.limit {
		return hold, fmt.Errorf("%w: %d bytes, and %d more would exceed dead_max=%d", errDeadFull, hold, len(text), d.limit)
	}
	return d.write(text, hold)
}

func (d letters) write(text []byte, hold int64) (int64, error) {
	file, err := os.OpenFile(d.path(), os.O_WRONLY|os.O_CREATE|durable.NoFollow, 0o640)
	if err != nil {
		return hold, fmt.Errorf("put lines aside: %w", err)
	}
	if err = file.Truncate(hold); err == nil {
		_, err = file.WriteAt(text, hold)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil && hold == 0 {
		err = durable.SyncDirectory(d.dir)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return hold, fmt.Errorf("put lines aside: %w", err)
	}
	return hold + int64(len(text)), nil
}

func appendLetters(dst []byte, all []Letter) ([]byte, error) {
	for _, l := range all {
		line, err := json.Marshal(l)
		if err != nil {
			return nil, fmt.Errorf("put a line aside: %w", err)
		}
		dst = append(append(dst, line...), '\n')
	}
	return dst, nil
}

// ReadLetters reads a file such as dead.jsonl.
func ReadLetters(path string) ([]Letter, error) {
	all, _, err := readLetters(path)
	return all, err
}

// readLetters also returns how many bytes the letters take that it could read.
func readLetters(path string) (all []Letter, whole int64, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|durable.NoFollow, 0)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	for decoder := json.NewDecoder(file); ; {
		var l Letter
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			return all, whole, nil
		}
		if err != nil {
			return all, whole, fmt.Errorf("read %s: %w", path, err)
		}
		all, whole = append(all, l), decoder.InputOffset()
	}
}
