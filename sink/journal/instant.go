package journal

import (
	"fmt"
	"time"
)

// Instant is a moment in Unix milliseconds, 0 being none. As JSON it is what the timestamp of an entry is: Unix seconds with
// exactly three decimals. All JSON that we print has its times in this form.
type Instant int64

// InstantOf returns t, cut to a millisecond; the zero Time is none.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	return Instant(t.UnixMilli())
}

// Time returns i in UTC, and the zero Time for none.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// Sub returns how long it is from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Millisecond }

// MarshalJSON implements json.Marshaler.
func (i Instant) MarshalJSON() ([]byte, error) { return AppendSeconds(nil, int64(i)), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (i *Instant) UnmarshalJSON(text []byte) error {
	millis, ok := parseSeconds(text)
	if !ok {
		return fmt.Errorf("read instant %s: not a number of seconds", text)
	}
	*i = Instant(millis)
	return nil
}
