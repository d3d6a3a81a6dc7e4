package web

import (
	"fmt"
	"html/template"
	"slices"
	"sync"
	"time"

	"hbjournal/config/cli/chart"
	"hbjournal/config/cli/report"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/summary"
)

const (
	hostRows  = 200 // of the table, the worst
	mapHosts  = 100 // of the heartbeat map
	chartsFor = 5 * time.Second
	bootedFor = time.Hour
)

// Figures are shown for a hundred times as long as they take to make, so that they cost one part in a hundred of a core, but
// within these bounds: a host that is silent is to be seen within two seconds.
const (
	figuresTimes = 100
	figuresLeast = 300 * time.Millisecond
	figuresMost  = 800 * time.Millisecond
)

// figures are what all pages show of the present, made a few times a second at most, and only while somebody looks. They are safe for
// use by several goroutines at once.
type figures struct {
	mu     sync.Mutex
	at     time.Time
	stays  time.Duration // for how long it is shown
	shown  *snapshot
	charts time.Time // when those were made
	of     *gathering
	rows   map[string]cachedRow
}

type cachedRow struct {
	host hostRow
	html template.HTML
}

// A snapshot is the present in pieces of the page. It does not change.
type snapshot struct {
	Now   int64 // Unix milliseconds
	Parts map[string]template.HTML
	Hosts []keyed
	Beats []keyed
}

// keyed is one row of a list, by the name of its host.
type keyed struct {
	Key  string
	HTML template.HTML
}

// hostRow is one row of the table of hosts. It can be compared.
type hostRow struct {
	Key, Name, Link, Address string
	State, Word              string // as a class, and as a word
	Since                    int64  // Unix milliseconds; 0: nothing to say
	SinceText, SinceWhat     string
	Missed, Every, LastText  string
	Last                     int64
}

// summaryOf is what stands above the table.
type summaryOf struct {
	Title           string
	Silent          int
	Others          []countOf
	Hosts           int
	HostsLeft       int // that the table leaves out
	Reading         string
	Complete        bool
	Rate            string
	Lost            string
	LostAlert       bool
	Losses          []lossText
	Daemon          string // one word
	DaemonAlert     bool
	Troubles        []string
	Notes           []string
	Series          []chart.Series
	Wide, Narrow    template.HTML
	Step, Peak      string
	MapTicks        []chart.Tick
	MapLeft         int
	DaemonReachable bool
}

type countOf struct {
	State, Word string
	Count       int
}

// lossText is what was lost for one reason: in the last hours by the notes in the journal, and since the daemon started.
type lossText struct{ Reason, Lost, Daemon string }

// show returns the present.
func (s *Server) show() (*snapshot, error) {
	f := &s.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shown != nil && time.Since(f.at) < f.stays {
		return f.shown, nil
	}
	began := time.Now()
	made, err := s.takeSnapshot()
	if err != nil {
		return nil, err
	}
	f.at, f.shown = time.Now(), made
	f.stays = min(max(figuresLeast, figuresTimes*f.at.Sub(began)), figuresMost)
	return made, nil
}

// takeSnapshot makes the pieces. f.mu must be held.
func (s *Server) takeSnapshot() (*snapshot, error) {
	f := &s.figures
	g, whole, fault := s.watch.current()
	now := s.opt.Now()
	if g == nil {
		g = newGathering(s.opt.Now, now, 0)
		g.part = true
	}
	v := g.judge()
	sum := s.sumUp(g, whole, fault, &v)
	made := &snapshot{Now: now.UnixMilli(), Parts: map[string]template.HTML{}}
	if f.shown == nil || f.of != g || time.Since(f.charts) >= chartsFor {
		if err := s.drawCharts(g, &v, now, sum, made); err != nil {
			return nil, err
		}
		f.of, f.charts = g, time.Now()
	} else {
		for _, id := range []string{"rate", "axis"} {
			made.Parts[id] = f.shown.Parts[id]
		}
		made.Beats = f.shown.Beats
	}
	for _, id := range []string{"counts", "reading", "tiles", "notes"} {
		html, err := s.pages.part(id, sum)
		if err != nil {
			return nil, err
		}
		made.Parts[id] = html
	}
	var err error
	made.Hosts, err = s.hostRows(v.Hosts, now)
	return made, err
}

