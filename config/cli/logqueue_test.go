package cli

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// gate is a writer that waits until it is opened.
type gate struct {
	opened chan struct{}
	text   bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.opened
	return g.text.Write(p)
}

func TestLogThatNobodyReadsHoldsUpNobodyAndSaysWhatItLost(t *testing.T) {
	g := &gate{opened: make(chan struct{})}
	q := newLogQueue(g, nil)
	line := strings.Repeat("x", 999) + "\n"
	const lines = 5 * logQueueBytes / 1000
	for range lines {
		if n, err := io.WriteString(q, line); n != len(line) || err != nil {
			t.Fatalf("Write: got %d, %v", n, err)
		}
	}
	close(g.opened)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	kept := strings.Count(g.text.String(), line)
	if kept < logQueueBytes/1000 || kept > 2*logQueueBytes/1000+1 {
		t.Errorf("lines: got %d, want about %d", kept, logQueueBytes/1000)
	}
	lost := 0 // The log says so once, or twice if it was full before its goroutine took the first lines.
	for _, match := range regexp.MustCompile(`"lost":(\d+),`).FindAllStringSubmatch(g.text.String(), -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		lost += n
	}
	if lost != lines-kept {
		t.Errorf("lost lines that the log tells of: got %d, want %d", lost, lines-kept)
	}
}

func TestLogQueueKeepsTheOrderAndRefusesAfterTheEnd(t *testing.T) {
	var out bytes.Buffer
	q := newLogQueue(&out, nil)
	var want strings.Builder
	for i := range 1000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		_, _ = io.WriteString(q, line)
	}
	for range 2 {
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.WriteString(q, "late\n")
	if out.String() != want.String() {
		t.Errorf("log: got %d bytes, want %d in order", out.Len(), want.Len())
	}
}
