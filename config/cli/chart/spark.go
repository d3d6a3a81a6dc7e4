package chart

import (
	"html/template"
	"math"
	"strconv"
	"time"
)

// Spark is the small chart of one value over time, without axes: what stands beside it says the values. It goes from the least
// to the greatest of them, and where nothing came for long the line is broken.
type Spark struct {
	Label    string // what it shows, in words
	From, To time.Time
	Points   []Point // by time; what is no finite number is left out
}

// Point is a value at a time.
type Point struct {
	At    time.Time
	Value float64
}

const (
	sparkWidth, sparkHeight = 200, 32
	sparkEdge               = 3 // of the height, above and below
)

// SVG draws the chart.
func (s Spark) SVG() template.HTML {
	path, x, y := s.path()
	return draw("spark.svg", map[string]any{
		"Label": s.Label, "Width": sparkWidth, "Height": sparkHeight, "Path": path, "X": x, "Y": y,
	})
}

// path is the line, and where it ends.
func (s Spark) path() (path string, x, y float64) {
	low, high := s.bounds()
	pause := s.pause()
	var b []byte
	var last time.Time
	for _, p := range s.Points {
		if math.IsInf(p.Value, 0) || math.IsNaN(p.Value) {
			continue
		}
		x, y = s.x(p.At), sparkHeight/2
		if high > low {
			y = round(sparkEdge + (sparkHeight-2*sparkEdge)*(high/2-p.Value/2)/(high/2-low/2))
		}
		command := "L "
		if last.IsZero() || p.At.Sub(last) > pause {
			command = "M "
		}
		b = append(b, command...)
		b = append(strconv.AppendFloat(b, x, 'f', -1, 64), ' ')
		b = append(strconv.AppendFloat(b, y, 'f', -1, 64), ' ')
		if command == "M " {
			b = append(b, "h 0.01 "...) // So that one value alone is a dot.
		}
		last = p.At
	}
	return string(b), x, y
}

func (s Spark) x(at time.Time) float64 {
	length := max(s.To.Sub(s.From), time.Millisecond)
	return round(sparkEdge + (sparkWidth-2*sparkEdge)*float64(at.Sub(s.From))/float64(length))
}

func (s Spark) bounds() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range s.Points {
		if !math.IsInf(p.Value, 0) && !math.IsNaN(p.Value) {
			low, high = min(low, p.Value), max(high, p.Value)
		}
	}
	return low, high
}

// pause is how far apart two values are between which something is missing: four times what they usually are.
func (s Spark) pause() time.Duration {
	if len(s.Points) < 2 {
		return 0
	}
	mean := s.Points[len(s.Points)-1].At.Sub(s.Points[0].At) / time.Duration(len(s.Points)-1)
	return 4*mean + time.Second
}
