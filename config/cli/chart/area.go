package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Area is a chart of values over time: series on top of each other, the first one at the bottom.
type Area struct {
	ID     string // of the chart in its page, for what it refers to in itself
	Label  string // for those who cannot see it
	Start  time.Time
	Step   time.Duration // for which each value stands
	Series []Series
	Tips   []Tip // what each step says when pointed at, as many as there are values; or none
	Zone   *time.Location
}

// Series is one area of an Area chart. Values below 0, and what is no number, count as 0.
type Series struct {
	Name   string
	Color  string // as Color returns it
	Hatch  int    // 0: plain; see Hatch
	Values []float64
}

// Tip is what one step of a chart says, marked as an alert or not.
type Tip struct {
	Text  string
	Alert bool
}

// Size is that of a drawing and of what is written in it, in pixels. A page shows the one that fits it.
type Size struct {
	Width, Height int
	Font          float64
	Ticks         int // at most, on the time axis
}

// Wide is the size for a screen, Narrow that for a phone.
func Wide() Size { return Size{Width: 1080, Height: 250, Font: 12, Ticks: 12} }

// Narrow is the size for a phone.
func Narrow() Size { return Size{Width: 340, Height: 210, Font: 11, Ticks: 5} }

// SVG draws the chart.
func (a Area) SVG(size Size) template.HTML {
	axis := NewAxis(a.peak())
	f := newFrame(size, axis)
	return draw("area.svg", map[string]any{
		"ID": fmt.Sprintf("%s-%d", a.ID, size.Width), "Label": a.Label, "Size": size, "Frame": f,
		"Steps": f.steps(axis), "Ticks": f.ticks(a, size), "Bands": f.bands(a.Series, axis.Top()),
		"Tips": f.tips(a.Tips),
	})
}

// peak returns the highest sum of all series at one time.
func (a Area) peak() (peak float64) {
	for _, sum := range stacked(a.Series) {
		peak = max(peak, sum)
	}
	return peak
}

// stacked returns the sums of all series, step by step.
func stacked(all []Series) []float64 {
	var sums []float64
	for _, s := range all {
		sums = append(sums, make([]float64, max(0, len(s.Values)-len(sums)))...)
		for i, v := range s.Values {
			if v > 0 && !math.IsInf(v, 1) {
				sums[i] += v
			}
		}
	}
	return sums
}

// frame is where the areas lie in a drawing, in pixels.
type frame struct {
	Left, Right, Top, Bottom float64
}

// newFrame leaves room for the labels of both axes.
func newFrame(size Size, axis Axis) frame {
	const charWidth, space = 0.6, 8 // of a character, in heights; between a label and the areas
	longest := 0
	for _, label := range axis.Labels() {
		longest = max(longest, utf8.RuneCountInString(label))
	}
	return frame{
		Left: math.Ceil(float64(longest)*size.Font*charWidth) + space, Right: float64(size.Width) - space,
		Top: size.Font, Bottom: float64(size.Height) - 2*size.Font,
	}
}

// mark is a label and where it stands.
type mark struct {
	X, Y   float64
	Text   string
	Anchor string
}

// steps are the labels of the axis of values, with a line across at each.
func (f frame) steps(axis Axis) []mark {
	var out []mark
	for i, label := range axis.Labels() {
		y := f.Bottom - (f.Bottom-f.Top)*float64(i)/float64(axis.Steps)
		out = append(out, mark{X: f.Left - 6, Y: round(y), Text: label, Anchor: "end"})
	}
	return out
}

// ticks are the labels of the time axis.
func (f frame) ticks(a Area, size Size) []mark {
	zone := a.Zone
	if zone == nil {
		zone = time.UTC
	}
	end := a.Start.Add(time.Duration(len(stacked(a.Series))) * a.Step)
	var out []mark
	for _, t := range Ticks(a.Start, end, size.Ticks, zone) {
		m := mark{X: round(f.Left + t.At*(f.Right-f.Left)), Y: f.Bottom, Text: t.Text, Anchor: "middle"}
		if half := float64(len(t.Text)) * size.Font * 0.3; m.X+half > float64(size.Width) {
			m.Anchor = "end"
		}
		out = append(out, m)
	}
	return out
}

// band is one area as it is drawn: from the axis up to its upper edge. The lower ones are drawn over it.
type band struct {
	Name, Color, Path string
	Angle             int // of the hatching, in degrees; 0: plain
}

// bands returns the areas in the order in which they are drawn, the uppermost first.
func (f frame) bands(all []Series, top float64) []band {
	var out []band
	for i := len(all) - 1; i >= 0; i-- {
		s := all[i]
		out = append(out, band{s.Name, s.Color, f.path(stacked(all[:i+1]), top), 45 * s.Hatch})
	}
	return out
}

// path goes along the upper edge of values, flat over each step, and back along the axis.
func (f frame) path(values []float64, top float64) string {
	var b []byte
	coordinate := func(command string, v float64) {
		b = strconv.AppendFloat(append(b, command...), round(v), 'f', -1, 64)
	}
	coordinate("M ", f.Left)
	last := f.Bottom
	coordinate(" ", last)
	for i, v := range values {
		y := round(f.Bottom - (f.Bottom-f.Top)*v/top)
		if y != last {
			coordinate(" H ", f.Left+(f.Right-f.Left)*float64(i)/float64(len(values)))
			coordinate(" V ", y)
			last = y
		}
	}
	coordinate(" H ", f.Right)
	coordinate(" V ", f.Bottom)
	return string(append(b, " Z"...))
}

// column is a step of the chart that can be pointed at.
type column struct {
	Tip
	X, Width float64
}

func (f frame) tips(tips []Tip) []column {
	var out []column
	width := (f.Right - f.Left) / float64(max(1, len(tips)))
	for i, tip := range tips {
		out = append(out, column{tip, round(f.Left + float64(i)*width), math.Ceil(width*100) / 100})
	}
	return out
}

// Height returns that of the areas.
func (f frame) Height() float64 { return f.Bottom - f.Top }

// round cuts what nobody sees of a coordinate.
func round(v float64) float64 { return math.Round(v*100) / 100 }
