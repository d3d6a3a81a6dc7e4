package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeForms is the help on what parseTime reads.
const timeForms = "2026-03-28T12:34:56Z, 2026-03-28, 12:34, 2h (ago; also 3d, 1w), yesterday, today, now, or Unix seconds"

// timeLayouts are the forms of an instant; those without a zone are in the journal's.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999", "2006-01-02 15:04:05.999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// parseTime reads a time as people give it. What is relative in it is so to now, whose zone is the journal's. The empty
// text is the zero time.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	if ago, ok := parseAgo(text); ok {
		return now.Add(-ago), nil
	}
	if t, ok := parseUnix(text); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q: not a time; give %s", text, timeForms)
}

var dayForm = regexp.MustCompile(`([0-9]+)([dw])`)

// parseAgo reads a duration as Go writes it, and d and w for days and weeks of 24 hours.
func parseAgo(text string) (time.Duration, bool) {
	hours := dayForm.ReplaceAllStringFunc(text, func(part string) string {
		n, err := strconv.Atoi(part[:len(part)-1])
		if err != nil || n > 1_000_000 {
			return part
		}
		if strings.HasSuffix(part, "w") {
			n *= 7
		}
		return strconv.Itoa(n*24) + "h"
	})
	ago, err := time.ParseDuration(hours)
	return ago, err == nil && ago >= 0 && hours != "0"
}

var unixForm = regexp.MustCompile(`^([0-9]{9,12})(?:\.([0-9]{1,3}))?$`)

// parseUnix reads Unix seconds with up to three decimals.
func parseUnix(text string) (time.Time, bool) {
	m := unixForm.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false
	}
	seconds, _ := strconv.ParseInt(m[1], 10, 64)
	millis, _ := strconv.ParseInt((m[2] + "000")[:3], 10, 64)
	return time.UnixMilli(seconds*1000 + millis).UTC(), true
}
