package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/summary"
)

var update = flag.Bool("update", false, "write the golden files anew")

// written returns r in the given form.
func written(t *testing.T, format string, r *summary.Report, opt Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, format, r, opt); err != nil {
		t.Fatalf("write %s: %v", format, err)
	}
	return out.String()
}

func TestTextOfADayIsAsInTheGoldenFile(t *testing.T) {
	const golden = "testdata/day.txt"
	r := sampleDay(t)
	got := written(t, "text", &r, Options{Title: "messages.journal", Notes: []string{"A note."}})
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got another text than %s; look at it, then rerun with -update:\n%s", golden, got)
	}
}

func TestTextFitsTheWidthThereIs(t *testing.T) {
	for name, r := range map[string]summary.Report{"day": sampleDay(t), "hostile": hostile(t), "huge": huge(), "empty": {}} {
		for given, want := range map[int]int{0: 80, 1: 60, 60: 60, 72: 72, 80: 80, 101: 101, 160: 160, 1000: 160} {
			widest := 0
			for line := range strings.Lines(written(t, "text", &r, Options{Title: strings.Repeat("long ", 40), Width: given})) {
				got := runewidth.StringWidth(strings.TrimSuffix(line, "\n"))
				if got > want {
					t.Errorf("%s, width %d: got %d columns, want %d at most: %s", name, given, got, want, line)
				}
				widest = max(widest, got)
			}
			if name == "day" && widest < want {
				t.Errorf("%s, width %d: got %d columns at most, want the whole width of %d used", name, given, widest, want)
			}
		}
	}
}

