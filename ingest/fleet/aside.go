package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"hbjournal/sink/forward/durable"
)

// aside keeps messages that are not taken, for people to look at. It is bounded: what comes when it is full is counted only.
type aside struct {
	path  string
	limit int64
}

// asideMessage is a line of the file.
type asideMessage struct {
	At       time.Time `json:"at"`
	Receiver string    `json:"receiver"`
	Offset   uint64    `json:"message"`
	Reason   string    `json:"reason"`
	Size     int       `json:"size"`
	Payload  []byte    `json:"payload"` // its first bytes
}

// asidePayload is how much of a message is kept, in bytes.
const asidePayload = 64 << 10

var errAsideFull = errors.New("it is full")

func (a *aside) keep(m Message, reason string, now time.Time) error {
	line, err := json.Marshal(asideMessage{
		At: now.UTC(), Receiver: short(m.Receiver), Offset: m.Offset, Reason: reason, Size: len(m.Payload),
		Payload: m.Payload[:min(len(m.Payload), asidePayload)],
	})
	if err == nil {
		err = a.append(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", a.path, err)
	}
	return nil
}

func (a *aside) append(line []byte) error {
	file, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|durable.NoFollow, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size()+int64(len(line)) > a.limit {
		err = errAsideFull
	}
	if err == nil {
		_, err = file.Write(line)
	}
	return errors.Join(err, file.Close())
}
