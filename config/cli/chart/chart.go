// Package chart draws the charts of our pages as SVG: rates over time as stacked areas, the strips of a heartbeat map, and
// the small charts that stand in a table.
//
//	Area     series of values over time, on top of each other, with both axes
//	Strip    one row of a heartbeat map: when somebody was heard
//	Bar      a share, as the length of a bar
//	Spread   a range, with how far most of it goes and where its middle is
//
// The drawings are made by html/template, so that no text in them can be markup. They hold no script and no style of
// their own: classes say what a shape is, and the style sheet Style, which the page includes, says how that looks in a
// light and in a dark theme.
//
// Axes of values begin at 0 and have steps of 1, 2 or 5 times a power of ten. Axes of time have marks at round times of
// the clock. A colour belongs to a name (see Color), whatever else is drawn beside it.
package chart

import (
	"bytes"
	"embed"
	"html/template"
)

// Style is the style sheet of all charts, with the colours of both themes. It expects the page's own --ink, --quiet,
// --line and --card.
//
//go:embed chart.css
var Style string

//go:embed *.svg
var shapeFiles embed.FS

var shapes = template.Must(template.ParseFS(shapeFiles, "*.svg"))

// draw fills one of the shapes.
func draw(shape string, data any) template.HTML {
	var b bytes.Buffer
	if err := shapes.ExecuteTemplate(&b, shape, data); err != nil {
		panic("chart: internal error: " + err.Error()) // A template and its data do not fit: no input can bring that about.
	}
	return template.HTML(b.String())
}
