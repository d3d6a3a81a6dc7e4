package web

import (
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"hbjournal/config/cli/chart"
	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
)

const (
	hostMessages = 2000    // of the newest that are looked at
	hostBytes    = 8 << 20 // of them
	hostWithin   = 2 * time.Second
	maxPlugins   = 64
	maxFields    = 256 // of a plugin
	mostFields   = 512 // of all plugins of a host
	maxPoints    = 240 // of a field
)

// A hostView is the page of one host.
type hostView struct {
	s       *Server
	name    string
	plugins map[string]*plugin
	fields  int // of all plugins
	changed bool
	loaded  int64     // instant of the newest message that load has taken, Unix milliseconds
	drawn   time.Time // when the plugins were
	before  map[string]template.HTML
}

// plugin is what one plugin of the host said last.
type plugin struct {
	at     time.Time
	fields []*field
	byPath map[string]*field
}

type field struct {
	path, text string
	points     []chart.Point
}

func (s *Server) newHostView(name string) *hostView {
	return &hostView{s: s, name: name, plugins: map[string]*plugin{}, before: map[string]template.HTML{}}
}

// hostPage is what the template shows.
type hostPage struct {
	frame
	Name       string
	Parts      map[string]template.HTML
	Lines      []item
	LinesFault string
}

func (s *Server) showHost(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name == "" || len(name) > maxQuery {
		s.sorry(w, http.StatusBadRequest, "Which host?", errNoHost.Error())
		return
	}
	view := s.newHostView(name)
	lines, at, fault := view.load(r.Context())
	g, _, _ := s.watch.current()
	page := hostPage{frame: s.frame(report.Printable(name)), Name: report.Printable(name), Lines: lines, LinesFault: fault}
	page.Refresh, page.At, page.Query = refreshing, s.roster.text(at), query{Host: name}.Text()
	var err error
	if page.Parts, err = view.parts(g); err != nil {
		s.opt.Log.Error().Err(err).Msg("a page cannot be made")
		writeText(w, http.StatusInternalServerError, "the page cannot be made: the log of 'hbjournal web' has the reason")
		return
	}
	code := http.StatusOK
	if len(lines) == 0 && !s.knows(name) {
		code = http.StatusNotFound
	}
	s.showPage(w, code, "host.html", page)
}

// knows reports whether the host is one of those that stand somehow.
func (s *Server) knows(name string) bool {
	return slices.ContainsFunc(s.judge().Hosts, func(h presence.Host) bool { return h.Name == name })
}

// load reads the host's newest messages. It returns the last of them as lines, and the position behind them.
func (v *hostView) load(ctx context.Context) (lines []item, at place, fault string) {
	if !v.s.readings.take() {
		return nil, v.s.start(), "Others are being served: load again for the last messages."
	}
	defer v.s.readings.giveBack()
	return v.read(ctx)
}

// read is load for one who may read.
func (v *hostView) read(ctx context.Context) (lines []item, at place, fault string) {
	s := v.s
	filter, err := query{Host: v.name}.filter()
	if err != nil {
		return nil, s.start(), err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, hostWithin)
	defer cancel()
	opt := s.lean()
	opt.Since = s.opt.Now().Add(-windowSpan)
	source := read.OpenBack(opt)
	defer source.Close()
	entries, err := newestOf(read.NewReader(ctx, source, filter, nil))
	for i := range slices.Backward(entries) {
		v.add(&entries[i])
	}
	if len(entries) > 0 {
		v.loaded = entries[0].Millis
	}
	for i := range entries[:min(firstLines, len(entries))] {
		lines = append(lines, itemOf(&entries[i], s.opt.Zone))
	}
	slices.Reverse(lines)
	if err != nil && ctx.Err() != nil {
		fault = "The search for older messages was ended after a moment."
	} else if err != nil {
		fault = "The messages cannot be read: " + err.Error()
	}
	if at = source.Ends(); len(at) != len(opt.Each()) {
		at = s.start()
	}
	return lines, at, fault
}

// newestOf are the newest entries, as many as are looked at.
func newestOf(found *read.Reader) ([]journal.Entry, error) {
	var entries []journal.Entry
	for size := 0; len(entries) < hostMessages && size < hostBytes && found.Next(); {
		entries = append(entries, found.Entry().Clone())
		size += len(found.Entry().Line)
	}
	return entries, found.Err()
}

var pluginOf = journal.NewLookup("ID", "plugin")

// add takes the next message of the host. Those that load has taken come once more, since the stream may begin before them.
func (v *hostView) add(e *journal.Entry) {
	if e.Millis <= v.loaded {
		return
	}
	var values [2][]byte
	pluginOf.Values(e.Message, values[:])
	name := string(presence.Name(values[1]))
	if name == "" {
		return
	}
	p := v.plugins[name]
	if p == nil {
		if len(v.plugins) >= maxPlugins {
			return
		}
		p = &plugin{byPath: map[string]*field{}}
		v.plugins[name] = p
	}
	p.at, v.changed = time.UnixMilli(e.Millis), true
	for _, l := range leavesOf(e.Message) {
		v.see(p, l)
	}
}

