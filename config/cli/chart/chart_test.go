package chart

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// midnight is when the charts of these tests begin.
var midnight = time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)

func TestAnAxisBeginsAtZeroAndHasRoundSteps(t *testing.T) {
	f := func(peak float64, want string) {
		t.Helper()
		if got := strings.Join(NewAxis(peak).Labels(), "  "); got != want {
			t.Errorf("peak %v: got %q, want %q", peak, got, want)
		}
	}
	f(0, "0  1")
	f(math.NaN(), "0  1")
	f(-3, "0  1")
	f(0.001, "0  0.0002  0.0004  0.0006  0.0008  0.0010")
	f(0.3, "0  0.1  0.2  0.3")
	f(0.7, "0  0.2  0.4  0.6  0.8")
	f(1, "0  0.2  0.4  0.6  0.8  1.0")
	f(1.01, "0  0.5  1.0  1.5")
	f(13.1, "0  5  10  15")
	f(61, "0  20  40  60  80")
	f(100, "0  20  40  60  80  100")
	f(3000, "0  1000  2000  3000")
	f(9999, "0  2 k  4 k  6 k  8 k  10 k")
	f(123_456, "0  50 k  100 k  150 k")
	f(1e6, "0  0.2 M  0.4 M  0.6 M  0.8 M  1.0 M")
	f(4e9, "0  1 G  2 G  3 G  4 G")
}

func TestAnAxisFitsEveryPeak(t *testing.T) {
	for peak := 1e-6; peak < 1e12; peak *= 1.0137 {
		a := NewAxis(peak)
		step := a.multiple(1)
		mantissa := math.Round(step/math.Pow10(int(math.Floor(math.Log10(step)+1e-9)))*1e6) / 1e6
		if !slices.Contains([]float64{1, 2, 5}, mantissa) {
			t.Fatalf("peak %v: got steps of %v, want 1, 2 or 5 times a power of ten", peak, step)
		}
		if a.Steps < 3 || a.Steps > mostSteps || a.Top() < peak*(1-1e-8) || a.Top()-step > peak {
			t.Fatalf("peak %v: got %d steps up to %v, want 3 to %d and no more room than it takes", peak, a.Steps, a.Top(), mostSteps)
		}
		if labels := a.Labels(); len(slices.Compact(labels)) != a.Steps+1 {
			t.Fatalf("peak %v: got labels %q, want each another", peak, labels)
		}
	}
	for _, peak := range []float64{5e-324, 1e-300, math.MaxFloat64, math.Inf(1)} {
		if a := NewAxis(peak); !(a.Top() > 0) || math.IsInf(a.Top(), 0) || len(a.Labels()) != a.Steps+1 {
			t.Errorf("peak %v: got the axis %+v up to %v", peak, a, a.Top())
		}
	}
}

func TestTicksStandAtRoundTimesOfTheZone(t *testing.T) {
	kathmandu := time.FixedZone("NPT", 5*3600+45*60)
	f := func(from time.Time, hours float64, zone *time.Location, want string) {
		t.Helper()
		var got []string
		for _, tick := range Ticks(from, from.Add(time.Duration(hours*float64(time.Hour))), 5, zone) {
			got = append(got, tick.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v hours: got %q, want %q", hours, got, want)
		}
	}
	f(midnight, 24, time.UTC, "Mar 28 06:00 12:00 18:00 Mar 29")
	f(midnight, 24, kathmandu, "06:00 12:00 18:00 Mar 29")
	f(midnight, 0.5, time.UTC, "Mar 28 00:15 00:30")
	f(midnight, 48, time.UTC, "Mar 28 12:00 Mar 29 12:00 Mar 30")
	f(midnight, 24*30, time.UTC, "Mar 30 Apr 6 Apr 13 Apr 20 Apr 27")
	f(midnight, 0, time.UTC, "")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	forward := time.Date(2026, 3, 28, 18, 0, 0, 0, berlin) // Clocks go from 02:00 to 03:00 in the night.
	f(forward, 23, berlin, "18:00 Mar 29 06:00 12:00 18:00")
}

// marked returns the attribute of every element of this class.
func marked(t *testing.T, svg, class, attribute string) []string {
	t.Helper()
	var out []string
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("got a drawing that is no XML: %v\n%s", err, svg)
		}
		if element, ok := token.(xml.StartElement); ok {
			values := map[string]string{}
			for _, a := range element.Attr {
				values[a.Name.Local] = a.Value
			}
			if slices.Contains(strings.Fields(values["class"]), class) {
				out = append(out, values[attribute])
			}
		}
	}
}

