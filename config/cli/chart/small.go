package chart

import "html/template"

// Bar draws a share, 0 to 1, as the length of a bar.
func Bar(share float64) template.HTML { return draw("bar.svg", percentage(share)) }

// Spread draws the range from a least to a greatest value: filled up to most, with a mark at the median, both given as
// shares of the range, 0 to 1.
func Spread(median, most float64) template.HTML {
	return draw("spread.svg", map[string]float64{"Median": percentage(median), "Most": percentage(most)})
}

// percentage returns share as the percentage that is drawn.
func percentage(share float64) float64 { return round(100 * min(max(share, 0), 1)) }
