package chart

import "html/template"

// Strip is one row of a heartbeat map, of equal columns. It is stretched to the width there is.
type Strip struct {
	Label   string // what it shows, in words
	Columns int
	Runs    []Run
	Marks   []Mark
}

// Run is a stretch of columns that are alike. Kind is a class of the style sheet: present, thin, broken or silent. Silence
// is told by shape as well as by colour: as a line instead of a full bar.
type Run struct {
	Kind     string
	At, Len  int // columns
	Headline string
	Text     string // both are shown when it is pointed at
}

// Mark is an instant of its own, such as a boot. It stands above the middle, where silence is drawn, and so hides none.
type Mark struct {
	At   float64 // share of the row's width
	Text string
}

// stripHeight is that of a row's drawing, in its own units.
const stripHeight = 10

// Height returns that of the drawing, before it is stretched.
func (Strip) Height() int { return stripHeight }

// X returns where m stands.
func (s Strip) X(m Mark) float64 { return round(m.At * float64(s.Columns)) }

// SVG draws the strip.
func (s Strip) SVG() template.HTML { return draw("strip.svg", s) }
