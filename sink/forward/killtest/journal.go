package killtest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

// Base is the name of the live file of a Journal.
const Base = "messages.journal"

// ID is the id of each Journal.
const ID = "killtest"

// A Journal is one that a test writes: messages {"n":0}, {"n":1} and so on, or others, a millisecond apart. What it does it does
// as the daemon and logrotate do it. Its methods may be called at the same time.
type Journal struct {
	Dir string

	mu      sync.Mutex
	t       testing.TB
	encoder *journal.Encoder
	count   int
	stamp   time.Time
}

var start = time.Now().UTC().Truncate(time.Hour).Add(-time.Hour)

// NewJournal makes an empty journal in a directory of its own.
func NewJournal(t testing.TB) *Journal { return NewJournalIn(t, t.TempDir()) }

// NewJournalIn makes an empty journal in dir.
func NewJournalIn(t testing.TB, dir string) *Journal {
	j := &Journal{Dir: dir, t: t, encoder: journal.NewEncoder(nil), stamp: start}
	j.Write(0)
	return j
}

// Options are for reading it.
func (j *Journal) Options() read.Options { return read.Options{Dir: j.Dir, Base: Base} }

// Live is the path of the live file.
func (j *Journal) Live() string { return filepath.Join(j.Dir, Base) }

// Count is how many messages were written: those with the numbers below it.
func (j *Journal) Count() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count
}

// Write appends the next n messages, in one write.
func (j *Journal) Write(n int) {
	messages := make([]string, n)
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"ID":"HTB","name":"web1","n":%d}`, j.count+i)
	}
	j.append(messages)
}

// Put appends a message, which has the next number for Count but need not say so.
func (j *Journal) Put(message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.append([]string{message})
}

// append is called with the lock held.
func (j *Journal) append(messages []string) {
	var text []byte
	for _, message := range messages {
		at := start.Add(time.Duration(j.count) * time.Millisecond)
		text = j.encoder.AppendLine(text, at, netip.MustParseAddrPort("10.0.0.1:50003"), []byte(message))
		j.count++
	}
	file, err := os.OpenFile(j.Live(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err == nil {
		_, err = file.Write(text)
	}
	j.check(err)
	j.check(file.Close())
}

// check is for goroutines of a test too, which may not end it.
func (j *Journal) check(err error) {
	if err != nil {
		j.t.Errorf("write journal: %v", err)
	}
}

// Rotate makes the live file a backup and begins a new one, whose path is never missing.
func (j *Journal) Rotate() (backup string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stamp = j.stamp.Add(time.Second)
	backup = filepath.Join(j.Dir, names.OfBackup(Base, j.stamp))
	j.check(os.Link(j.Live(), backup))
	next := filepath.Join(j.Dir, ".next")
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	j.check(err)
	j.check(file.Close())
	j.check(os.Rename(next, j.Live()))
	return backup
}

// Compress makes a zstd file of a backup in its place.
func (j *Journal) Compress(backup string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	text, err := os.ReadFile(backup)
	j.check(err)
	encoder, err := zstd.NewWriter(nil)
	j.check(err)
	temporary := filepath.Join(j.Dir, ".packing")
	j.check(os.WriteFile(temporary, encoder.EncodeAll(text, nil), 0o640))
	j.check(os.Rename(temporary, backup+".zst"))
	j.check(os.Remove(backup))
}

// Prune removes the oldest n backups, and returns the numbers of the messages that were in them.
func (j *Journal) Prune(n int) (numbers []int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	backups, err := names.Backups(j.Dir, Base)
	j.check(err)
	for _, b := range backups[:min(n, len(backups))] {
		path := filepath.Join(j.Dir, b.Name)
		text, err := os.ReadFile(path)
		j.check(err)
		numbers = append(numbers, NumbersOf(j.t, text)...)
		j.check(os.Remove(path))
	}
	return numbers
}

// NumbersOf are the numbers in lines of a journal.
func NumbersOf(t testing.TB, text []byte) (numbers []int) {
	for line := range slices.Values(splitLines(text)) {
		var entry struct {
			Message struct{ N *int }
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Errorf("a line that is no entry: %q: %v", line, err)
			continue
		}
		if entry.Message.N != nil {
			numbers = append(numbers, *entry.Message.N)
		}
	}
	return numbers
}
