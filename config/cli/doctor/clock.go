package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"hbjournal/sink/journal"
)

const clockGroup = "clock"

func clockChecks() []check {
	return []check{
		{"time-sync", clockGroup, (*examination).clock},
		{"last-entry", clockGroup, (*examination).lastEntry},
	}
}

// kernelClock is what the kernel says of its clock.
type kernelClock struct {
	synchronised bool
	maxError     time.Duration // by which it may be wrong
}

func (e *examination) clock() Row {
	clock, err := readClock()
	if err != nil {
		return skip("the kernel does not tell: " + err.Error())
	}
	return e.clockRow(clock)
}

// clockWrong is how far the clock may be wrong before entries of several machines can no longer be put in order.
const clockWrong = time.Second

func (e *examination) clockRow(clock kernelClock) Row {
	cure := e.onHost("timedatectl set-ntp true")
	switch {
	case !clock.synchronised:
		return Row{Status: Warn, Measured: "the clock is not synchronised: entries bear its time", Cure: cure}
	case clock.maxError > clockWrong:
		return Row{Status: Note, Measured: fmt.Sprintf("the clock is synchronised, and may be wrong by %v", clock.maxError), Limit: clockWrong.String(), Cure: cure}
	}
	return Row{Status: OK, Measured: fmt.Sprintf("synchronised, wrong by %v at most", clock.maxError)}
}

// lastEntry looks whether the journal is ahead of the clock.
func (e *examination) lastEntry() Row {
	if e.Journal.Disabled {
		return skip("journal_enabled=false")
	}
	at, err := lastTime(e.Journal.path())
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && at.IsZero():
		return Row{Status: OK, Measured: "there is none yet"}
	case err != nil:
		return unreadable(err)
	}
	const tolerance = time.Minute
	if ahead := at.Sub(e.Now()); ahead > tolerance {
		return Row{
			Status: Warn, Measured: fmt.Sprintf("the last entry is %v ahead of the clock, which was put back since", ahead.Round(time.Second)),
			Limit: tolerance.String(), Cure: "date; hbjournal tail -n 1 # which of them is right?",
		}
	}
	return Row{Status: OK, Measured: "written " + at.UTC().Format(time.RFC3339)}
}

// lastTime is the time of the last entry that ends in the last 2 MiB of a file; zero if there is none.
func lastTime(path string) (time.Time, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() { // Opening a FIFO would wait.
		return time.Time{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	const most = 2 << 20
	text, err := io.ReadAll(io.NewSectionReader(file, max(info.Size()-most, 0), most))
	if err != nil {
		return time.Time{}, err
	}
	for len(text) > 0 {
		end := bytes.LastIndexByte(text, '\n')
		if end < 0 {
			break
		}
		start := bytes.LastIndexByte(text[:end], '\n') + 1
		if entry, err := journal.ParseLine(text[start:end]); err == nil {
			return time.UnixMilli(entry.Millis), nil
		}
		text = text[:start]
	}
	return time.Time{}, nil
}
