package summary

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	relativeError = 0.01 // of medians and percentiles
	maxBins       = 2048 // of a sketch, for either sign; 8 bytes each, made as they are needed
)

// plugin is what is known of one plugin: its traffic, and the spread of each of its numeric fields.
type plugin struct {
	tally  Tally
	fields []*field
	byName map[string]*field
}

// field is one numeric field of a plugin, with the spread of its values.
type field struct {
	name     string
	count    int64
	min, max float64
	sketch   *ddsketch.DDSketch
}

// field returns the field called name, or nil if it is new and budget, the number of fields that may still be made, is
// used up. Messages of one plugin have the same keys in the same order, so the guess is nearly always right.
func (p *plugin) field(name []byte, guess int, budget *int) *field {
	if guess < len(p.fields) && p.fields[guess].name == string(name) {
		return p.fields[guess]
	}
	if f, ok := p.byName[string(name)]; ok {
		return f
	}
	if *budget <= 0 {
		return nil
	}
	*budget--
	return p.newField(string(name))
}

func (p *plugin) newField(name string) *field {
	f := &field{name: name, min: math.Inf(1), max: math.Inf(-1), sketch: newSketch()}
	if p.byName == nil {
		p.byName = make(map[string]*field)
	}
	p.byName[name] = f
	p.fields = append(p.fields, f)
	return f
}

func newSketch() *ddsketch.DDSketch {
	scale, err := mapping.NewCubicallyInterpolatedMapping(relativeError)
	if err != nil {
		panic("summary: internal error: " + err.Error()) // only for an error outside (0, 1)
	}
	return ddsketch.NewDDSketch(scale,
		store.NewCollapsingLowestDenseStore(maxBins), store.NewCollapsingLowestDenseStore(maxBins))
}

func (f *field) add(value float64) {
	if f.sketch.Add(value) != nil {
		return // beyond what the sketch can index, which is nearly the range of a float64
	}
	f.count++
	f.min, f.max = min(f.min, value), max(f.max, value)
}

// reset forgets all values but keeps the fields.
func (p *plugin) reset() {
	p.tally.reset()
	for _, f := range p.fields {
		f.sketch.Clear()
		f.count, f.min, f.max = 0, math.Inf(1), math.Inf(-1)
	}
}

// merge adds the fields of later, as long as there is budget for those that are new, and returns how many values were left
// out.
func (p *plugin) merge(later *plugin, budget *int) (left int64) {
	p.tally.merge(&later.tally)
	for i, from := range later.fields {
		if from.count == 0 {
			continue
		}
		to := p.field([]byte(from.name), i, budget)
		if to == nil {
			left += from.count
			continue
		}
		if to.sketch.MergeWith(from.sketch) != nil {
			continue // only sketches of another scale refuse, and all of ours have one
		}
		to.count += from.count
		to.min, to.max = min(to.min, from.min), max(to.max, from.max)
	}
	return left
}

// quantile returns the value that a share of q of the values do not exceed, 0 to 1. It is never outside the exact minimum
// and maximum.
func (f *field) quantile(q float64) float64 {
	rank := 0.0 // as the sketch counts: 0 is the lowest value, 1 the highest
	if f.count > 1 {
		rank = max(0, math.Ceil(q*float64(f.count))-1) / float64(f.count-1)
	}
	v, err := f.sketch.GetValueAtQuantile(rank)
	if err != nil {
		return math.NaN() // only of an empty sketch
	}
	return min(max(v, f.min), f.max)
}
