package sink

import (
	"fmt"

	"hbjournal/sink/rotate"
)

// A Sealer makes provable what is written to the journal. It is told what becomes of the files, and works on goroutines of its
// own.
type Sealer interface {
	rotate.Sealer
	// Start comes after the journal is opened and before anything is written; lines is how long the live file is. sync makes all
	// that was written so far safe from a power cut, and note is Journal.Note.
	Start(lines int64, sync func() error, note func(message []byte) error)
	// Finish comes when nothing more is written; write still writes a message of the journal's own. Once giveUp is closed it
	// should end soon.
	Finish(giveUp <-chan struct{}, write func(message []byte) error) error
}

// finishSeal has the journal sealed to its end. That it is not is no failure of the journal.
func (j *Journal) finishSeal() {
	if j.opts.Sealer == nil {
		return
	}
	write := func(message []byte) error {
		line := j.encoder.AppendLine(nil, j.opts.Now(), j.opts.Source, message)
		n, err := j.file.Write(line)
		if n > 0 {
			j.settleNote(n)
		}
		return err
	}
	if err := j.opts.Sealer.Finish(j.deadline, write); err != nil {
		j.opts.Log.Error().Err(fmt.Errorf("seal journal to its end: %w", err)).Msg("journal is closed, and its end is not sealed")
	}
}

// settleNote counts a note that was written past the queue.
func (j *Journal) settleNote(bytes int) {
	j.queue.mu.Lock()
	defer j.queue.mu.Unlock()
	j.written.notes++
	j.written.bytes += uint64(bytes)
}