// huge is a report whose every figure is large.
func huge() summary.Report {
	const most = 1 << 52
	row := summary.Row{Name: strings.Repeat("W", 200), Tally: summary.Tally{Messages: most, Bytes: most}}
	at := journal.InstantOf(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
	return summary.Report{
		From: journal.InstantOf(midnight), To: at, Total: row.Tally, PerSecond: 1e12, Boots: most, Missed: most, Unnamed: row.Tally,
		Timeline: summary.Timeline{Start: journal.InstantOf(midnight), Step: 24 * time.Hour, Counts: []uint32{1 << 31, 1 << 30}},
		IDs:      []summary.Kind{{Row: row, Counts: []uint32{1 << 31, 1 << 30}}},
		Hosts: []summary.Host{{
			Row: row, First: journal.InstantOf(midnight), Last: at, Beats: most, Missed: most, Interval: 1e9, Kept: 0.5, Boots: most,
			Counts: []uint32{1 << 31, 1 << 30},
		}},
		Plugins: []summary.Plugin{{Row: row, Fields: []summary.Field{
			{Name: row.Name, Count: most, Min: -1.7e308, Median: -1234567.5, P95: 123456.789, Max: 1.7e308},
		}}},
		Sources:    []summary.Row{{Name: "2001:db8:1234:5678:9abc:def0:1234:5678", Tally: row.Tally}},
		Invalid:    summary.Invalid{Raw: most},
		Gaps:       summary.Gaps{Notes: most, Lost: most, List: []summary.Gap{{At: at, Lost: most, Reason: row.Name}}},
		Duplicates: summary.Duplicates{Notes: most, Count: most},
	}
}

func TestColourIsOnlyAddedToTheText(t *testing.T) {
	r := sampleDay(t)
	plain := written(t, "text", &r, Options{})
	colored := written(t, "text", &r, Options{Color: true})
	for _, style := range []string{bold, dim, red, amber, green, reset} {
		if strings.Contains(plain, style) || !strings.Contains(colored, style) {
			t.Errorf("style %q: got it in the plain text %v, in the coloured one %v, want false, true",
				style, strings.Contains(plain, style), strings.Contains(colored, style))
		}
		colored = strings.ReplaceAll(colored, style, "")
	}
	if colored != plain {
		t.Errorf("got another text with colour:\n%s\nwant:\n%s", colored, plain)
	}
}

func TestNothingInANameSteersATerminal(t *testing.T) {
	r := hostile(t)
	for _, format := range []string{"text", "csv", "html"} {
		got := written(t, format, &r, Options{Title: "\x1b[31m\u202e"})
		if i := strings.IndexFunc(got, func(c rune) bool {
			return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c == '\u202e' || c == '\u200b'
		}); i >= 0 {
			t.Errorf("%s: got %q", format, got[max(0, i-20):i+20])
		}
		if !strings.Contains(got, `\u202egnp.exe`) {
			t.Errorf("%s: got no spelled-out name", format)
		}
	}
}

func TestJSONReadsBackAsTheReport(t *testing.T) {
	want := sampleDay(t)
	var got summary.Report
	if err := json.Unmarshal([]byte(written(t, "json", &want, Options{})), &got); err != nil {
		t.Fatal(err)
	}
	got.Timeline.Step = want.Timeline.Step // given as step_seconds
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCSVHasEveryFigureInARow(t *testing.T) {
	r := sampleDay(t)
	rows, err := csv.NewReader(strings.NewReader(written(t, "csv", &r, Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]string{}
	for _, row := range rows[1:] {
		figures[strings.Join(row[:4], "/")] = row[4]
	}
	f := func(key, want string) {
		t.Helper()
		if got, ok := figures[key]; !ok || got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	f("total///messages", fmt.Sprint(r.Total.Messages))
	f("total///lost", "1234")
	f("host/edge02//missed", fmt.Sprint(r.Hosts[13].Missed))
	f("host/edge02//interval_seconds", "30")
	f("id/HTB//messages", fmt.Sprint(r.IDs[0].Messages))
	f("plugin/cpu_monitor/cores/median", "8")
	f("source/10.0.1.10//messages", fmt.Sprint(r.Hosts[22].Messages))
	f("time/2026-03-28T12:00:00.000Z//messages", fmt.Sprint(r.Timeline.Counts[144]))
}

func TestCSVHoldsNoFormula(t *testing.T) {
	r := hostile(t)
	rows, err := csv.NewReader(strings.NewReader(written(t, "csv", &r, Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if name := row[1]; name != "" && strings.ContainsRune("=+-@", rune(name[0])) {
			t.Errorf("got name %q, want a ' before it", name)
		}
	}
}

func TestACSVCellDoesNothingInASpreadsheet(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := CSVCell(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	f("", "")
	f("web1", "web1")
	f("a=b", "a=b")
	for _, start := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		f(start+"1", "'"+start+"1")
	}
	f("\t=1", `\u0009=1`)
	f("\r\n\x1b[31m\u202e", `\u000d\u000a\u001b[31m\u202e`)
	f("\xff", "\ufffd")
}

func TestPageHoldsNoMarkupFromNames(t *testing.T) {
	r := hostile(t)
	got := written(t, "html", &r, Options{Title: "<script>alert(4)</script>", Notes: []string{"<img src=x>"}})
	for _, markup := range []string{"<script", "<img", "href=", "src=\"", "style=\"", "http-equiv=\"refresh"} {
		if strings.Contains(strings.ToLower(got), markup) {
			t.Errorf("got %s in the page", markup)
		}
	}
	if want := "default-src &#39;none&#39;; style-src &#39;sha256-"; !strings.Contains(got, want) {
		t.Errorf("got no policy %s in the page", want)
	}
}

func TestFiguresAreShort(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(figure(0), "0")
	f(figure(45.2), "45.2")
	f(figure(-0.12345), "-0.123")
	f(figure(1234.5), "1,235")
	f(figure(8589934592), "8.59 G")
	f(figure(0.000025), "2.5e-05")
	f(percent(1), "100 %")
	f(percent(0.9999), "99.9 %")
	f(percent(0.00001), "<0.1 %")
	f(percent(0), "0 %")
	f(span(30*time.Second), "30s")
	f(span(90*time.Minute), "1h 30m")
	f(span(24*time.Hour), "1d")
	f(span(500*time.Millisecond), "0.5s")
}

func TestNumbersInNamesSortAsNumbers(t *testing.T) {
	want := []string{"", "10", "db", "web", "web-9", "web-09", "web-10", "web-10a", "web1.2", "web1.10", "web2", "web99999999999999999999", "x"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, byNumber)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnUnknownFormatIsAnError(t *testing.T) {
	err := Write(&bytes.Buffer{}, "yaml", &summary.Report{}, Options{})
	if err == nil || !strings.Contains(err.Error(), `"yaml"`) {
		t.Errorf("got %v, want an error that names the format", err)
	}
}

func TestTextSaysWhoIsSilentSinceWhenAndForHowLong(t *testing.T) {
	r := sampleDay(t)
	for _, width := range []int{60, 80, 160} {
		got := written(t, "text", &r, Options{Width: width})
		for what, want := range map[string]string{
			"who is silent":   `(?m)^Silent at the end  1 of 30 hosts.*\n.*\nedge02 +18:17:30 +5h42m +683 +30s$`,
			"first seen":      `(?m)^build04 .* 0 .* – +12:00:00 +23:59:30$`,
			"longest silence": `(?m)^db03 .* 324 .*2h42m +00:00:00 +23:59:30$`,
		} {
			if !regexp.MustCompile(want).MatchString(got) {
				t.Errorf("%d columns: %s: got no %s in\n%s", width, what, want, got)
			}
		}
	}
}

func TestThePageSaysWhoIsSilent(t *testing.T) {
	r := sampleDay(t)
	got := written(t, "html", &r, Options{})
	if want := `<bdi>edge02</bdi></th><td class="n missed">5h 42m</td><td class="n">683</td><td class="n">30s</td><td class="t">2026-03-28 18:17:30</td>`; !strings.Contains(got, want) {
		t.Errorf("got no row %s", want)
	}
}

func TestABootHidesNoSilenceInTheText(t *testing.T) {
	f := func(presence summary.Presence, boots int, want string) {
		t.Helper()
		if got, _ := stripMark(summary.Column{Presence: presence, Boots: boots}); got != want {
			t.Errorf("presence %d with %d boots: got %q, want %q", presence, boots, got, want)
		}
	}
	f(summary.Present, 0, "█")
	f(summary.Present, 1, "↑")
	f(summary.Thin, 2, "↑")
	f(summary.Broken, 0, "▒")
	f(summary.Broken, 1, "!")
	f(summary.Silent, 1, "·")
	f(summary.Absent, 0, " ")
}

func TestAnEmptyRangeIsNamed(t *testing.T) {
	f := func(from, to time.Time, want string) {
		t.Helper()
		r := summary.Report{From: journal.InstantOf(from), To: journal.InstantOf(to)}
		if got := period(&r, time.UTC); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(time.Time{}, time.Time{}, "no entries")
	f(midnight, time.Time{}, "no entries since 2026-03-28 00:00:00 UTC")
	f(time.Time{}, midnight, "no entries before 2026-03-28 00:00:00 UTC")
	f(midnight, midnight.Add(time.Hour), "2026-03-28 00:00:00 – 2026-03-28 01:00:00 UTC, 1h")
}
