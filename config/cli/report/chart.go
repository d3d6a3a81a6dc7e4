package report

import (
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-analyze/charts"

	"hbjournal/sink/journal/summary"
)

// canvas is the size of a chart and of what is written in it, in pixels. The page shows the one that fits.
type canvas struct {
	width, height int
	font          float64
	ticks         int // at most, on the time axis
}

var (
	wideCanvas   = canvas{width: 1080, height: 250, font: 12, ticks: 12}
	narrowCanvas = canvas{width: 360, height: 210, font: 11, ticks: 5}
)

// The stand-in colours of a drawing: rgb(1,1,n) is drawn, var(--chart-n) is shown.
const (
	axisColor = iota + 1
	gridColor
	labelColor
	seriesColor // of the first series; those of the others follow
)

// maxSeries is the number of IDs that get an area of their own; the rest share the last one.
const maxSeries = 5

func standIn(n int) charts.Color { return charts.Color{R: 1, G: 1, B: uint8(n), A: 255} }

// series is one area of the rate chart.
type series struct {
	Name  string
	Class string // of its colour
	Rates []float64
}

// rateSeries returns the areas of the rate chart: the IDs with the most messages, and all others together.
func rateSeries(r *summary.Report) []series {
	var out []series
	for i, k := range r.IDs {
		rates := r.Rate(k.Counts)
		if i < maxSeries {
			out = append(out, series{label(k.Row, "no ID"), "chart-" + strconv.Itoa(seriesColor+i), rates})
			continue
		}
		last := &out[maxSeries-1]
		last.Name = "others"
		for j, rate := range rates {
			last.Rates[j] += rate
		}
	}
	return out
}

// rateChart draws the areas of all, stacked, over the report's time.
func rateChart(r *summary.Report, all []series, size canvas, zone *time.Location) (template.HTML, error) {
	painter := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputSVG, Width: size.width, Height: size.height,
	})
	if err := painter.LineChart(rateOptions(all, size)); err != nil {
		return "", fmt.Errorf("draw rate chart: %w", err)
	}
	drawing, err := painter.Bytes()
	if err != nil {
		return "", fmt.Errorf("draw rate chart: %w", err)
	}
	frame, err := findFrame(string(drawing), size)
	if err != nil {
		return "", err
	}
	svg := themed(string(drawing))
	over := frame.times(r, size, zone) + frame.tips(r, all, zone)
	return template.HTML(strings.TrimSuffix(svg, "</svg>") + over + "</svg>"), nil
}

func rateOptions(all []series, size canvas) charts.LineChartOption {
	values, colors := make([][]float64, len(all)), make([]charts.Color, len(all))
	for i, s := range all {
		values[i], colors[i] = s.Rates, standIn(seriesColor+i)
		if len(s.Rates) == 1 { // one point is no line
			values[i] = []float64{s.Rates[0], s.Rates[0]}
		}
	}
	opt := charts.NewLineChartOptionWithData(values)
	opt.Theme = charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: standIn(axisColor), AxisSplitLineColor: standIn(gridColor),
		TextColor: standIn(labelColor), SeriesColors: colors, BackgroundColor: charts.ColorTransparent,
	})
	const pointsPerPixel = 0.75
	font := charts.NewFontStyleWithSize(size.font * pointsPerPixel)
	opt.Padding = charts.NewBox(6, int(size.font), 4, 6)
	opt.StackSeries, opt.FillOpacity = charts.Ptr(true), 220
	opt.LineStrokeWidth, opt.Symbol.Shape = 1, charts.SymbolNone
	opt.Legend.Show = charts.Ptr(false)
	opt.XAxis = charts.XAxisOption{
		Labels: make([]string, len(values[0])), LabelFontStyle: font,
		BoundaryGap: charts.Ptr(false), LabelCount: 1,
	}
	opt.YAxis = []charts.YAxisOption{{
		Min: charts.Ptr(0.0), Max: charts.Ptr(axisTop(stackedPeak(all))),
		LabelCount: axisSteps + 1, LabelFontStyle: font, ValueFormatter: figure,
	}}
	return opt
}

// axisSteps is how many steps the axis of the rates has.
const axisSteps = 4

// axisTop returns the end of an axis that has room for peak and round numbers at its steps.
func axisTop(peak float64) float64 {
	if peak <= 0 {
		return 1
	}
	step := peak / axisSteps
	unit := math.Pow10(int(math.Floor(math.Log10(step))))
	for _, round := range []float64{1, 2, 2.5, 5} {
		if step <= round*unit {
			return axisSteps * round * unit
		}
	}
	return axisSteps * 10 * unit
}

