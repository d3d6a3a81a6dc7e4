package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // for the page and its style sheet
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"hbjournal/config/cli/chart"
	"hbjournal/sink/journal/summary"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// Rows of the page's tables. The other forms have them all.
const (
	pageRows     = 12
	pageHostRows = 250
	pageGapRows  = 50
	pagePlugins  = 40
)

// page is what the template shows.
type page struct {
	Title  string
	Style  template.CSS
	Policy string // Content-Security-Policy
	Period string
	Zone   string
	Notes  []string

	Tiles       []tile
	Peak        string
	Series      []chart.Series
	Wide        template.HTML
	Narrow      template.HTML
	Step        string
	Silent      []silentRow // at the end
	SilentLeft  int
	Map         []beatRow
	MapTicks    []chart.Tick
	MapLeft     int // hosts that the map leaves out
	Hosts       []hostRow
	HostsLeft   int
	Tables      []trafficTable
	Plugins     []pluginTable
	Unfollowed  string
	Gaps        []gapRow
	GapsLeft    int64
	HasMessages bool
}

// tile is one figure at the top of the page.
type tile struct {
	Name, Value, Remark string
	Alert               bool
}

// hostRow is one row of the host table.
type hostRow struct {
	Name, Messages, Beats, Missed, Kept, Every, First, Last, Silence, Boots string
	Alert                                                                   bool
}

// silentRow is one host of those that are silent at the end.
type silentRow struct {
	Name, Last, For, Missed, Every string
}

// trafficTable is the table of one kind of name.
type trafficTable struct {
	Title, Head string
	Rows        []trafficRow
	Left        int
}

type trafficRow struct {
	Name, Messages, Share, Bytes string
	Bar                          template.HTML
}

// pluginTable is the table of one plugin's fields.
type pluginTable struct {
	Name   string
	Fields []fieldRow
}

type fieldRow struct {
	Name, Count, Min, Median, P95, Max string
	Spread                             template.HTML
}

type gapRow struct {
	At, Lost, Reason, First, Last string
}

// writeHTML prints the page.
func writeHTML(w io.Writer, r *summary.Report, opt Options) error {
	t, err := template.New("page").Funcs(template.FuncMap{"percentOf": percentOf}).Parse(pageSource)
	if err != nil {
		return fmt.Errorf("parse page template: %w", err)
	}
	var out bytes.Buffer // so that a fault in the page leaves no half of it
	if err := t.Execute(&out, newPage(r, opt)); err != nil {
		return fmt.Errorf("fill page template: %w", err)
	}
	_, err = out.WriteTo(w)
	return err
}

// Style is the style sheet of the page and its charts.
func Style() string { return pageStyle + chart.Style }

// Policy is the Content-Security-Policy of the page: nothing but its own style sheet, which is in it.
func Policy() string {
	hash := sha256.Sum256([]byte(Style()))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
}

// percentOf turns a share into the number of a percentage.
func percentOf(share float64) float64 { return 100 * share }

func newPage(r *summary.Report, opt Options) *page {
	zone := opt.zone()
	p := &page{
		Title: opt.title(), Style: template.CSS(Style()), Period: period(r, zone), Zone: r.From.Time().In(zone).Format("MST"),
		Policy: Policy(),
		Notes:  opt.Notes, Tiles: tiles(r), HasMessages: r.Total.Messages > 0,
	}
	if !p.HasMessages {
		return p
	}
	p.addSilent(r, zone)
	p.addTime(r, zone)
	p.addHosts(r, zone)
	p.addTables(r)
	p.addGaps(r, zone)
	return p
}

func tiles(r *summary.Report) []tile {
	each, silent := "", silentRemark(r)
	if r.Total.Messages > 0 {
		each = count(r.Total.Bytes/r.Total.Messages) + " B each"
	}
	return []tile{
		{"Messages", fit(r.Total.Messages, 12), figure(r.PerSecond) + "/s", false},
		{"Bytes", size(r.Total.Bytes), each, false},
		{"Hosts", count(int64(len(r.Hosts))), silent, silent != ""},
		{"Beats missed", fit(r.Missed, 12), keptRemark(r), r.Missed > 0},
		{"Boots", fit(r.Boots, 12), "", false},
		{"Lost", fit(r.Gaps.Lost, 12), "in " + plural(r.Gaps.Notes, "gap", "gaps"), r.Gaps.Lost > 0},
		{"Invalid", fit(r.Invalid.Total(), 12), invalidRemark(r), false},
		{"Duplicates", fit(r.Duplicates.Count, 12), "not kept again", false},
	}
}

