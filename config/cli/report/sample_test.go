package report

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/summary"
)

// midnight is when the sample day begins.
var midnight = time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)

// feed adds messages to a summary.
type feed struct {
	tb testing.TB
	s  *summary.Summary
}

func (f feed) add(at time.Time, source, message string) {
	f.tb.Helper()
	line := fmt.Sprintf(`{"timestamp":%d.%03d,"datetime":"%s","source_ip":"%s","source_port":50003,"message":%s}`,
		at.Unix(), at.UnixMilli()%1000, at.Format("2006-01-02T15:04:05"), source, message)
	e, err := journal.ParseLine([]byte(line))
	if err != nil {
		f.tb.Fatalf("parse %s: %v", line, err)
	}
	f.s.Add(&e)
}

// outage says that a host was silent from one hour of the sample day to another, and booted afterwards.
type outage struct{ from, to float64 }

func outages() map[string][]outage {
	return map[string][]outage{
		"db03": {{9.5, 12.2}}, "web07": {{4, 4.4}, {15, 15.2}, {20.1, 20.5}}, "edge02": {{18.3, 99}},
		"cache01": {{13, 13.1}}, "build05": {{2, 6}, {22, 22.3}},
	}
}

func sampleHosts() []string {
	var hosts []string
	add := func(group string, n int) {
		for i := range n {
			hosts = append(hosts, fmt.Sprintf("%s%02d", group, i+1))
		}
	}
	add("web", 8)
	add("db", 4)
	add("cache", 3)
	add("edge", 5)
	add("build", 5)
	add("mail", 2)
	add("vpn", 3)
	return hosts
}

// sampleDay is a day of thirty hosts: some silent for hours, some rebooting, one losing beats, one new at noon, a gap.
func sampleDay(tb testing.TB) summary.Report {
	tb.Helper()
	f := feed{tb, summary.New()}
	rng := rand.New(rand.NewPCG(3, 28))
	hosts := sampleHosts()
	down := outages()
	for tick := range 24 * 60 * 2 {
		at := midnight.Add(time.Duration(tick) * 30 * time.Second)
		hour := at.Sub(midnight).Hours()
		for i, host := range hosts {
			if host == "build04" && hour < 12 || host == "edge04" && rng.IntN(4) == 0 && hour > 8 && hour < 17 {
				continue
			}
			sampleHost(f, at.Add(time.Duration(rng.IntN(900))*time.Millisecond), host, i, down[host], rng)
		}
		if tick == 1700 {
			f.add(at, "0.0.0.0", `{"ID":"JRN","event":"gap","reason":"kernel","lost":1234,"first":1774706100.5,"last":1774706102.25}`)
		}
		if tick%900 == 17 {
			f.add(at, "10.0.9.9", `{"_raw":"hello","_error":"not JSON"}`)
		}
	}
	return f.s.Report()
}

func sampleHost(f feed, at time.Time, host string, n int, down []outage, rng *rand.Rand) {
	hour := at.Sub(midnight).Hours()
	boot := ""
	for _, o := range down {
		if hour >= o.from && hour < o.to {
			return
		}
		if hour >= o.to && hour < o.to+0.0083 {
			boot = `,"boot":1`
		}
	}
	source := fmt.Sprintf("10.0.1.%d", n+10)
	f.add(at, source, fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":30,"ver":1%s}`, host, boot))
	day := 1 + 0.6*max(0, 1-((hour-14)/7)*((hour-14)/7))
	if rng.Float64() < 0.5*day {
		f.add(at, source, fmt.Sprintf(`{"ID":"PLG","plugin":"cpu_monitor","name":%q,"cpu_percent":%.1f,"load_1min":%.2f,"cores":8}`,
			host, 20*day*rng.ExpFloat64(), day*rng.ExpFloat64()))
	}
	if rng.IntN(10) == 0 {
		f.add(at, source, fmt.Sprintf(`{"ID":"PLG","plugin":"disk_monitor","name":%q,"used_bytes":%d,"used_percent":%.1f,"temp":%d}`,
			host, 4e11+rng.Int64N(2e11), 40+rng.Float64()*20, 30+rng.IntN(15)))
	}
	if rng.IntN(200) == 0 {
		f.add(at, source, fmt.Sprintf(`{"ID":"EVT","name":%q,"text":"login"}`, host))
	}
}

// hostile is a report in which every name tries to be more than a name.
func hostile(tb testing.TB) summary.Report {
	tb.Helper()
	f := feed{tb, summary.New()}
	for i, name := range []string{
		`<script>alert(1)</script>`, `\"><img src=http://127.0.0.1/x onerror=alert(1)>`, `</title></svg><script>alert(2)</script>`,
		`=HYPERLINK(\"http://127.0.0.1\")`, `\u202egnp.exe`, `\u001b[31mred\u001b]0;title\u0007`, `\u0085\u009b31m`, `{{.Title}}`,
		strings.Repeat("very-long-name-", 300), strings.Repeat("W", 199), `naïve-ホスト名-🙂`, `\u200b`, `-->`, `]]>`, `javascript:alert(1)`,
	} {
		for beat := range 4 {
			at := midnight.Add(time.Duration(beat*(30+10*i))*time.Second + time.Duration(i)*time.Second)
			f.add(at, "10.0.0.1", `{"ID":"`+name+`","name":"`+name+`","plugin":"`+name+`","interval":30,"`+name+`":1.5,"boot":1}`)
		}
	}
	f.add(midnight.Add(time.Minute), "10.0.0.1", `{"ID":"JRN","event":"gap","reason":"<script>alert(3)</script>","lost":1e300}`)
	return f.s.Report()
}