// stackedPeak returns the highest sum of all at one time.
func stackedPeak(all []series) (peak float64) {
	for i := range all[0].Rates {
		var sum float64
		for _, s := range all {
			sum += s.Rates[i]
		}
		peak = max(peak, sum)
	}
	return peak
}

// frame is where the areas lie in a drawing.
type frame struct {
	left, right, top, bottom int
}

// The only line in the colour of the axis is the time axis itself: it spans the areas.
var axisLine = regexp.MustCompile(`<path d="M (\d+) (\d+)\s+L (\d+) (\d+)" style="[^"]*stroke:rgb\(1,1,1\)`)

func findFrame(drawing string, size canvas) (frame, error) {
	for _, m := range axisLine.FindAllStringSubmatch(drawing, -1) {
		x1, _ := strconv.Atoi(m[1])
		y1, _ := strconv.Atoi(m[2])
		x2, _ := strconv.Atoi(m[3])
		if m[2] == m[4] && x2 > x1 {
			return frame{left: x1, right: x2, top: int(size.font), bottom: y1}, nil
		}
	}
	return frame{}, fmt.Errorf("draw rate chart: no time axis in the drawing")
}

// times writes the time axis.
func (f frame) times(r *summary.Report, size canvas, zone *time.Location) string {
	var b strings.Builder
	for _, t := range ticks(r.Timeline.Start, timelineEnd(r), size.ticks, zone) {
		x := f.left + int(t.At*float64(f.right-f.left))
		anchor := "middle"
		if x > f.right-20 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<path d="M %d %d v 4" stroke="var(--chart-%d)" fill="none"/>`, x, f.bottom, axisColor)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="%s" fill="var(--chart-%d)" font-size="%.4gpx">%s</text>`,
			x, f.bottom+int(size.font)+6, anchor, labelColor, size.font, t.Text)
	}
	return b.String()
}

// tips lays a column over each bucket that says its figures when pointed at, and marks those in which a gap was noted.
func (f frame) tips(r *summary.Report, all []series, zone *time.Location) string {
	var b strings.Builder
	width := float64(f.right-f.left) / float64(len(r.Timeline.Counts))
	for i := range r.Timeline.Counts {
		from := r.Timeline.Start.Add(time.Duration(i) * r.Timeline.Step)
		tip := moment(from, zone)
		for _, s := range all {
			if s.Rates[i] > 0 {
				tip += fmt.Sprintf("\n%s  %s/s", s.Name, figure(s.Rates[i]))
			}
		}
		class := "tip"
		if lost := lostIn(r, from); lost > 0 {
			class, tip = "tip lost", tip+"\n"+count(lost)+" lost"
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%.2f" y="%d" width="%.2f" height="%d"><title>%s</title></rect>`,
			class, float64(f.left)+float64(i)*width, f.top, width, f.bottom-f.top, template.HTMLEscapeString(tip))
	}
	return b.String()
}

// lostIn returns how much the gaps noted in the bucket that begins at from lost.
func lostIn(r *summary.Report, from time.Time) int64 {
	lost := int64(0)
	for _, g := range r.Gaps.List {
		if !g.At.Before(from) && g.At.Before(from.Add(r.Timeline.Step)) {
			lost += g.Lost
		}
	}
	return lost
}

func timelineEnd(r *summary.Report) time.Time {
	return r.Timeline.Start.Add(time.Duration(len(r.Timeline.Counts)) * r.Timeline.Step)
}

var (
	styleAttribute = regexp.MustCompile(` style="([^"]*)"`)
	standInColor   = regexp.MustCompile(`^rgba?\(1,1,(\d+)(?:,([0-9.]+))?\)$`)
)

// themed turns the style attributes of a drawing, which the page's policy forbids, into attributes of their own, and its
// stand-in colours into those of the theme.
func themed(drawing string) string {
	return styleAttribute.ReplaceAllStringFunc(drawing, func(attribute string) string {
		var b strings.Builder
		for declaration := range strings.SplitSeq(styleAttribute.FindStringSubmatch(attribute)[1], ";") {
			name, value, ok := strings.Cut(declaration, ":")
			if !ok || name == "font-family" {
				continue // The page's own font is used.
			}
			if m := standInColor.FindStringSubmatch(value); m != nil {
				value = "var(--chart-" + m[1] + ")"
				if m[2] != "" {
					fmt.Fprintf(&b, ` %s-opacity="%s"`, name, m[2])
				}
			}
			fmt.Fprintf(&b, ` %s="%s"`, name, value)
		}
		return b.String()
	})
}
