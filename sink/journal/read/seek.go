package read

import (
	"bufio"
	"io"

	"hbjournal/sink/journal"
)

// seekTime returns the offset of a line of a file that can be read at any offset before which no line is as new as since. It halves the file,
// and is exact as long as times do not go back by more than maxStepBack.
func (f *file) seekTime(since int64) (int64, error) {
	const near = blockBytes
	since -= maxStepBack.Milliseconds()
	_, size := f.random()
	low, high := int64(0), size
	for high-low > near {
		middle := low + (high-low)/2
		start, millis, err := f.timedLine(middle, high)
		switch {
		case err != nil:
			return 0, err
		case start < 0 || millis >= since:
			high = middle
		default:
			low = start
		}
	}
	return low, nil
}

// timedLine finds the first line that starts in (from, to) and has a timestamp; its start is -1 if there is none.
func (f *file) timedLine(from, to int64) (start, millis int64, err error) {
	at, _ := f.random()
	r := bufio.NewReaderSize(io.NewSectionReader(at, from, to-from), 4<<10)
	skipped, err := skipLine(r)
	for start = from + skipped; err == nil && start < to; start += skipped {
		prefix, _ := r.Peek(journal.MaxTimePrefix)
		if millis, ok := journal.LineTime(prefix); ok {
			return start, millis, nil
		}
		skipped, err = skipLine(r)
	}
	if err == io.EOF {
		err = nil
	}
	return -1, 0, err
}

// skipLine reads past the next newline and returns the number of bytes read.
func skipLine(r *bufio.Reader) (skipped int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		skipped += int64(len(part))
		if err != bufio.ErrBufferFull {
			return skipped, err
		}
	}
}
