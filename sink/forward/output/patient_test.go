package output

import (
	"context"
	"errors"
	"io"
	"testing"

	"hbjournal/sink/forward"
)

func TestAPipeThatNobodyEmptiesHoldsNobodyUp(t *testing.T) {
	read, write := io.Pipe()
	s := &stdout{to: write}
	hung, cancel := context.WithCancel(t.Context())
	cancel()
	b := batchOf(`{"n":1}`)
	if receipt, err := s.Send(hung, b); !errors.Is(err, context.Canceled) || receipt.Acked != 0 {
		t.Errorf("got %+v, %v; want none acked and %v", receipt, err, context.Canceled)
	}
	if receipt, err := s.Send(hung, b); !errors.Is(err, context.Canceled) || receipt.Acked != 0 {
		t.Errorf("once more: got %+v, %v; want none acked and %v", receipt, err, context.Canceled)
	}
	if !s.isBusy() {
		t.Error("the write that hangs is not known any more")
	}
	// Somebody reads again: the write that was let go ends first.
	got := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(read)
		got <- text
	}()
	if receipt, err := s.Send(t.Context(), b); err != nil || receipt.Acked != 1 {
		t.Errorf("got %+v, %v; want one acked", receipt, err)
	}
	if s.isBusy() {
		t.Error("nothing hangs any more")
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if text, want := string(<-got), string(b.Text())+string(b.Text()); text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestAFileOnADiskThatHangsIsLeftAlone(t *testing.T) {
	f := &file{path: t.TempDir() + "/copy", journal: "j"}
	if _, err := f.Send(t.Context(), batchOf(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	free := make(chan struct{})
	hung, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.do(hung, func() error { <-free; return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	_, err := f.Send(hung, batchOf(`{"n":1}`))
	var trouble *forward.TroubleError
	if !errors.As(err, &trouble) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want trouble with %v in it", err, context.Canceled)
	}
	if f.position == nil {
		t.Error("the position was closed while something may write to it")
	}
	close(free)
	if _, ok, err := f.Position(t.Context(), "j"); err != nil || !ok {
		t.Errorf("got %v, %v; want to know where it stands", ok, err)
	}
	if err := f.Close(); err != nil || f.position != nil {
		t.Errorf("got %v; want it closed", err)
	}
}
