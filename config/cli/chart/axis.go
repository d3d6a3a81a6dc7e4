package chart

import (
	"math"
	"strconv"
)

// Axis is an axis of values that begins at 0 and has equal steps of 1, 2 or 5 times a power of ten.
type Axis struct {
	Steps    int // at least one
	mantissa int64
	exponent int // a step is mantissa times ten to the power of this
}

// mostSteps is how many steps an Axis has at most.
const mostSteps = 5

// NewAxis returns the axis with the least room above peak. Where there is nothing to be seen it ends at 1.
func NewAxis(peak float64) Axis {
	const least, largest = 1e-290, 1e290 // far from what a float64 cannot hold
	if math.IsNaN(peak) || peak < least {
		return Axis{Steps: 1, mantissa: 1}
	}
	peak = min(peak, largest)
	a := Axis{exponent: int(math.Floor(math.Log10(peak / mostSteps)))}
	for _, a.mantissa = range []int64{1, 2, 5} {
		if a.Steps = a.stepsTo(peak); a.Steps <= mostSteps {
			return a
		}
	}
	a.mantissa, a.exponent = 1, a.exponent+1
	a.Steps = a.stepsTo(peak)
	return a
}

// stepsTo returns how many steps it takes to reach value. What the division of two floats is off is no step.
func (a Axis) stepsTo(value float64) int {
	const off = 1e-9
	return max(1, int(math.Ceil(value/a.multiple(1)-off)))
}

// multiple returns n steps, rounded once.
func (a Axis) multiple(n int) float64 {
	v := float64(int64(n) * a.mantissa)
	if a.exponent < 0 {
		return v / math.Pow10(-a.exponent)
	}
	return v * math.Pow10(a.exponent)
}

// Top returns the value at the end of the axis.
func (a Axis) Top() float64 { return a.multiple(a.Steps) }

// Labels returns what stands at each step, 0 first, all with the same decimals and the same prefix for thousands.
func (a Axis) Labels() []string {
	labels := []string{"0"}
	zeros, prefix := a.prefix()
	scaled := Axis{mantissa: a.mantissa, exponent: a.exponent - zeros}
	for i := range a.Steps {
		text := strconv.FormatFloat(scaled.multiple(i+1), 'f', max(0, -scaled.exponent), 64)
		labels = append(labels, text+prefix)
	}
	return labels
}

// prefix returns the power of a thousand that the labels leave out, as a number of zeros and as a word.
func (a Axis) prefix() (zeros int, word string) {
	const plain, letters = 4, "kMGTPE" // digits of a number without a prefix
	digits := len(strconv.FormatInt(int64(a.Steps)*a.mantissa, 10)) + a.exponent
	if digits <= plain {
		return 0, ""
	}
	n := min((digits-1)/3, len(letters))
	return 3 * n, " " + letters[n-1:n]
}
