package output

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/forward"
)

// asItIs appends a line as it is.
func asItIs(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
	return append(append(dst, b.Line(i)...), '\n'), nil
}

func TestTheNextPieceIsMadeWhileOneIsOnItsWay(t *testing.T) {
	batch := messages(t, beats(1500, 1000)...)
	second := make(chan struct{})
	var once sync.Once
	one := func(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
		if b.Number > batch.Number {
			once.Do(func() { close(second) })
		}
		return asItIs(dst, b, i)
	}
	var got strings.Builder
	b := &bodies{one: one}
	r, err := b.send(t.Context(), batch, func(_ context.Context, m *made) (forward.Receipt, error) {
		select {
		case <-second:
		case <-time.After(10 * time.Second):
			t.Error("the second piece is not made before the first one is taken")
		}
		got.Write(m.text)
		return m.all(), nil
	})
	if err != nil || r.Acked != batch.Len() || got.String() != string(batch.Text()) {
		t.Errorf("got %d of %d lines, %v; the same bytes: %t", r.Acked, batch.Len(), err, got.String() == string(batch.Text()))
	}
}

func TestAfterAPieceThatIsTakenInPartTheNextOneBeginsBehindThat(t *testing.T) {
	batch := messages(t, beats(1500, 1000)...)
	var got strings.Builder
	b := &bodies{one: asItIs}
	r, err := b.send(t.Context(), batch, func(_ context.Context, m *made) (forward.Receipt, error) {
		if len(m.lines) > 100 {
			m = m.before(len(m.lines) - 7)
		}
		got.Write(m.text)
		return m.all(), nil
	})
	if err != nil || r.Acked != batch.Len() || got.String() != string(batch.Text()) {
		t.Errorf("got %d of %d lines, %v; the same bytes: %t", r.Acked, batch.Len(), err, got.String() == string(batch.Text()))
	}
}

// A panic of another goroutine than the output's would end the daemon.
func TestAFaultInMakingIsOneOfTheGoroutineThatSends(t *testing.T) {
	batch := messages(t, beats(1500, 1000)...)
	b := &bodies{one: func(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
		if b.Number > batch.Number {
			panic("a fault")
		}
		return asItIs(dst, b, i)
	}}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "a fault") || !strings.Contains(text, "pieces_test.go") {
			t.Errorf("got %q, want the fault and where it happened", text)
		}
	}()
	_, _ = b.send(t.Context(), batch, func(_ context.Context, m *made) (forward.Receipt, error) { return m.all(), nil })
	t.Error("the fault is not one of the sender")
}