func (p *page) addSilent(r *summary.Report, zone *time.Location) {
	silent := r.SilentHosts()
	p.SilentLeft = max(0, len(silent)-pageRows)
	for _, h := range silent[:min(pageRows, len(silent))] {
		now := h.Standing(r.To.Time())
		p.Silent = append(p.Silent, silentRow{
			Name: label(h.Row, ""), Last: moment(now.LastBeat.Time(), zone), For: span(r.To.Sub(now.LastBeat).Truncate(time.Second)),
			Missed: count(now.Missed), Every: span(seconds(h.Interval)),
		})
	}
}

func (p *page) addTime(r *summary.Report, zone *time.Location) {
	rates := rateChart(r, zone)
	p.Series, p.Wide, p.Narrow = rates.Series, rates.SVG(chart.Wide()), rates.SVG(chart.Narrow())
	p.Peak = figure(slices.Max(r.Rate(r.Timeline.Counts)))
	p.Step = span(r.Timeline.Step)
	p.MapTicks = chart.Ticks(r.Start(), r.End(), 7, zone)
	p.Map = heartMap(r, zone)
	p.MapLeft = len(r.Hosts) - len(p.Map)
}

func (p *page) addHosts(r *summary.Report, zone *time.Location) {
	p.HostsLeft = max(0, len(r.Hosts)-pageHostRows)
	for _, h := range troubled(r.Hosts, pageHostRows) {
		row := hostRow{
			Name: label(h.Row, ""), Messages: count(h.Messages), Beats: count(h.Beats), Missed: count(h.Missed),
			First: moment(h.First.Time(), zone), Last: moment(h.Last.Time(), zone), Boots: count(h.Boots),
			Kept: "–", Every: "–", Silence: "–", Alert: h.Missed > 0,
		}
		if h.Interval > 0 {
			row.Kept, row.Every = percent(h.Kept), span(seconds(h.Interval))
		}
		if d := h.Silence.Length(); d > 0 {
			row.Silence = span(d.Truncate(time.Second))
		}
		p.Hosts = append(p.Hosts, row)
	}
}

func (p *page) addTables(r *summary.Report) {
	p.addTraffic("Messages by ID", "ID", rowsOf(r.IDs, func(k *summary.Kind) summary.Row { return k.Row }), r)
	p.addTraffic("Messages by plugin", "Plugin", rowsOf(r.Plugins, func(q *summary.Plugin) summary.Row { return q.Row }), r)
	hosts := rowsOf(r.Hosts, func(h *summary.Host) summary.Row { return h.Row })
	slices.SortStableFunc(hosts, func(a, b summary.Row) int { return cmp.Compare(b.Messages, a.Messages) })
	p.addTraffic("Messages by host", "Host", hosts, r)
	p.addTraffic("Messages by source", "Source", r.Sources, r)
	p.Unfollowed = unfollowedRemark(r)
	for _, plugin := range r.Plugins[:min(pagePlugins, len(r.Plugins))] {
		if len(plugin.Fields) > 0 {
			p.Plugins = append(p.Plugins, newPluginTable(plugin))
		}
	}
}

func (p *page) addTraffic(title, head string, rows []summary.Row, r *summary.Report) {
	if len(rows) == 0 {
		return
	}
	t := trafficTable{Title: title, Head: head, Left: max(0, len(rows)-pageRows)}
	peak := int64(1)
	for _, row := range rows {
		peak = max(peak, row.Messages)
	}
	for _, row := range rows[:min(pageRows, len(rows))] {
		t.Rows = append(t.Rows, trafficRow{
			Name: label(row, "no ID"), Messages: count(row.Messages), Share: share(row.Messages, r.Total.Messages),
			Bytes: size(row.Bytes), Bar: chart.Bar(float64(row.Messages) / float64(peak)),
		})
	}
	p.Tables = append(p.Tables, t)
}

func newPluginTable(plugin summary.Plugin) pluginTable {
	t := pluginTable{Name: label(plugin.Row, "")}
	for _, f := range plugin.Fields {
		// Halves, because the difference of two float64 may be too large for a third.
		at := func(v float64) float64 {
			if length := f.Max/2 - f.Min/2; length > 0 {
				return (v/2 - f.Min/2) / length
			}
			return 0.5
		}
		t.Fields = append(t.Fields, fieldRow{
			Name: printable(f.Name), Count: count(f.Count), Min: figure(f.Min), Median: figure(f.Median),
			P95: figure(f.P95), Max: figure(f.Max), Spread: chart.Spread(at(f.Median), at(f.P95)),
		})
	}
	return t
}

func (p *page) addGaps(r *summary.Report, zone *time.Location) {
	list := r.Gaps.List[:min(pageGapRows, len(r.Gaps.List))]
	p.GapsLeft = r.Gaps.Notes - int64(len(list))
	for _, g := range list {
		p.Gaps = append(p.Gaps, gapRow{
			moment(g.At.Time(), zone), count(g.Lost), printable(g.Reason), moment(g.First.Time(), zone), moment(g.Last.Time(), zone),
		})
	}
}
