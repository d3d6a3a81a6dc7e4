package sink

import (
	"fmt"
	"time"

	"hbjournal/sink/rotate"
)

// A Sealer makes provable what is written to the journal. It is told what becomes of the files, and works on goroutines of its
// own.
type Sealer interface {
	rotate.Sealer
	// Start comes after the journal is opened and before anything is written; lines is how long the live file is. sync makes all
	// that was written so far safe from a power cut, and note is Journal.Note.
	Start(lines int64, sync func() error, note func(message []byte) error)
	// Ready is closed once what the last process left unsealed is taken over, or will not be soon. Nothing is written before that,
	// for a moment, so that crash after crash leaves no more than one process wrote since its last checkpoint.
	Ready() <-chan struct{}
	// Finish comes when nothing more is written; write still writes a message of the journal's own. Once giveUp is closed it
	// should end soon.
	Finish(giveUp <-chan struct{}, write func(message []byte) error) error
}

// readyWithin bounds how long the writing waits for the Sealer.
const readyWithin = 2 * time.Second

// awaitSeal waits until the Sealer is ready, but not for long: what comes in waits in the queue meanwhile.
func (j *Journal) awaitSeal() {
	if j.opts.Sealer == nil {
		return
	}
	timeout := time.NewTimer(readyWithin)
	defer timeout.Stop()
	select {
	case <-j.opts.Sealer.Ready():
	case <-timeout.C:
	case <-j.closing:
	}
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
