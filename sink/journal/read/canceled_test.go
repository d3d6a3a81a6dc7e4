package read

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// canceledReader gives some text, and then that its own context ended.
type canceledReader struct{ text io.Reader }

func (r canceledReader) Read(p []byte) (int, error) {
	n, err := r.text.Read(p)
	if err == io.EOF {
		err = context.Canceled
	}
	return n, err
}

func TestStandardInputThatHearsOfTheEndFirstIsNoFault(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		source, err := Open(Options{Paths: []string{"-"}, Stdin: canceledReader{strings.NewReader("{")}, Reverse: reverse})
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(t.Context(), source, nil, func(f *CorruptError) { t.Errorf("reverse %v: got the fault %v, want none", reverse, f) })
		for r.Next() {
			t.Errorf("reverse %v: got the entry %s, want none", reverse, r.Entry().Line)
		}
		if !errors.Is(r.Err(), context.Canceled) {
			t.Errorf("reverse %v: got %v, want %v", reverse, r.Err(), context.Canceled)
		}
		source.Close()
	}
}
