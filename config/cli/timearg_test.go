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
	f("15:31", "2026-03-27T15:31:00+02:00")
	f("23:59:59", "2026-03-27T23:59:59+02:00")
	f("15:30", "2026-03-28T15:30:00+02:00")
	f("9:05", "2026-03-28T09:05:00+02:00")
	f("today 00:10", "2026-03-28T00:10:00+02:00")
	f("today 23:00", "2026-03-28T23:00:00+02:00")
	f("yesterday 14:03", "2026-03-27T14:03:00+02:00")
	f("yesterday at 14:03:30", "2026-03-27T14:03:30+02:00")
	f("tomorrow", "2026-03-29T00:00:00+02:00")
	f("20260328", "2026-03-28T00:00:00+02:00")
	f("2026-3-8", "2026-03-08T00:00:00+02:00")
	f("-5m", "2026-03-28T15:25:00+02:00")
	f("-2h", "2026-03-28T13:30:00+02:00")
	f("5min", "2026-03-28T15:25:00+02:00")
	f("5 min", "2026-03-28T15:25:00+02:00")
	f("5 minutes ago", "2026-03-28T15:25:00+02:00")
	f("1 hour ago", "2026-03-28T14:30:00+02:00")
	f("2hours", "2026-03-28T13:30:00+02:00")
	f("1day", "2026-03-27T15:30:00+02:00")
	f("now-1h", "2026-03-28T14:30:00+02:00")
	f("now - 90 s", "2026-03-28T15:28:30+02:00")
	f("1.5h", "2026-03-28T14:00:00+02:00")
	f("1h 30min ago", "2026-03-28T14:00:00+02:00")
	f("500ms", "2026-03-28T15:29:59.5+02:00")
	f("0s", "2026-03-28T15:30:00+02:00")
	f("0", "1970-01-01T00:00:00Z")
	f("@1", "1970-01-01T00:00:01Z")
	f("@1774699200", "2026-03-28T12:00:00Z")
	f("1774699200500", "2026-03-28T12:00:00.5Z")
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

func TestATimeBeforeTheEpochIsTheEpoch(t *testing.T) {
	for _, text := range []string{"0001-01-01", "1969-12-31T23:59:59Z"} {
		got, err := parseTime(text, time.Now())
		if err != nil || !got.Equal(time.Unix(0, 0)) {
			t.Errorf("%q: got %v, %v, want the epoch", text, got, err)
		}
	}
}

func TestATimeOfDayIsTheLastOneAlsoWhereTheClockIsSet(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := func(now, text, want string) {
		t.Helper()
		at, err := time.ParseInLocation("2006-01-02 15:04", now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseTime(text, at)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s, %q: got %s, %v, want %s", now, text, got.Format(time.RFC3339), err, want)
		}
	}
	f("2026-03-29 12:00", "13:00", "2026-03-28T13:00:00+01:00") // 23 hours before 13:00 of a day of 23 hours
	f("2026-03-29 12:00", "11:00", "2026-03-29T11:00:00+02:00")
	f("2026-10-26 01:00", "03:30", "2026-10-25T03:30:00+01:00")
	f("2026-01-01 00:00", "23:00", "2025-12-31T23:00:00+01:00")
}

func TestWrongTimesAreShown(t *testing.T) {
	for _, text := range []string{"soon", "25:00", "24:00", "2026-13-01", "2", "1.5", "2026-03-28T", "1e9", "9999999999999999999d", "5 parsecs", "m", "-", "ago", "yesterday noon", "--5m", "5m5"} {
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
