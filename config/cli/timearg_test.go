package cli

import (
	"strings"
	"testing"
	"time"
)

func TestTimesAreReadAsPeopleGiveThem(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	now := time.Date(2026, 3, 28, 15, 30, 0, 0, zone)
	f := func(text, want string) {
		t.Helper()
		got, err := parseTime(text, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: got %s, %v, want %s", text, got.Format(time.RFC3339Nano), err, want)
		}
	}
	f("2026-03-28T12:34:56Z", "2026-03-28T12:34:56Z")
	f("2026-03-28T12:34:56.789+01:00", "2026-03-28T12:34:56.789+01:00")
	f("2026-03-28T12:34:56", "2026-03-28T12:34:56+02:00")
	f("2026-03-28 12:34:56.5", "2026-03-28T12:34:56.5+02:00")
	f("2026-03-28 12:34", "2026-03-28T12:34:00+02:00")
	f("2026-03-28", "2026-03-28T00:00:00+02:00")
	f("12:34", "2026-03-28T12:34:00+02:00")
	f("12:34:56", "2026-03-28T12:34:56+02:00")
	f("now", "2026-03-28T15:30:00+02:00")
	f("today", "2026-03-28T00:00:00+02:00")
	f("yesterday", "2026-03-27T00:00:00+02:00")
	f("2h", "2026-03-28T13:30:00+02:00")
	f("1h30m", "2026-03-28T14:00:00+02:00")
	f("3d", "2026-03-25T15:30:00+02:00")
	f("1w1d", "2026-03-20T15:30:00+02:00")
	f("1774699200", "2026-03-28T12:00:00Z")
	f("1774699200.5", "2026-03-28T12:00:00.5Z")
}

func TestWrongTimesAreShown(t *testing.T) {
	for _, text := range []string{"soon", "25:00", "2026-13-01", "-2h", "2", "0", "2026-03-28T", "1e9", "9999999999999999999d"} {
		if got, err := parseTime(text, time.Now()); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: got %v, %v, want an error that shows it", text, got, err)
		}
	}
}

func TestVisibleTextCannotSteerATerminal(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := visible(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("plain äöü 日本 😀", "plain äöü 日本 😀")
	f("\x1b[31mred\x1b[0m", `\u001b[31mred\u001b[0m`)
	f("a\tb\nc\r", `a\u0009b\u000ac\u000d`)
	f("\x7f\u009b", `\u007f\u009b`)
	f("\u202eevil\u2066", `\u202eevil\u2066`)
	f("\u2028\u2029", `\u2028\u2029`)
	f("\xff\xfea\ufffd", `\xff\xfea\ufffd`)
}
