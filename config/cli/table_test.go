package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"hbjournal/sink/journal"
)

func tableRow(t *testing.T, width int, message string) (header, row string) {
	t.Helper()
	e, err := journal.ParseLine([]byte(strings.TrimSuffix(strings.Replace(oneEntry, `{"ID":"HTB","name":"web1"}`, message, 1), "\n")))
	if err != nil {
		t.Fatal(err)
	}
	table := rendering{width: width, zone: time.UTC, zoneName: "UTC"}.table()
	return strings.TrimSuffix(table.header, "\n"), strings.TrimSuffix(string(table.entry(nil, &e)), "\n")
}

func TestTheMessageHasHalfOfEveryTerminal(t *testing.T) {
	for _, message := range []string{
		`{"ID":"PLG","name":"a-name-longer-than-its-column","plugin":"cpu_monitor","cpu_percent":45.2,"text":"` + strings.Repeat("long ", 50) + `"}`,
		`{"ID":"中文中文中文","name":"名前名前名前名前名前名前","text":"` + strings.Repeat("中é😀", 80) + `"}`,
	} {
		for width := 1; width <= 220; width++ {
			header, row := tableRow(t, width, message)
			if got := max(runewidth.StringWidth(header), runewidth.StringWidth(row)); got > width {
				t.Errorf("width %d: got a line of %d columns:\n%s\n%s", width, got, header, row)
			}
			if at := strings.Index(header, "MESSAGE"); width >= 14 && (at < 0 || at > width/2) {
				t.Errorf("width %d: got the message at column %d, want it in the first half:\n%s", width, at, header)
			}
			if row == "" {
				t.Errorf("width %d: got no row", width)
			}
		}
	}
}

func TestAWideTableShowsEverything(t *testing.T) {
	header, row := tableRow(t, 200, `{"ID":"HTB","name":"web1","n":1}`)
	if want := "TIME (UTC)               SOURCE                 ID     NAME              MESSAGE"; header != want {
		t.Errorf("got header %q, want %q", header, want)
	}
	if want := "2026-03-28 12:00:00.000  192.168.1.100:50003    HTB    web1              n=1"; row != want {
		t.Errorf("got row %q, want %q", row, want)
	}
}

func TestTheZoneOfATableIsNamed(t *testing.T) {
	summer := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	f := func(zone *time.Location, tz, want string) {
		t.Helper()
		if got := zoneName(zone, map[string]string{"TZ": tz}, summer); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(time.UTC, "", "UTC")
	f(time.UTC, "Asia/Tokyo", "UTC")
	f(time.Local, "Asia/Tokyo", "Asia/Tokyo")
	f(time.Local, ":Europe/Berlin", "Europe/Berlin")
	f(time.FixedZone("XYZ", 3600), "", "XYZ")
}
