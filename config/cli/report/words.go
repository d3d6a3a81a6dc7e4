package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"

	"hbjournal/sink/journal/summary"
)

// printable returns s with every character that does not print (controls, direction marks, invisible ones) spelled out
// as \u202e, so that it can be seen and can do nothing.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// label returns how row is called in a table: none is the word for an empty name.
func label(row summary.Row, none string) string {
	switch {
	case row.Other:
		return "(all others)"
	case row.Name == "":
		return none
	}
	return printable(row.Name)
}

// shorten returns s in at most width columns of a terminal.
func shorten(s string, width int) string {
	return runewidth.Truncate(s, width, "…")
}

func count(n int64) string { return humanize.Comma(n) }

// fit is count in at most width columns: in three digits and a letter for the power of a thousand if need be.
func fit(n int64, width int) string {
	if text := count(n); len(text) <= width {
		return text
	}
	return metric(float64(n), 1)
}

// metric returns v with at most digits decimals and the prefix of its power of a thousand: 8.59 G.
func metric(v float64, digits int) string {
	scaled, prefix := humanize.ComputeSI(v)
	text := strconv.FormatFloat(scaled, 'f', digits, 64)
	if digits > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return strings.TrimSpace(text + " " + prefix)
}

func size(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// percent returns share, 0 to 1, as "99.3 %". Only what is whole reads 100 %, and only what is nothing 0 %.
func percent(share float64) string {
	p := share * 100
	switch {
	case p > 99.9 && p < 100:
		p = 99.9
	case p > 0 && p < 0.1:
		return "<0.1 %"
	}
	if p == math.Trunc(p) {
		return fmt.Sprintf("%.0f %%", p)
	}
	return fmt.Sprintf("%.1f %%", p)
}

// share returns part of whole as a percentage, nothing of nothing being 0 %.
func share(part, whole int64) string {
	if whole == 0 {
		return percent(0)
	}
	return percent(float64(part) / float64(whole))
}

// figure returns a measured value in about four digits: 45.2, 1,234, 8.59 G, 2.5e-05.
func figure(v float64) string {
	abs := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "–"
	case v == math.Trunc(v) && abs < 1e6:
		return humanize.Comma(int64(v))
	case abs >= 1e15 || abs < 0.001:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case abs >= 1e5:
		return metric(v, 2)
	case abs >= 1000:
		return count(int64(math.Round(v)))
	}
	digits := 3 - max(0, int(math.Floor(math.Log10(abs))))
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', digits, 64), "0"), ".")
}

// span returns d in its two largest units: "1d 6h", "12 min", "30 s", "0.5 s".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	two := func(big time.Duration, bigName string, small time.Duration, smallName string) string {
		text := fmt.Sprintf("%d%s", d/big, bigName)
		if rest := d % big / small; rest > 0 {
			text += fmt.Sprintf(" %d%s", rest, smallName)
		}
		return text
	}
	switch {
	case d >= day:
		return two(day, "d", time.Hour, "h")
	case d >= time.Hour:
		return two(time.Hour, "h", time.Minute, "m")
	case d >= time.Minute:
		return two(time.Minute, "m", time.Second, "s")
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + "s"
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second))
}

// byNumber compares names with the numbers in them as numbers: web2 comes before web10.
func byNumber(a, b string) int {
	for a != "" && b != "" {
		i, j := leadingDigits(a), leadingDigits(b)
		if i > 0 && j > 0 {
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y), cmp.Compare(i, j)); c != 0 {
				return c
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// plural returns n, in few digits, and the word for that many.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fit(n, 6) + " " + many
}

// silentRemark says how many hosts are silent at the end, if any are.
func silentRemark(r *summary.Report) string {
	if n := len(r.SilentHosts()); n > 0 {
		return count(int64(n)) + " silent at the end"
	}
	return ""
}

// keptRemark says which share of the beats promised came, if any were.
func keptRemark(r *summary.Report) string {
	beats := int64(0)
	for _, h := range r.Hosts {
		beats += h.Beats
	}
	if beats == 0 {
		return ""
	}
	return share(beats, beats+r.Missed) + " kept"
}

// unfollowedRemark says how many plugin values the tables leave out, if any.
func unfollowedRemark(r *summary.Report) string {
	if r.Unfollowed == 0 {
		return ""
	}
	return plural(r.Unfollowed, "value is", "values are") + " left out: too many fields, too deep, or too far in an array."
}

const dateTime = "2006-01-02 15:04:05"

// moment returns t as it is shown in tables, "–" for the zero time.
func moment(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone).Format(dateTime)
}

// period returns the range of the report and how long it is.
func period(r *summary.Report, zone *time.Location) string {
	switch {
	case r.From == 0 && r.To == 0:
		return "no entries"
	case r.From == 0:
		return "no entries before " + r.To.Time().In(zone).Format(dateTime+" MST")
	case r.To == 0:
		return "no entries since " + r.From.Time().In(zone).Format(dateTime+" MST")
	}
	from, to := r.From.Time().In(zone), r.To.Time().In(zone)
	name := to.Format("MST")
	return fmt.Sprintf("%s – %s %s, %s", from.Format(dateTime), to.Format(dateTime), name, span(to.Sub(from).Truncate(time.Second)))
}

// invalidRemark says which share of the messages was invalid, or how many bear the journal's own marks, if any do.
func invalidRemark(r *summary.Report) string {
	if remark := reservedRemark(r); remark != "" {
		return remark
	}
	return share(r.Invalid.Total(), r.Total.Messages)
}

// reservedRemark says how many of the invalid datagrams bear the journal's own marks, if any do.
func reservedRemark(r *summary.Report) string {
	if r.Invalid.Reserved == 0 {
		return ""
	}
	return count(r.Invalid.Reserved) + " reserved"
}
