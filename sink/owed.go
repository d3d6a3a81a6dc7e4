package sink

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hbjournal/sink/journal"
)

// owed is what the next start must note if this process cannot: on a full disk the note about a loss cannot be written
// either, so this is kept in the journal's reserve.
type owed struct {
	Lost    []keptLoss `json:"lost,omitempty"`
	Waiting *waiting   `json:"waiting,omitempty"`

	// Noting is the part of Lost whose note is being written. A kill leaves this here, though the note may be in the file
	// already; then it stands at its end.
	Noting *keptLoss `json:"noting,omitempty"`
	// Drops has what has been counted of sockets that outlive the process, Lost included, so that what a kill leaves is
	// always of one moment.
	Drops []socketDrops `json:"drops,omitempty"`
}

// keptLoss is a loss that no note in the file tells of.
type keptLoss struct {
	Reason string `json:"reason"`
	Lost   uint64 `json:"lost"`
	First  int64  `json:"first"` // Unix milliseconds; 0: not known
	Last   int64  `json:"last"`
}

func kept(l loss) keptLoss {
	return keptLoss{l.reason, l.lost, int64(journal.InstantOf(l.first)), int64(journal.InstantOf(l.last))}
}

func (k keptLoss) loss() loss {
	return loss{k.Reason, k.Lost, journal.Instant(k.First).Time(), journal.Instant(k.Last).Time()}
}

// waiting are the entries in memory while writes fail. If the process is killed, they are lost, except those that were
// written after this was kept: these stand in the live file behind its first Size bytes.
type waiting struct {
	Entries uint64 `json:"entries"`
	First   int64  `json:"first"` // Unix milliseconds; since when writes fail
	Last    int64  `json:"last"`
	Size    int64  `json:"size"`
}

// keeping is what the reserve holds at present.
type keeping struct {
	any atomic.Bool // kept is not empty

	mu     sync.Mutex
	kept   owed
	synced bool  // it is safe from a power cut
	err    error // why the last change could not be kept; the log knows of it
}

// owed is what is owed at this moment.
func (j *Journal) owed() owed {
	size := j.file.Stats().Bytes
	failing, since := j.health.failing("write")
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	var o owed
	for _, l := range j.losses.owed {
		o.Lost = append(o.Lost, kept(l))
	}
	if j.noting != nil {
		noting := kept(*j.noting)
		o.Noting = &noting
	}
	o.Drops = slices.Clone(j.drops)
	if failing && j.queue.entries > 0 {
		o.Waiting = &waiting{j.queue.entries, since.UnixMilli(), j.opts.Now().UnixMilli(), size}
	}
	return o
}

// keepOwed keeps what is owed, if that has changed. A failure is logged when it begins and when it ends.
func (j *Journal) keepOwed(sync bool) error {
	k := &j.keeping
	k.mu.Lock()
	defer k.mu.Unlock()
	o := j.owed()
	if o.Waiting != nil && k.kept.Waiting != nil && o.Waiting.Entries == k.kept.Waiting.Entries && o.Waiting.Size == k.kept.Waiting.Size {
		o.Waiting = k.kept.Waiting // Only the time has gone on.
	}
	if reflect.DeepEqual(o, k.kept) && (k.synced || !sync) {
		return nil
	}
	err := j.putOwed(o, sync)
	switch {
	case err != nil && k.err == nil:
		j.opts.Log.Error().Err(err).Msg("journal cannot keep what is lost for the next start to note; trying again")
	case err == nil && k.err != nil:
		j.opts.Log.Info().Msg("journal can keep what is lost again")
	}
	k.err = err
	if err == nil {
		k.kept, k.synced = o, sync
		k.any.Store(o.Lost != nil || o.Waiting != nil)
	}
	return err
}

func (j *Journal) putOwed(o owed, sync bool) error {
	text, err := json.Marshal(o)
	if err == nil {
		err = j.file.Keep(text, sync)
	}
	if err != nil {
		return fmt.Errorf("keep what is lost for the next start: %w", err)
	}
	return nil
}

// recall takes over what an earlier process owed: it is noted in the journal, and not counted as a loss of this process.
func (j *Journal) recall() {
	text := j.file.Kept()
	if len(text) == 0 {
		return
	}
	var before owed
	if err := json.Unmarshal(text, &before); err != nil {
		j.opts.Log.Warn().Err(err).Msg("what the journal kept of earlier losses cannot be read; it is not noted")
		return
	}
	if w := before.Waiting; w != nil {
		if written := j.entriesBehind(w.Size); written < w.Entries {
			before.Lost = append(before.Lost, keptLoss{"killed", w.Entries - written, w.First, w.Last})
		}
	}
	j.drops = slices.Clone(before.Drops)
	var lost uint64
	for _, l := range withoutNoted(before.Lost, before.Noting, j.ends) {
		j.losses.owe(l.loss())
		lost += l.Lost
	}
	if lost > 0 {
		j.opts.Log.Warn().Uint64("lost", lost).Msg("journal lost entries before this start, and notes that now")
	}
	j.keeping.kept = before
	j.keeping.any.Store(true)
	_ = j.keepOwed(true) // Without what was waiting, which is lost for good now.
}

// withoutNoted leaves out of lost what the note says that was being written, if it is in the file: if that ends with it.
func withoutNoted(lost []keptLoss, noting *keptLoss, ends func(message []byte) bool) []keptLoss {
	if noting == nil {
		return lost
	}
	gap := noting.loss()
	if !ends(gap.appendMessage(nil)) {
		return lost
	}
	var rest []keptLoss
	for _, l := range lost {
		if l.Reason == noting.Reason {
			l.Lost -= min(l.Lost, noting.Lost)
			l.First = noting.Last
		}
		if l.Lost > 0 {
			rest = append(rest, l)
		}
	}
	return rest
}

// ends reports whether the last line of the live file has this message.
func (j *Journal) ends(message []byte) bool {
	file, err := os.Open(filepath.Join(j.opts.Dir, j.opts.File))
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false
	}
	const longest = 4096 // of a line with a note
	tail, _ := io.ReadAll(io.NewSectionReader(file, max(0, info.Size()-longest), longest))
	tail = bytes.TrimSuffix(tail, []byte{'\n'})
	entry, err := journal.ParseLine(tail[bytes.LastIndexByte(tail, '\n')+1:])
	return err == nil && bytes.Equal(entry.Message, message)
}

// entriesBehind counts the entries in the live file behind the first size bytes of it, its own notes left out. A file
// that cannot be read, or is shorter, since somebody made room, has none.
func (j *Journal) entriesBehind(size int64) (entries uint64) {
	file, err := os.Open(filepath.Join(j.opts.Dir, j.opts.File))
	if err != nil {
		return 0
	}
	defer file.Close()
	lines := bufio.NewReader(io.NewSectionReader(file, size, 1<<62))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return entries
		}
		if entry, err := journal.ParseLine(bytes.TrimSuffix(line, []byte{'\n'})); err == nil && !journal.IsNote(entry.Message) {
			entries++
		}
	}
}

// spanOf is when the first and the last of lines were written.
func (j *Journal) spanOf(lines []byte) (first, last time.Time) {
	lines = bytes.TrimSuffix(lines, []byte{'\n'})
	head, _, _ := bytes.Cut(lines, []byte{'\n'})
	tail := lines[bytes.LastIndexByte(lines, '\n')+1:]
	first, ok := writtenAt(head)
	last, okLast := writtenAt(tail)
	if !ok || !okLast {
		return j.opts.Now(), j.opts.Now()
	}
	return first, last
}
