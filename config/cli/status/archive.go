package status

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hbjournal/ingest/fleet"
)

// ListenArchive is Listen for an archive, which answers the same requests.
func ListenArchive(addr, version string, figures func() fleet.Figures) (*Server, error) {
	mux := newMux(
		func(w http.ResponseWriter) { writeArchiveReady(w, figures()) },
		func(w http.ResponseWriter) {
			setHeaders(w, "application/json")
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			_ = encoder.Encode(figures())
		},
		promhttp.HandlerFor(newRegistry(&archiveCollector{version, figures}), promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
	)
	return listen(addr, mux)
}

// writeArchiveReady tells whether what the stream holds reaches the disk.
func writeArchiveReady(w http.ResponseWriter, f fleet.Figures) {
	if why := f.NotReady(); why != "" {
		writeText(w, http.StatusServiceUnavailable, "not ready\n"+why)
		return
	}
	text := "ready"
	if w := f.Warnings(); w != "" {
		text += "\n" + w
	}
	writeText(w, http.StatusOK, text)
}

// archiveCollector makes all metrics of one scrape from one moment's figures.
type archiveCollector struct {
	version string
	figures func() fleet.Figures
}

// archiveMetric is a figure of an archive.
type archiveMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(fleet.Figures) float64
}

func archiveMetrics() []archiveMetric {
	count := func(name, help string, value func(fleet.Figures) uint64) archiveMetric {
		return archiveMetric{newDesc("archive_"+name, help), prometheus.CounterValue, func(f fleet.Figures) float64 { return float64(value(f)) }}
	}
	gauge := func(name, help string, value func(fleet.Figures) float64) archiveMetric {
		return archiveMetric{newDesc("archive_"+name, help), prometheus.GaugeValue, value}
	}
	yes := func(is func(fleet.Figures) bool) func(fleet.Figures) float64 {
		return func(f fleet.Figures) float64 {
			if is(f) {
				return 1
			}
			return 0
		}
	}
	return []archiveMetric{
		count("messages_total", "Messages read from the stream.", func(f fleet.Figures) uint64 { return f.Messages }),
		count("read_bytes_total", "Bytes of these messages, as they are packed.", func(f fleet.Figures) uint64 { return f.Bytes }),
		count("lines_total", "Lines added to the receivers' journals.", func(f fleet.Figures) uint64 { return f.Lines }),
		count("copies_total", "Lines that came again and were left out.", func(f fleet.Figures) uint64 { return f.Copies }),
		count("holes_total", "Times that lines were missing in the stream.", func(f fleet.Figures) uint64 { return f.Holes }),
		count("asked_total", "Times that a receiver was asked for missing lines.", func(f fleet.Figures) uint64 { return f.Asked }),
		count("healed_total", "Times that the missing lines came.", func(f fleet.Figures) uint64 { return f.Healed }),
		count("lost_lines_total", "Lines that will never come, for which a gap entry stands.", func(f fleet.Figures) uint64 { return f.Lost }),
		gauge("receivers", "Receivers that the archive has journals of.", func(f fleet.Figures) float64 { return float64(f.Receivers) }),
		gauge("receivers_waiting", "Receivers of which lines are missing now.", func(f fleet.Figures) float64 { return float64(f.Waiting) }),
		gauge("receivers_failing", "Receivers whose journal cannot be written or read now.", func(f fleet.Figures) float64 { return float64(f.Failing) }),
		gauge("up", "Whether the stream can be read.", yes(func(f fleet.Figures) bool { return f.Trouble == "" })),
		gauge("disk_full", "Whether the archive waits for room on the disk.", yes(func(f fleet.Figures) bool { return f.Full })),
		gauge("last_write_timestamp_seconds", "Unix time at which lines were made durable last; 0: not since the start.", func(f fleet.Figures) float64 {
			if f.LastWrite.IsZero() {
				return 0
			}
			return float64(f.LastWrite.UnixMilli()) / float64(time.Second/time.Millisecond)
		}),
	}
}

// Describe implements prometheus.Collector: what there is, is not said before.
func (c *archiveCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *archiveCollector) Collect(to chan<- prometheus.Metric) {
	f := c.figures()
	for _, m := range archiveMetrics() {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(f))
	}
	foreign := newDesc("archive_foreign_total", "Messages of the stream that belong to no journal here.", "reason")
	for reason, n := range f.Foreign {
		to <- prometheus.MustNewConstMetric(foreign, prometheus.CounterValue, float64(n), reason)
	}
	collectBuild(c.version, to)
}