func TestAreasStandOnTopOfEachOther(t *testing.T) {
	a := Area{ID: "rate", Start: midnight, Step: time.Minute, Series: []Series{
		{Name: "low", Color: "HTB", Values: []float64{1, 1, 0, 2}},
		{Name: "high", Color: "PLG", Values: []float64{1, 3, 0, 2}},
	}}
	svg := string(a.SVG(Size{Width: 126, Height: 74, Font: 10, Ticks: 4}))
	// The axis goes up to 4, over 44 pixels from 54 up to 10; the areas lie between 14 and 118, 26 pixels a step.
	want := []string{
		"M 14 54 H 14 V 32 H 40 V 10 H 66 V 54 H 92 V 10 H 118 V 54 Z",
		"M 14 54 H 14 V 43 H 66 V 54 H 92 V 32 H 118 V 54 Z",
	}
	if got := marked(t, svg, "area", "d"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for class, want := range map[string]int{"area-HTB": 1, "area-PLG": 1, "grid": 5, "tip": 0} {
		if got := len(marked(t, svg, class, "class")); got != want {
			t.Errorf("%s: got %d, want %d", class, got, want)
		}
	}
}

func TestAChartOfAnyDataIsDrawnWithinItsFrame(t *testing.T) {
	coordinate := regexp.MustCompile(`-?[0-9.]+(?:e[-+]?[0-9]+)?|NaN|Inf`)
	f := func(name string, values ...float64) {
		t.Helper()
		for _, size := range []Size{Wide(), Narrow()} {
			a := Area{ID: "rate", Start: midnight, Step: time.Second, Series: []Series{{Name: name, Color: Color(name), Values: values}}}
			svg := string(a.SVG(size))
			for _, d := range marked(t, svg, "area", "d") {
				for _, text := range coordinate.FindAllString(d, -1) {
					var v float64
					if _, err := fmt.Sscan(text, &v); err != nil || math.IsNaN(v) || v < 0 || v > float64(size.Width) {
						t.Errorf("%s: got the coordinate %s in %s", name, text, d)
					}
				}
			}
			if got := len(marked(t, svg, "grid", "d")); got < 2 {
				t.Errorf("%s: got %d steps of the axis, want 2 at least", name, got)
			}
		}
	}
	f("nothing at all")
	f("one value", 13.1)
	f("one value of nothing", 0)
	f("hardly anything", 0.001, 0.0005)
	f("very much", 1e6, 1)
	f("what is no number", math.NaN(), math.Inf(1), -1, 2)
	(Area{Start: midnight}).SVG(Wide()) // must not panic
}

func TestAColourBelongsToAName(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		if got := Color(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
	f("HTB", "HTB")
	f("PLG", "PLG")
	f("JRN", "JRN")
	f("", "none")
	f("EVT", "6") // These two are what they were in the first report ever printed.
	f("LOG", "5")
	for i := range 200 {
		class := ".area-" + Color(fmt.Sprint(i)) + " "
		if !strings.Contains(Style, class) {
			t.Errorf("got %s, which the style sheet does not know", class)
		}
	}
}

func TestSeriesOfOneColourAreToldApartByHatching(t *testing.T) {
	all := []Series{{Color: "1"}, {Color: "HTB"}, {Color: "1"}, {Color: "1"}}
	for i := range all {
		all[i].Values = []float64{1}
	}
	Hatch(all)
	svg := string(Area{ID: "rate", Step: time.Second, Series: all}.SVG(Wide()))
	want := []string{"url(#rate-1080-1-90)", "url(#rate-1080-1-45)", "", ""}
	if got := marked(t, svg, "area", "fill"); !slices.Equal(got, want) {
		t.Errorf("got fills %q, want %q", got, want)
	}
	if got := strings.Count(svg, "<pattern"); got != 2 {
		t.Errorf("got %d patterns, want 2", got)
	}
}

func TestAMarkHidesNoSilence(t *testing.T) {
	svg := string(Strip{
		Columns: 4, Runs: []Run{{Kind: "present", Len: 3}, {Kind: "silent", At: 3, Len: 1, Headline: "silent", Text: "<b>"}},
		Marks: []Mark{{At: 0.875, Text: "boot"}},
	}.SVG())
	if got, want := marked(t, svg, "silence", "d"), []string{"M 3 5 h 1"}; !slices.Equal(got, want) {
		t.Errorf("silence: got %q, want %q", got, want)
	}
	if got, want := marked(t, svg, "mark", "d"), []string{"M 3.5 0 V 3"}; !slices.Equal(got, want) {
		t.Errorf("mark: got %q, want %q: above the silence", got, want)
	}
	if strings.Contains(svg, "<b>") {
		t.Errorf("got markup from a text: %s", svg)
	}
}

func TestSmallChartsStayWithinTheirBox(t *testing.T) {
	if got := string(Bar(7)); !strings.Contains(got, `width="100"`) {
		t.Errorf("got %s, want a full bar", got)
	}
	got := string(Spread(0.25, -1))
	if !strings.Contains(got, `M 25 0 V 10`) || !strings.Contains(got, `class="most" y="3" width="0"`) {
		t.Errorf("got %s, want a mark at 25 and nothing filled", got)
	}
}