// hostRows are the rows of the table. Those that stand as before are not made anew.
func (s *Server) hostRows(hosts []presence.Host, now time.Time) ([]keyed, error) {
	f := &s.figures
	before := f.rows
	f.rows = map[string]cachedRow{}
	var rows []keyed
	hosts = byBadness(hosts, now)
	for i := range hosts {
		row := s.hostRow(&hosts[i], now)
		cached, ok := before[hosts[i].Name]
		if !ok || cached.host != row {
			html, err := s.pages.part("hostrow", row)
			if err != nil {
				return nil, err
			}
			cached = cachedRow{row, html}
		}
		f.rows[hosts[i].Name] = cached
		rows = append(rows, keyed{hosts[i].Name, cached.html})
	}
	return rows, nil
}

// byBadness are the first of the hosts, as many as the table has rows. Those that booted within the hour come before those that
// are merely well.
func byBadness(hosts []presence.Host, now time.Time) []presence.Host {
	var bad, up, well []presence.Host
	for i := range hosts {
		switch h := &hosts[i]; {
		case h.State != presence.OK && h.State != presence.Unpromised:
			bad = append(bad, *h)
		case justBooted(h, now):
			up = append(up, *h)
		case len(well) < hostRows:
			well = append(well, *h)
		}
		if len(bad) == hostRows {
			return bad
		}
	}
	slices.SortStableFunc(up, func(a, b presence.Host) int { return b.Booted.Compare(a.Booted) })
	all := slices.Concat(bad, up, well)
	return all[:min(hostRows, len(all))]
}

func justBooted(h *presence.Host, now time.Time) bool {
	return !h.Booted.IsZero() && now.Sub(h.Booted) < bootedFor
}

func (s *Server) hostRow(h *presence.Host, now time.Time) hostRow {
	row := hostRow{
		Key: h.Name, Name: report.Printable(h.Name), Link: hostLink(h.Name), Address: h.Address, State: string(h.State), Word: string(h.State),
		Every: "–", Missed: "–", LastText: "–",
	}
	if h.Interval > 0 {
		row.Every = report.Span(h.Interval)
	}
	if !h.Beat.IsZero() {
		row.Last, row.LastText = h.Beat.UnixMilli(), h.Beat.In(s.opt.Zone).Format("15:04:05")
	} else if !h.Last.IsZero() {
		row.Last, row.LastText = h.Last.UnixMilli(), h.Last.In(s.opt.Zone).Format("15:04:05")
	}
	switch h.State {
	case presence.Silent:
		row.Missed = report.Count(h.Missed)
		row.since("silent for", h.Since, s.opt.Zone)
		if h.Returning {
			row.Word = "silent, beats again"
		}
	case presence.Late:
		row.since("late by", h.Due, s.opt.Zone)
	case presence.Unknown:
		row.since("not heard for", h.Beat, s.opt.Zone)
	default:
		if justBooted(h, now) {
			row.State, row.Word = "booted", "booted"
			row.since("up for", h.Booted, s.opt.Zone)
		} else if h.State == presence.Unpromised {
			row.Word = "no promise"
		}
	}
	return row
}

func (r *hostRow) since(what string, at time.Time, zone *time.Location) {
	if at.IsZero() {
		return
	}
	r.SinceWhat, r.Since, r.SinceText = what, at.UnixMilli(), at.In(zone).Format("2006-01-02 15:04:05")
}

// sumUp is what stands above the table, but for the charts.
func (s *Server) sumUp(g, whole *gathering, fault string, v *presence.Verdict) *summaryOf {
	now := s.opt.Now()
	sum := &summaryOf{Title: s.opt.Title, Silent: v.Counts[presence.Silent], Hosts: len(v.Hosts), HostsLeft: max(0, len(v.Hosts)-hostRows)}
	booted := 0
	for i := range v.Hosts {
		if justBooted(&v.Hosts[i], now) {
			booted++
		}
	}
	sum.Others = []countOf{
		{"late", "late", v.Counts[presence.Late]},
		{"unknown", "unknown", v.Counts[presence.Unknown]},
		{"booted", "booted within the hour", booted},
		{"ok", "ok", v.Counts[presence.OK]},
	}
	if n := v.Counts[presence.Unpromised]; n > 0 {
		sum.Others = append(sum.Others, countOf{"unpromised", "without a promise", n})
	}
	sum.Reading, sum.Complete = reading(g, whole, now, s.opt.Zone)
	s.addNotes(sum, g, fault, v)
	s.addLosses(sum, g, now)
	return sum
}

// reading says how far the journal was read.
func reading(g, whole *gathering, now time.Time, zone *time.Location) (text string, complete bool) {
	if whole == nil && !g.part {
		return "The last 24 hours were read.", true
	}
	share := 0.0
	if whole != nil {
		if at := whole.looked.Load(); at > 0 {
			share = float64(at-whole.since.UnixMilli()) / float64(max(1, now.Sub(whole.since).Milliseconds()))
		}
	}
	from := "nothing yet"
	if g.looked.Load() > 0 {
		from = "what came since " + g.since.In(zone).Format("15:04:05")
	}
	return fmt.Sprintf("Reading, the newest first: so far %s; of the last 24 hours %.0f %%.", from, 100*min(max(share, 0), 1)), false
}

