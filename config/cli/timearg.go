package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeForms is the help on what parseTime reads.
const timeForms = "2026-03-28T12:34:56Z, 2026-03-28, 14:03 (the last one), yesterday 14:03, 2h, 5min or 3d ago, now, or Unix seconds"

// timeLayouts are the forms of an instant; those without a zone are in the journal's.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999", "2006-01-02 15:04:05.999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-1-2",
	"2006-01-02 15:04:05.999Z07:00", "20060102",
}

// parseTime reads a time as people give it. What is relative in it is so to now, whose zone is the journal's: a time of
// day is the last one that was.
func parseTime(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	t, ok := parseInstant(text, now.Location())
	if !ok {
		t, ok = parseDay(text, now)
	}
	if !ok {
		if t, ok = clockOn(now, 0, text); ok && t.After(now) {
			t, _ = clockOn(now, -1, text)
		}
	}
	if !ok {
		var ago time.Duration
		ago, ok = parseAgo(text)
		t = now.Add(-ago)
	}
	if !ok {
		return time.Time{}, fmt.Errorf("%q: not a time; give %s", text, timeForms)
	}
	if epoch := time.Unix(0, 0); t.Before(epoch) {
		return epoch, nil // No entry is older, and the zero time is none.
	}
	return t, nil
}

// parseInstant reads a time that does not depend on now.
func parseInstant(text string, zone *time.Location) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return parseUnix(text)
}

// dayWords are the days that have a name, as their distance from today.
var dayWords = map[string]int{"today": 0, "yesterday": -1, "tomorrow": 1}

// parseDay reads the name of a day, and perhaps a time of that day.
func parseDay(text string, now time.Time) (time.Time, bool) {
	word, clock, _ := strings.Cut(text, " ")
	days, ok := dayWords[word]
	if !ok {
		return now, text == "now"
	}
	clock = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(clock), "at "))
	if clock == "" {
		clock = "00:00"
	}
	return clockOn(now, days, clock)
}

// clockOn reads a time of day, of the day that is so many days after now's.
func clockOn(now time.Time, days int, clock string) (time.Time, bool) {
	for _, layout := range []string{"15:04", "15:04:05.999"} {
		if t, err := time.Parse(layout, clock); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day()+days, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location()), true
		}
	}
	return time.Time{}, false
}

// isClock reports whether text is a time of day alone, which comes every day.
func isClock(text string) bool {
	_, ok := clockOn(time.Time{}, 0, strings.TrimSpace(text))
	return ok
}

// units are those of durations; more than one of them may have an s.
var units = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "h": time.Hour, "hr": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

var (
	agoForm  = regexp.MustCompile(`^(?:now)? ?-? ?((?:[0-9]+(?:\.[0-9]+)? ?[a-z]+ ?)+?)(?: ago)?$`)
	partForm = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?) ?([a-z]+)`)
)

// parseAgo reads how long ago something was: 2h, -5m, 1h30m, 5min, 2 days, 5 minutes ago, now-1h.
func parseAgo(text string) (time.Duration, bool) {
	whole := agoForm.FindStringSubmatch(text)
	if whole == nil {
		return 0, false
	}
	ago, err := parseSpan(whole[1])
	return ago, err == nil
}

// parseSpan reads a duration: numbers and units.
func parseSpan(text string) (time.Duration, error) {
	const longest = 100 * 365 * 24 * time.Hour
	var span float64
	parts := partForm.FindAllStringSubmatch(text, -1)
	if rest := partForm.ReplaceAllString(text, ""); strings.TrimSpace(rest) != "" || len(parts) == 0 {
		return 0, errors.New("give a number and a unit, such as 2m, 90s or 1h30m")
	}
	for _, part := range parts {
		unit, ok := units[part[2]]
		if !ok {
			unit, ok = units[strings.TrimSuffix(part[2], "s")]
		}
		n, err := strconv.ParseFloat(part[1], 64)
		if !ok || err != nil {
			return 0, fmt.Errorf("%q is no unit of time; give s, min, h, d or w", part[2])
		}
		span += n * float64(unit)
	}
	if span > float64(longest) {
		return 0, errors.New("more than a hundred years")
	}
	return time.Duration(span), nil
}

var unixForm = regexp.MustCompile(`^(@?)([0-9]{1,13})(?:\.([0-9]{1,3}))?$`)

// parseUnix reads Unix seconds with up to three decimals, or milliseconds in thirteen digits. Numbers of a few digits are
// more likely something else, unless they follow an @; 0 is the epoch.
func parseUnix(text string) (time.Time, bool) {
	m := unixForm.FindStringSubmatch(text)
	if m == nil || m[1] == "" && len(m[2]) < 9 && text != "0" {
		return time.Time{}, false
	}
	n, _ := strconv.ParseInt(m[2], 10, 64)
	if len(m[2]) == 13 {
		return time.UnixMilli(n).UTC(), true
	}
	millis, _ := strconv.ParseInt((m[3] + "000")[:3], 10, 64)
	return time.UnixMilli(n*1000 + millis).UTC(), true
}
