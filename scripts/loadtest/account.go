//go:build linux

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"
)

// firstNumber is the running number of the first message of `hbjournal send --mix`.
const firstNumber = 1_000_000_000

// account is what the files of one run hold, message by message.
type account struct {
	journaled int // messages that are there
	doubled   int // messages that are there again
	foreign   int // lines that are not what was sent, or not valid
	told      int // messages that the journal itself says are missing, in its gap entries
	files     int
	packed    int   // of files: those that are compressed
	bytes     int64 // of lines
	disk      int64 // of files
}

// check reads the files of a run to which the messages 0 to sent-1 were sent.
func check(files []string, sent int) (account, error) {
	a := account{files: len(files)}
	seen := make([]bool, sent)
	for _, name := range files {
		if err := a.addFile(name, seen); err != nil {
			return a, fmt.Errorf("check %s: %w", name, err)
		}
	}
	return a, nil
}

func (a *account) addFile(name string, seen []bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	a.disk += info.Size()
	source, err := unpacked(f)
	if err != nil {
		return err
	}
	defer source.Close()
	if source != io.ReadCloser(f) {
		a.packed++
	}
	r := bufio.NewReaderSize(source, 1<<20)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", a.bytes, err)
		}
		a.bytes += int64(len(line))
		a.addLine(bytes.TrimSuffix(line, []byte("\n")), seen)
	}
}

// unpacked is the text of f, which its name says whether it is compressed.
func unpacked(f *os.File) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(f.Name(), ".gz"):
		return gzip.NewReader(f)
	case strings.HasSuffix(f.Name(), ".zst"):
		z, err := zstd.NewReader(f)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return f, nil
}

func (a *account) addLine(line []byte, seen []bool) {
	if gjson.GetBytes(line, "message.ID").Str == "JRN" {
		a.told += int(gjson.GetBytes(line, "message.lost").Int())
		return
	}
	n, ok := number(line, `"n":`)
	i := int(n - firstNumber)
	switch {
	case !ok || i < 0 || i >= len(seen) || !gjson.ValidBytes(line):
		a.foreign++
	case seen[i]:
		a.doubled++
	default:
		seen[i] = true
		a.journaled++
	}
}

// number is the integer after key in line, with or without a space between.
func number(line []byte, key string) (n int64, ok bool) {
	_, rest, found := bytes.Cut(line, []byte(key))
	if !found {
		return 0, false
	}
	for _, c := range bytes.TrimPrefix(rest, []byte(" ")) {
		if c < '0' || c > '9' {
			break
		}
		n, ok = n*10+int64(c-'0'), true
	}
	return n, ok
}
