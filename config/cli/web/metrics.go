package web

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hbjournal/sink/journal/presence"
)

// maxHostMetrics is how many hosts have a figure of their own, if that is asked for.
const maxHostMetrics = 1000

// metrics is /metrics.
func (s *Server) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// countStates is how many hosts stand in each way.
func (s *Server) countStates() map[string]int { return countsOf(s.judge()) }

func (s *Server) judge() presence.Verdict {
	g, _, _ := s.watch.current()
	if g == nil {
		return presence.Verdict{}
	}
	return g.judge()
}

func countsOf(v presence.Verdict) map[string]int {
	counts := map[string]int{}
	for _, state := range presence.States() {
		counts[string(state)] = v.Counts[state]
	}
	return counts
}

// collector makes all metrics of one scrape from one judgement.
type collector struct{ s *Server }

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	g, whole, fault := c.s.watch.current()
	v := c.s.judge()
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	hosts := desc("journal_hosts", "Hosts in the journal by how they stand: ok, late, silent, unknown or unpromised.", "state")
	for state, n := range countsOf(v) {
		gauge(hosts, float64(n), state)
	}
	complete := 0.0
	if g != nil && whole == nil && !g.part && fault == "" {
		complete = 1
	}
	gauge(desc("journal_web_complete", "Whether the last 24 hours of the journal were read and are followed; 0: journal_hosts is of a part."), complete)
	gauge(desc("journal_web_streams", "Pages that are open."), float64(c.s.streams.used()))
	if c.s.opt.HostMetrics {
		c.collectHosts(v, gauge)
	}
}

// collectHosts gives when each host was heard last, the worst of them; how many are left out is a figure too.
func (c *collector) collectHosts(v presence.Verdict, gauge func(*prometheus.Desc, float64, ...string)) {
	seen := prometheus.NewDesc("journal_host_last_seen_timestamp_seconds", "Unix time of a host's last message.", []string{"name"}, nil)
	left := prometheus.NewDesc("journal_hosts_without_metric", "Hosts that have no journal_host_last_seen_timestamp_seconds, since there are too many.", nil, nil)
	shown := v.Hosts[:min(maxHostMetrics, len(v.Hosts))]
	for i := range shown {
		gauge(seen, float64(shown[i].Last.UnixMilli())/1000, shown[i].Name)
	}
	gauge(left, float64(len(v.Hosts)-len(shown)))
}