// see takes a value that a plugin tells of.
func (v *hostView) see(p *plugin, l leaf) {
	f := p.byPath[l.path]
	if f == nil {
		if len(p.fields) >= maxFields || v.fields >= mostFields {
			return
		}
		v.fields++
		f = &field{path: l.path}
		p.byPath[l.path] = f
		p.fields = append(p.fields, f)
	}
	f.text = l.text
	if !l.isNum {
		return
	}
	f.text = report.Figure(l.number)
	if f.points = append(f.points, chart.Point{At: p.at, Value: l.number}); len(f.points) > maxPoints {
		f.points = append(f.points[:0], f.points[len(f.points)-maxPoints:]...)
	}
}

// tell sends what has changed of the page.
func (v *hostView) tell(ctx context.Context, to *viewer) error {
	if v.drawn.IsZero() {
		if !v.s.readings.take() {
			return nil // In a moment: until then the page shows what it has.
		}
		v.read(ctx)
		v.s.readings.giveBack()
	}
	g, _, _ := v.s.watch.current()
	parts, err := v.parts(g)
	if err != nil {
		return err
	}
	u := update{At: v.s.opt.Now().UnixMilli(), Parts: map[string]template.HTML{}}
	for id, html := range parts {
		if v.before[id] != html {
			u.Parts[id] = html
		}
	}
	if v.before = parts; len(u.Parts) == 0 {
		return nil
	}
	return to.event("figures", "", u)
}

// hostFacts are what is said of the host above.
type hostFacts struct {
	hostRow
	Known      bool
	Beats      string
	BeatsKept  string
	Booted     string
	Due        string
	Journal    string
	Strip      template.HTML
	MapTicks   []chart.Tick
	Plugins    []pluginRows
	PluginsOut int
}

type pluginRows struct {
	Name, At string
	Fields   []fieldRow
}

type fieldRow struct {
	Path, Text, Least, Most string
	Spark                   template.HTML
}

// parts are the pieces of the page that change.
func (v *hostView) parts(g *gathering) (map[string]template.HTML, error) {
	s := v.s
	parts := map[string]template.HTML{}
	facts := v.facts(g)
	var err error
	if parts["facts"], err = s.pages.part("facts", facts); err != nil {
		return nil, err
	}
	if parts["strip"], err = s.pages.part("strip", facts); err != nil {
		return nil, err
	}
	const every = 2 * time.Second
	now := time.Now()
	if before, ok := v.before["plugins"]; ok && (!v.changed || now.Sub(v.drawn) < every) {
		parts["plugins"] = before
		return parts, nil
	}
	v.changed, v.drawn = false, now
	facts.Plugins = v.rows()
	parts["plugins"], err = s.pages.part("plugins", facts)
	return parts, err
}

func (v *hostView) facts(g *gathering) *hostFacts {
	s := v.s
	facts := &hostFacts{}
	facts.Name = report.Printable(v.name)
	if g == nil {
		return facts
	}
	verdict, now := g.judge(), s.opt.Now()
	i := slices.IndexFunc(verdict.Hosts, func(h presence.Host) bool { return h.Name == v.name })
	if i < 0 {
		return facts
	}
	h := &verdict.Hosts[i]
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.In(s.opt.Zone).Format("2006-01-02 15:04:05")
	}
	facts.hostRow, facts.Known = s.hostRow(h, now), true
	facts.Beats, facts.Booted, facts.Due, facts.Journal = report.Count(h.Beats), clock(h.Booted), clock(h.Due), report.Printable(h.Journal)
	facts.LastText = clock(h.Last)
	r := g.report(now, verdict.Hosts[i:i+1])
	if rows := report.HeartMap(r, s.opt.Zone); len(rows) > 0 {
		facts.Strip, facts.BeatsKept = rows[0].Strip, rows[0].Kept
		facts.MapTicks = ticks(r, s.opt.Zone)
	}
	return facts
}

// rows are the last values of the plugins, by name.
func (v *hostView) rows() []pluginRows {
	var rows []pluginRows
	now := v.s.opt.Now()
	for name, p := range v.plugins {
		row := pluginRows{Name: report.Printable(name), At: p.at.In(v.s.opt.Zone).Format("15:04:05")}
		for _, f := range p.fields {
			one := fieldRow{Path: report.Printable(f.path), Text: report.Printable(f.text)}
			if n := len(f.points); n > 0 {
				least, most := f.points[0].Value, f.points[0].Value
				for _, point := range f.points {
					least, most = min(least, point.Value), max(most, point.Value)
				}
				one.Least, one.Most = report.Figure(least), report.Figure(most)
				one.Spark = chart.Spark{
					Label: one.Path + " from " + one.Least + " to " + one.Most, From: f.points[0].At, To: now, Points: f.points,
				}.SVG()
			}
			row.Fields = append(row.Fields, one)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b pluginRows) int { return strings.Compare(a.Name, b.Name) })
	return rows
}
