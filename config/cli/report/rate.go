package report

import (
	"fmt"
	"time"

	"hbjournal/config/cli/chart"
	"hbjournal/sink/journal/summary"
)

// maxSeries is the number of IDs that get an area of their own; the rest share the last one.
const maxSeries = 5

// rateChart is the chart of messages a second: an area for each of the IDs with the most messages, and one for all others.
func rateChart(r *summary.Report, zone *time.Location) chart.Area {
	a := chart.Area{
		ID: "rate", Label: "messages a second over time, by ID", Start: r.Start(), Step: r.Timeline.Step, Zone: zone,
		Series: rateSeries(r),
	}
	for i := range r.Timeline.Counts {
		a.Tips = append(a.Tips, rateTip(r, a, i))
	}
	return a
}

func rateSeries(r *summary.Report) []chart.Series {
	var out []chart.Series
	for i, k := range r.IDs {
		rates := r.Rate(k.Counts)
		if i < maxSeries {
			color := chart.Color(k.Name)
			if k.Other {
				color = chart.Others
			}
			out = append(out, chart.Series{Name: label(k.Row, "no ID"), Color: color, Values: rates})
			continue
		}
		last := &out[maxSeries-1]
		last.Name, last.Color = "others", chart.Others
		for j, rate := range rates {
			last.Values[j] += rate
		}
	}
	chart.Hatch(out)
	return out
}

// rateTip is what step i of the chart says, and whether a gap was noted in it.
func rateTip(r *summary.Report, a chart.Area, i int) chart.Tip {
	from := a.Start.Add(time.Duration(i) * a.Step)
	tip := chart.Tip{Text: moment(from, a.Zone)}
	for _, s := range a.Series {
		if s.Values[i] > 0 {
			tip.Text += fmt.Sprintf("\n%s  %s/s", s.Name, figure(s.Values[i]))
		}
	}
	if lost := lostIn(r, from); lost > 0 {
		tip.Text, tip.Alert = tip.Text+"\n"+count(lost)+" lost", true
	}
	return tip
}

// lostIn returns how much the gaps noted in the bucket that begins at from lost.
func lostIn(r *summary.Report, from time.Time) int64 {
	lost := int64(0)
	for _, g := range r.Gaps.List {
		if at := g.At.Time(); !at.Before(from) && at.Before(from.Add(r.Timeline.Step)) {
			lost += g.Lost
		}
	}
	return lost
}
