package journal

import (
	"encoding/json"
	"testing"
	"time"
)

func TestAnInstantHasTheFormOfATimestamp(t *testing.T) {
	f := func(at time.Time, want string) {
		t.Helper()
		i := InstantOf(at)
		got, err := json.Marshal(i)
		if err != nil || string(got) != want {
			t.Errorf("%v: got %s, %v, want %s", at, got, err, want)
		}
		var back Instant
		if err := json.Unmarshal(got, &back); err != nil || back != i || !back.Time().Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("%s: got %v, %v back, want %v", got, back.Time(), err, at)
		}
	}
	f(time.Unix(1774699200, 0), "1774699200.000")
	f(time.Unix(1774699200, 7_999_999), "1774699200.007")
	f(time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), "253402300799.999")
	f(time.Time{}, "0.000")
	var i Instant
	if err := json.Unmarshal([]byte(`"2026-03-28T12:00:00Z"`), &i); err == nil {
		t.Errorf("got %v from a text, want an error", i)
	}
}