func (s *Server) addNotes(sum *summaryOf, g *gathering, fault string, v *presence.Verdict) {
	if fault != "" {
		sum.Notes = append(sum.Notes, "Nothing can be read at present: "+fault)
	}
	if v.Ahead > 0 {
		sum.Notes = append(sum.Notes, "The journal is "+report.Span(v.Ahead.Truncate(time.Second))+" ahead of this machine's clock, so how hosts stand now cannot be told.")
	}
	if v.Left > 0 {
		sum.Notes = append(sum.Notes, "Only 16,384 hosts are told apart: there are more.")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.encrypted); n > 0 {
		sum.Notes = append(sum.Notes, report.Plural(int64(n), "file is", "files are")+" encrypted and left out: give --identity to read what is in them.")
	}
	if g.faults > 0 {
		sum.Notes = append(sum.Notes, report.Plural(int64(g.faults), "fault", "faults")+" in the files, the last one: "+report.Printable(cut(g.lastFault, 300)))
	}
}

func (s *Server) addLosses(sum *summaryOf, g *gathering, now time.Time) {
	rate, lost := g.speed(now)
	sum.Rate = report.Figure(rate)
	total := int64(0)
	for _, l := range lost {
		total += l.Lost
		sum.Losses = append(sum.Losses, lossText{report.Printable(l.Reason), report.Fit(l.Lost, 10), "0"})
	}
	sum.Lost, sum.LostAlert = report.Fit(total, 10), total > 0
	said, ok := s.daemon.last()
	sum.DaemonReachable = ok && said.fault == "" && !said.at.IsZero()
	switch {
	case !ok:
		sum.Daemon = "not asked"
	case said.at.IsZero():
		sum.Daemon = "asking"
	case said.fault != "":
		sum.Daemon, sum.DaemonAlert = "no answer", true
		sum.Troubles = []string{report.Printable(cut(said.fault, 300))}
	case len(said.troubles) > 0:
		sum.Daemon, sum.DaemonAlert = "degraded", true
		for _, text := range said.troubles {
			sum.Troubles = append(sum.Troubles, report.Printable(cut(text, 300)))
		}
	default:
		sum.Daemon = "healthy"
	}
	for _, l := range said.lost {
		i := slices.IndexFunc(sum.Losses, func(t lossText) bool { return t.Reason == l.Reason })
		if i < 0 {
			i = len(sum.Losses)
			sum.Losses = append(sum.Losses, lossText{Reason: report.Printable(l.Reason), Lost: "0"})
		}
		sum.Losses[i].Daemon = report.Fit(l.Lost, 10)
	}
}

// drawCharts draws what is of the last hours.
func (s *Server) drawCharts(g *gathering, v *presence.Verdict, now time.Time, sum *summaryOf, made *snapshot) error {
	shown := v.Hosts[:min(mapHosts, len(v.Hosts))]
	r := g.report(now, shown)
	sum.MapLeft = len(v.Hosts) - len(r.Hosts)
	rates := report.RateChart(r, s.opt.Zone)
	sum.Series, sum.Wide, sum.Narrow = rates.Series, rates.SVG(chart.Wide()), rates.SVG(chart.Narrow())
	sum.Step, sum.Peak = report.Span(r.Timeline.Step), report.Figure(peakOf(r))
	sum.MapTicks = ticks(r, s.opt.Zone)
	for _, id := range []string{"rate", "axis"} {
		html, err := s.pages.part(id, sum)
		if err != nil {
			return err
		}
		made.Parts[id] = html
	}
	for _, row := range report.HeartMap(r, s.opt.Zone) {
		html, err := s.pages.part("beat", struct {
			report.Beats
			Link string
		}{row, hostLink(row.Host)})
		if err != nil {
			return err
		}
		made.Beats = append(made.Beats, keyed{row.Host, html})
	}
	return nil
}

func peakOf(r *summary.Report) (peak float64) {
	for _, rate := range r.Rate(r.Timeline.Counts) {
		peak = max(peak, rate)
	}
	return peak
}

// ticks are those of the heartbeat map that are far enough from its edges to be written in the middle below them.
func ticks(r *summary.Report, zone *time.Location) []chart.Tick {
	const edge = 0.05
	return slices.DeleteFunc(chart.Ticks(r.Start(), r.End(), 7, zone), func(t chart.Tick) bool { return t.At < edge || t.At > 1-edge })
}
