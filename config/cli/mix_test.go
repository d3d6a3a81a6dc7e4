package cli

import (
	"encoding/json"
	"testing"
	"time"
)

func TestMixIsHalfHeartbeatsHalfPluginMessagesEachNumbered(t *testing.T) {
	at := time.Date(2026, 3, 28, 12, 34, 56, 789_000, time.UTC)
	m := mix{run: 2}
	for i := range 1000 {
		raw := m.next(at)
		wantID, wantSize := "HTB", heartbeatSize
		if i/2%2 == 1 {
			wantID, wantSize = "PLG", pluginSize
		}
		var got struct {
			ID   string
			Name string
			N    int
			At   int64
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got.ID != wantID || len(raw) != wantSize {
			t.Fatalf("message %d: got %s of %d bytes, want %s of %d", i, got.ID, len(raw), wantID, wantSize)
		}
		if got.N != mixFirst+i || got.At != at.UnixMicro() {
			t.Fatalf("message %d: got n %d at %d, want %d at %d", i, got.N, got.At, mixFirst+i, at.UnixMicro())
		}
	}
}

func TestMixNamesHostsInTurn(t *testing.T) {
	m := mix{run: 1, n: mixHosts - 1}
	for _, want := range []string{"web-99999", "web-10000", "web-10001"} {
		var got struct{ Name string }
		if err := json.Unmarshal(m.next(time.Now()), &got); err != nil {
			t.Fatal(err)
		}
		if got.Name != want {
			t.Errorf("got %q, want %q", got.Name, want)
		}
	}
}

func BenchmarkMix(b *testing.B) {
	m := mix{run: 1}
	b.ReportAllocs()
	for b.Loop() {
		m.next(time.Now())
	}
}
